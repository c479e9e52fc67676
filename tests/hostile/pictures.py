"""Folders and archives of pictures that nobody wants: functions that make one at a path, and return its settings."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "LA", "I;16")
TIFFS = ("CMYK", "YCbCr", "F", "I")  # which PNG has not, or not in every Pillow


def encoded(mode="RGB", size=(8, 8), kind="PNG", seed=0):
    """The bytes of a picture of chance."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype("uint8")
    if mode == "I;16":
        picture = Image.fromarray(pixels[:, :, 0].astype("uint16") * 256)
    else:
        picture = Image.fromarray(pixels).convert(mode)
    out = io.BytesIO()
    picture.save(out, "TIFF" if mode in TIFFS else kind)
    return out.getvalue()


def png(width, height, rows=b""):
    """A PNG that says of itself what it likes."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def folder(path, odd=None, name="odd.png", count=12):
    """Two classes of good pictures, and in the first an odd one."""
    for i in range(count):
        place = path / "pets" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(encoded(seed=i))
    if odd is not None:
        (path / "pets" / "a" / name).write_bytes(odd)
    return {"pictures": path / "pets"}


def archive(path, names):
    """A .zip of good pictures with these names."""
    with zipfile.ZipFile(path / "pets.zip", "w") as out:
        for i, name in enumerate(names):
            out.writestr(name, encoded(seed=i))
    return {"pictures": path / "pets.zip"}


def table(path, names):
    """A table of paths and labels."""
    settings = folder(path)
    good = [f"{'ab'[i % 2]}/{i}.png,{'ab'[i % 2]}" for i in range(12)]
    lines = ["path,label", *good, *(f"{name},a" for name in names)]
    (path / "pets" / "t.csv").write_text("\n".join(lines) + "\n")
    return settings | {"pictures": path / "pets" / "t.csv"}


def linked(path, target):
    settings = folder(path)
    (path / "pets" / "a" / "link.png").symlink_to(target)
    return settings


SEVERAL = [f"{c}/{i}.png" for c in "ab" for i in range(6)]
ODD = {
    "empty": b"",
    "noise": bytes(range(256)) * 9,
    "text": b"no picture",
    "html": b"<html><script>alert(1)</script>",
    "elf": b"\x7fELF" + bytes(99),
    "truncated": encoded()[:60],
    "half": encoded(size=(64, 64))[:3000],
    "flipped": encoded()[:40] + b"\xff" + encoded()[41:],
    "jpeg_as_png": encoded(kind="JPEG"),
    "half_jpeg": encoded(kind="JPEG", size=(64, 64))[:1500],
    "gif": encoded(kind="GIF", mode="P"),
    "tiff": encoded(kind="TIFF"),
    "webp": encoded(kind="WEBP"),
    "one_pixel": encoded(size=(1, 1)),
    "wide": encoded(size=(3000, 1)),
    "high": encoded(size=(1, 3000)),
    "bomb": png(60_000, 60_000),
    "bomb_of_zeros": png(20_000, 20_000, bytes(10_000)),
    "nothing_wide": png(0, 0),
    "negative": png(2**31 - 1, 2**31 - 1),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
    "pickle": b"\x80\x04N.",
    "psd": b"8BPS" + bytes(99),
    "ico": b"\0\0\1\0\1\0" + bytes(40),
    "text_chunks": encoded()[:-12] + struct.pack(">I", 2**31) + b"tEXt" + bytes(99),
}
CASES = {f"odd_{key}": lambda path, odd=odd: folder(path, odd) for key, odd in ODD.items()}
CASES |= {f"mode_{mode}": lambda path, mode=mode: folder(path, encoded(mode)) for mode in MODES}
CASES |= {
    "name_script": lambda path: folder(path, encoded(), "<script>.png"),
    "name_newline": lambda path: folder(path, encoded()[:50], "a\nb\x1b[31m.png"),
    "name_bytes": lambda path: folder(path, encoded()[:50], "\udcff.png"),
    "suffix": lambda path: folder(path, encoded(), "a.JPG"),
    "none": lambda path: folder(path, count=0) | {"pictures": path},
    "one": lambda path: folder(path, count=1),
    "two": lambda path: folder(path, count=2),
    "zip_above": lambda path: archive(path, [f"../../{name}" for name in SEVERAL]),
    "zip_rooted": lambda path: archive(path, [f"/tmp/x/{name}" for name in SEVERAL]),
    "zip_windows": lambda path: archive(path, ["C:\\" + name.replace("/", "\\") for name in SEVERAL]),
    "zip_plain": lambda path: archive(path, SEVERAL),
    "zip_twice": lambda path: archive(path, SEVERAL + SEVERAL),
    "zip_empty": lambda path: archive(path, []),
    "zip_classes": lambda path: archive(path, [f"../{i % 2}/{i}.png" for i in range(9)]),
    "table_above": lambda path: table(path, ["../../../etc/passwd"]),
    "table_rooted": lambda path: table(path, ["/etc/passwd"]),
    "table_device": lambda path: table(path, ["/dev/zero"]),
    "table_url": lambda path: table(path, ["file:///etc/passwd"]),
    "table_folder": lambda path: table(path, ["a"]),
    "table_nul": lambda path: table(path, ["a\\0.png"]),
    "table_long": lambda path: table(path, ["x" * 5000]),
    "table_missing": lambda path: table(path, [""]),
    "link_loop": lambda path: linked(path, "link.png"),
    "link_device": lambda path: linked(path, "/dev/zero"),
    "link_passwd": lambda path: linked(path, "/etc/passwd"),
    "huge_size": lambda path: folder(path) | {"size": 10**9},
}

"""Malformed image folders, archives and tables: functions that create one at a path and return the settings."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "LA", "I;16")
TIFFS = ("CMYK", "YCbCr", "F", "I")  # modes that PNG does not support, or not in every version of Pillow


def random_image(mode="RGB", size=(8, 8), image_format="PNG", seed=0):
    """Encode a random image; return its bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype("uint8")
    if mode == "I;16":
        image = Image.fromarray(pixels[:, :, 0].astype("uint16") * 256)
    else:
        image = Image.fromarray(pixels).convert(mode)
    archive_file = io.BytesIO()
    image.save(archive_file, "TIFF" if mode in TIFFS else image_format)
    return archive_file.getvalue()


def png_with_size(width, height, rows=b""):
    """Return a PNG whose header states the given width and height."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def image_folder(path, malformed=None, name="malformed.png", count=12):
    """Create a folder of two classes of valid images and one malformed file."""
    for i in range(count):
        class_folder = path / "pets" / "ab"[i % 2]
        class_folder.mkdir(parents=True, exist_ok=True)
        (class_folder / f"{i}.png").write_bytes(random_image(seed=i))
    if malformed is not None:
        (path / "pets" / "a" / name).write_bytes(malformed)
    return {"data": path / "pets"}


def image_archive(path, names):
    """Create a .zip of valid images with the given names."""
    with zipfile.ZipFile(path / "pets.zip", "w") as archive_file:
        for i, name in enumerate(names):
            archive_file.writestr(name, random_image(seed=i))
    return {"data": path / "pets.zip"}


def image_table(path, names):
    """Create a table of paths and labels."""
    settings = image_folder(path)
    good = [f"{'ab'[i % 2]}/{i}.png,{'ab'[i % 2]}" for i in range(12)]
    lines = ["path,label", *good, *(f"{name},a" for name in names)]
    (path / "pets" / "t.csv").write_text("\n".join(lines) + "\n")
    return settings | {"data": path / "pets" / "t.csv"}


def folder_with_link(path, target):
    """Create a folder of images with a symbolic link to `target`."""
    settings = image_folder(path)
    (path / "pets" / "a" / "link.png").symlink_to(target)
    return settings


VALID_NAMES = [f"{c}/{i}.png" for c in "ab" for i in range(6)]
MALFORMED = {
    "empty": b"",
    "noise": bytes(range(256)) * 9,
    "text": b"no picture",
    "html": b"<html><script>alert(1)</script>",
    "elf": b"\x7fELF" + bytes(99),
    "truncated": random_image()[:60],
    "half": random_image(size=(64, 64))[:3000],
    "flipped": random_image()[:40] + b"\xff" + random_image()[41:],
    "jpeg_as_png": random_image(image_format="JPEG"),
    "half_jpeg": random_image(image_format="JPEG", size=(64, 64))[:1500],
    "gif": random_image(image_format="GIF", mode="P"),
    "tiff": random_image(image_format="TIFF"),
    "webp": random_image(image_format="WEBP"),
    "one_pixel": random_image(size=(1, 1)),
    "wide": random_image(size=(3000, 1)),
    "tall": random_image(size=(1, 3000)),
    "bomb": png_with_size(60_000, 60_000),
    "bomb_of_zeros": png_with_size(20_000, 20_000, bytes(10_000)),
    "zero_size": png_with_size(0, 0),
    "negative": png_with_size(2**31 - 1, 2**31 - 1),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
    "pickle": b"\x80\x04N.",
    "psd": b"8BPS" + bytes(99),
    "ico": b"\0\0\1\0\1\0" + bytes(40),
    "text_chunks": random_image()[:-12] + struct.pack(">I", 2**31) + b"tEXt" + bytes(99),
}
CASES = {
    f"malformed_{key}": lambda path, malformed=malformed: image_folder(path, malformed)
    for key, malformed in MALFORMED.items()
}
CASES |= {f"mode_{mode}": lambda path, mode=mode: image_folder(path, random_image(mode)) for mode in MODES}
CASES |= {
    "name_script": lambda path: image_folder(path, random_image(), "<script>.png"),
    "name_newline": lambda path: image_folder(path, random_image()[:50], "a\nb\x1b[31m.png"),
    "name_bytes": lambda path: image_folder(path, random_image()[:50], "\udcff.png"),
    "suffix": lambda path: image_folder(path, random_image(), "a.JPG"),
    "empty_folder": lambda path: image_folder(path, count=0) | {"data": path},
    "one_image": lambda path: image_folder(path, count=1),
    "two_images": lambda path: image_folder(path, count=2),
    "zip_above": lambda path: image_archive(path, [f"../../{name}" for name in VALID_NAMES]),
    "zip_rooted": lambda path: image_archive(path, [f"/tmp/x/{name}" for name in VALID_NAMES]),
    "zip_windows": lambda path: image_archive(path, ["C:\\" + name.replace("/", "\\") for name in VALID_NAMES]),
    "zip_plain": lambda path: image_archive(path, VALID_NAMES),
    "zip_twice": lambda path: image_archive(path, VALID_NAMES + VALID_NAMES),
    "zip_empty": lambda path: image_archive(path, []),
    "zip_classes": lambda path: image_archive(path, [f"../{i % 2}/{i}.png" for i in range(9)]),
    "table_above": lambda path: image_table(path, ["../../../etc/passwd"]),
    "table_rooted": lambda path: image_table(path, ["/etc/passwd"]),
    "table_device": lambda path: image_table(path, ["/dev/zero"]),
    "table_url": lambda path: image_table(path, ["file:///etc/passwd"]),
    "table_folder": lambda path: image_table(path, ["a"]),
    "table_nul": lambda path: image_table(path, ["a\\0.png"]),
    "table_long": lambda path: image_table(path, ["x" * 5000]),
    "table_missing": lambda path: image_table(path, [""]),
    "link_loop": lambda path: folder_with_link(path, "link.png"),
    "link_device": lambda path: folder_with_link(path, "/dev/zero"),
    "link_passwd": lambda path: folder_with_link(path, "/etc/passwd"),
    "huge_size": lambda path: image_folder(path) | {"image_size": 10**9},
}

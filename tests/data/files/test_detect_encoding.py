"""Encodings that are detected from the letters: languages, mixed lines, many small files."""

import pytest

from tfkit.data.files.chunks import ChunkReader
from tfkit.data.files.read import read_frame, read_messages
from tfkit.data.files.text_encoding import decode_all

TEXTS = [
    ("cp1252", "Grüße aus Köln, die Straße ist schön"),
    ("cp1252", "Le café était très agréable, à bientôt"),
    ("cp1252", "¿Dónde está la señora Muñoz?"),
    ("cp1252", "São João não é maçã"),
    ("cp1252", "Rødgrød med fløde på"),
    ("cp1252", "30 °C ± 2 µm"),
    ("cp1252", "Zürich, Málaga, São Paulo, Århus, Besançon, Niño"),
    ("cp1250", "Příliš žluťoučký kůň úpěl"),
    ("cp1250", "Zażółć gęślą jaźń"),
    ("cp1250", "árvíztűrő tükörfúrógép"),
    ("cp1254", "İstanbul çok güzel bir şehir"),
    ("cp1257", "Šiauliai, Klaipėda, Panevėžys, žąsų"),
    ("cp850", "Grüße aus Köln, die Straße ist schön"),
    ("mac_roman", "Le café était très agréable, à bientôt"),
    ("cp1251", "Я люблю этот фильм"),
    ("koi8_r", "Я люблю этот фильм"),
    ("cp866", "Екатеринбург, хороший фильм"),
    ("cp1253", "το ελληνικό κείμενο"),
    ("cp1255", "זה סרט טוב מאוד ואני אוהב אותו"),
    ("cp1256", "هذا فيلم جيد جدا"),
    ("cp874", "หนังเรื่องนี้ดีมาก"),
    ("shift_jis", "これはとても良い映画です"),
    ("euc_jp", "これはとても良い映画です"),
    ("gb18030", "这部电影很好看"),
    ("big5", "這部電影很好看"),
    ("euc_kr", "이 영화는 정말 좋아요"),
    ("utf-16-le", "Grüße aus Köln"),
    ("utf-16-be", "plain ASCII"),
]


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
@pytest.mark.reading("Encodings", "stated")
def test_encoding_is_detected_and_reported(file, encoding, text):
    path = file(f"id;text\n1;{text}\n2;plain\n".encode(encoding))
    frame = read_frame(path)
    assert frame["text"].tolist() == [text, "plain"]
    expected = [] if encoding.startswith("utf") else [f"not UTF-8, but {frame.attrs['file']['encoding']}"]
    assert len(read_messages(frame)) == len(expected)
    assert all(part in message for part, message in zip(expected, read_messages(frame), strict=True))


@pytest.mark.parametrize(("encoding", "text"), TEXTS[:-2])
def test_chunks_have_the_same_text(file, encoding, text):
    path = file(f"id;text\n1;{text}\n2;plain\n".encode(encoding))
    reader = ChunkReader(path)
    assert [cell for chunk in reader for cell in chunk["text"]] == [text, "plain"]
    assert reader.messages == read_messages(read_frame(path))


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "cp1251", "gb18030", "shift_jis"])
@pytest.mark.parametrize("utf8_lines", [3, 200])
@pytest.mark.reading("Encodings", "stated")
def test_lines_of_two_encodings(file, encoding, utf8_lines):
    text = dict(TEXTS)[encoding]
    lines = [f"{text};1".encode()] * utf8_lines
    lines.insert(2, f"{text};2".encode(encoding))
    frame = read_frame(file(b"text;y\n" + b"\n".join(lines)))
    assert frame["text"].tolist() == [text] * (utf8_lines + 1)
    assert read_messages(frame)[0].startswith(f"the text is utf-8 and {frame.attrs['file']['encoding'][10:]}")


def test_words_that_are_valid_utf_8_by_chance(file):
    texts = ["联通", *(text for encoding, text in TEXTS if encoding == "gb18030")] * 10
    assert read_frame(file("text,y\n" + "\n".join(f"{text},1" for text in texts), "t.csv"))["text"].tolist() == texts
    path = file(("text,y\n" + "\n".join(f"{text},1" for text in texts)).encode("gb18030"))
    assert read_frame(path)["text"].tolist()[1::2] == texts[1::2]


def test_small_files_are_detected_together(tmp_path):
    texts = ["plain", "Gyõr".replace("õ", "ő"), "Příliš žluťoučký kůň úpěl", "ďábelské", "ódy"]
    contents = [text.encode("cp1250") for text in texts]
    decoded, messages = decode_all(contents, None, [tmp_path] * 5)
    assert decoded == texts
    assert messages == ["4 of 5 files are not UTF-8, but cp1250 by their letters; if letters are wrong, set encoding="]
    assert decode_all([text.encode() for text in texts], None, [tmp_path] * 5) == (texts, [])
    assert decode_all(contents, "cp1250", [tmp_path] * 5) == (texts, [])

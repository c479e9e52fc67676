"""Detect the encoding of text that is not UTF-8, from the lines with other bytes than ASCII."""

import re
from collections.abc import Iterable

SAMPLE_BYTES = 1 << 16  # of the lines with other bytes than ASCII; detection takes some 10 ms

MIN_UTF8_FRACTION = 0.2  # of the lines, from which on a text is UTF-8 with some lines in another encoding

LATIN_WORD_FRACTION = 0.5  # of ASCII letters in the words with other letters, from which on a text is in Latin letters

TIE_MARGIN = 0.05  # of letters; below it, the usual encoding is as good as a special one

# The ten most frequent letters of the languages of an encoding.
_FREQUENT_LETTERS = {
    "cp1251": "оеаинтсрвл",
    "koi8_r": "оеаинтсрвл",
    "cp866": "оеаинтсрвл",
    "iso8859_5": "оеаинтсрвл",
    "cp1253": "αοιετσνηυρ",
    "cp1255": "יוהלארתשבמ",
    "cp1256": "اليمونرتبع",
    "cp874": "านรอกเงม่้",
}
_FREQUENT_FRACTION = 0.65  # of the letters of a text that are among the ten most frequent

# First bytes of the frequent characters of two bytes. The order decides ties: Korean syllables have a part of the codes
# of Chinese characters.
_FREQUENT_CODES = {
    "cp949": (*range(0xB0, 0xC9),),
    "euc_jp": (0xA4, 0xA5, *range(0xB0, 0xD0)),
    "gb18030": (*range(0xB0, 0xD8),),
    "big5": (*range(0xA4, 0xC7),),
    "cp932": (0x82, 0x83, *range(0x88, 0x98)),
}
_PUNCTUATION_CODES = (0x81, 0xA1, 0xA2, 0xA3)  # first bytes of punctuation, and of digits and letters of full width

_KANA_CODES = (0xA4, 0xA5)

_MIN_KANA_FRACTION = 0.2  # of the characters of Japanese text

# Letters of languages besides ASCII, for encodings of Latin letters: charset-normalizer confuses these.
_WESTERN = (
    "äöüß",
    "éèêëàâçîïôùûœæ",
    "áéíóúüñ¿¡",
    "ãõáâàéêíóôúç",
    "àèéìòù",
    "æøåéäö",
    "áéíóúýþæöð",
    "ëïéèöü",
)
_LATIN_ALPHABETS = {
    "cp1252": _WESTERN,
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž"),
    "cp1254": ("çğıöşüâîûİ",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äöõüšž"),
    "cp850": _WESTERN,
    "mac_roman": _WESTERN,
}
_MIXED_FACTOR = 0.9  # of the score of several Western languages together

_SYMBOLS = "’‘“”„–—…•†€£¥¢°©®™§¶«»‹›±×÷¹²³µ·ºª¼½¾‰\u00a0"  # of cp1252

MIN_SCORE = 0.5  # of an encoding; text of a lower one may have any

_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]", re.DOTALL)

_LETTER_RUN = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")


def detect(lines: Iterable[bytes]) -> tuple[str, bool]:
    """Detect the encoding of lines that are not all UTF-8.

    Args:
        lines: All lines of the text.

    Returns:
        The encoding of the lines that are not UTF-8, and whether the others are UTF-8 with letters besides ASCII: a
        text of two encodings.
    """
    sample, sample_bytes, num_utf8, num_others = [], 0, 0, 0
    for line in lines:
        if line.isascii():
            continue
        try:
            line.decode()
            num_utf8 += 1
        except UnicodeDecodeError:
            num_others += 1
            if sample_bytes < SAMPLE_BYTES:
                sample.append(line[:SAMPLE_BYTES])
                sample_bytes += len(sample[-1])
    encoding = _detect_sample(b"\n".join(sample)) if sample else "cp1252"
    # Some words of other alphabets are valid UTF-8 by chance; with Latin letters that does not happen.
    min_fraction = 0.0 if encoding in _LATIN_ALPHABETS else MIN_UTF8_FRACTION
    return encoding, bool(num_utf8) and num_utf8 >= min_fraction * (num_utf8 + num_others)


def _detect_sample(sample: bytes) -> str:
    if all(character < "\x80" or character in _SYMBOLS for character in sample.decode("cp1252", "replace")):
        return "cp1252"
    runs = b" ".join(_LETTER_RUN.findall(sample))
    num_letters = len(runs) - runs.count(b" ")
    num_ascii = sum(runs.count(bytes([code])) for code in (*range(65, 91), *range(97, 123)))
    if num_ascii < LATIN_WORD_FRACTION * num_letters:
        scores = {encoding: _code_score(sample, encoding) for encoding in _FREQUENT_CODES}
        scores |= {encoding: _letter_score(sample, encoding) for encoding in _FREQUENT_LETTERS}
        best = max(scores, key=lambda encoding: scores[encoding])
        if scores[best] > max(MIN_SCORE, _score(sample, _detect_latin(sample)) - 1 + MIN_SCORE):
            return best
    return _detect_latin(sample)


def _code_score(sample: bytes, encoding: str) -> float:
    """Return the fraction of the characters of two bytes that are frequent in the language of the encoding."""
    pairs = [pair for pair in _PAIR.findall(sample) if pair[0] not in _PUNCTUATION_CODES]
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    num_kana = sum(pair[0] in _KANA_CODES for pair in pairs)
    if not pairs or (encoding == "euc_jp" and num_kana < _MIN_KANA_FRACTION * len(pairs)):
        return 0.0
    return sum(pair[0] in _FREQUENT_CODES[encoding] for pair in pairs) / len(pairs)


def _letter_score(sample: bytes, encoding: str) -> float:
    """Return how frequent the most frequent letters are, over how frequent they are in usual text."""
    text = sample.decode(encoding, "replace")
    letters = [letter for letter in text if letter > "\x7f" and letter not in _SYMBOLS]
    if not letters or "\ufffd" in text:
        return 0.0
    fraction = sum(letter in _FREQUENT_LETTERS[encoding] for letter in letters) / len(letters)
    return min(1.0, fraction / _FREQUENT_FRACTION)


def _detect_latin(sample: bytes) -> str:
    """Return the encoding that gives the most letters of one language; cp1252 if several are about as good."""
    scores = {encoding: _score(sample, encoding) for encoding in _LATIN_ALPHABETS}
    best = max(scores, key=lambda encoding: scores[encoding])
    return best if scores[best] > max(scores["cp1252"] + TIE_MARGIN, MIN_SCORE) else "cp1252"


def _score(sample: bytes, encoding: str) -> float:
    """Return the largest fraction of the letters besides ASCII that are those of one language."""
    text = sample.decode(encoding, "replace")
    if "\ufffd" in text and encoding != "cp1252":
        return 0.0
    letters = [letter.lower()[0] if letter != "İ" else letter for letter in text if letter > "\x7f"]
    letters = [letter for letter in letters if letter not in _SYMBOLS]
    if not letters:
        return 1.0
    alphabets = _LATIN_ALPHABETS[encoding]
    scores = [sum(letter in alphabet for letter in letters) / len(letters) for alphabet in alphabets]
    mixed = _MIXED_FACTOR * sum(letter in "".join(alphabets) for letter in letters) / len(letters)
    return max(*scores, mixed if alphabets is _WESTERN else 0.0)

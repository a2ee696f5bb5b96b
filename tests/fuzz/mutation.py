"""Changes to bytes that parsers trip over: flips, splices, repeats, boundary numbers, depth, traps of Unicode."""

import re
from collections.abc import Callable, Sequence
from random import Random

NUMBERS = (
    *(
        "0",
        "-0",
        "-1",
        "1",
        "00",
        "+1",
        "1_0",
        "0x10",
        "1e9",
        "1e400",
        "-1e400",
        "nan",
        "inf",
        "-inf",
        "0.1",
        "1.0",
        " 1",
    ),
    *("127", "128", "255", "256", "32767", "65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "٣", "１"),
    *("9" * 30, "9" * 400, "9" * 5000),
)
UNICODE = (
    *(
        "\x00",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "\x0b",
        "\x0c",
        "\x1b[2J",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
        "\u2029",
        "\ufeff",
    ),
    *("\u202e", "\u200b", "İ", "ı", "ſ", "K", "é", "e\u0301", "😀", "\U0010ffff", "ａ", "．", "／", "＼", "\ufffd"),
)
BYTES = (b"\xff", b"\xfe\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xc3")
BRACKETS = (b"[", b"{", b"(", b'{"a":', b"[[", b"a.", b"../", b"./", b'"', b"'")
DIGITS = re.compile(rb"\d+")
SIZES = (1, 2, 4, 8)

Change = Callable[[Random, bytearray, Sequence[bytes], Sequence[bytes]], None]


def mutate(chance: Random, corpus: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One of the corpus, with one change or several."""
    data = bytearray(chance.choice(corpus))
    for _ in range(1 + int(chance.expovariate(0.6))):
        chance.choice(CHANGES)(chance, data, corpus, words)
    return bytes(data)


def _span(chance: Random, data: bytearray, most: int = 64) -> slice:
    start = chance.randint(0, len(data))
    return slice(start, min(start + 1 + int(chance.expovariate(1 / most)), len(data)))


def _flip(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _byte(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice(
            (0, 10, 13, 32, 34, 47, 92, 127, 128, 255, chance.randrange(256))
        )


def _cut(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    del data[_span(chance, data)]


def _truncate(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    del data[chance.randint(0, len(data)) :]


def _repeat(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    piece = bytes(data[_span(chance, data)])
    at = chance.randint(0, len(data))
    data[at:at] = piece * chance.choice((1, 1, 1, 2, 3, 50))


def _double_line(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    """The same field twice, sometimes elsewhere."""
    lines = bytes(data).splitlines(keepends=True)
    if lines:
        lines.insert(chance.randint(0, len(lines)), chance.choice(lines))
        data[:] = b"".join(lines)


def _move_line(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    lines = bytes(data).splitlines(keepends=True)
    if lines:
        line = lines.pop(chance.randrange(len(lines)))
        lines.insert(chance.randint(0, len(lines)), line)
        data[:] = b"".join(lines)


def _splice(chance: Random, data: bytearray, corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    other = chance.choice(corpus)
    data[chance.randint(0, len(data)) :] = other[chance.randint(0, len(other)) :]


def _graft(chance: Random, data: bytearray, corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    other = bytearray(chance.choice(corpus))
    data[_span(chance, data)] = other[_span(chance, other)]


def _insert(chance: Random, data: bytearray, _corpus: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    trap = chance.choice((*BYTES, *(text.encode() for text in UNICODE)))
    data[at:at] = chance.choice(words) if words and chance.random() < 0.6 else trap


def _replace(chance: Random, data: bytearray, _corpus: Sequence[bytes], words: Sequence[bytes]) -> None:
    if words:
        data[_span(chance, data, 8)] = chance.choice(words)


def _number(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    """A number in the text becomes one at the edge of something."""
    found = list(DIGITS.finditer(data))
    if found:
        data[slice(*chance.choice(found).span())] = chance.choice(NUMBERS).encode()


def _integer(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    """A binary number becomes one at the edge of something."""
    size = chance.choice(SIZES)
    if len(data) >= size:
        at, most = chance.randint(0, len(data) - size), 256**size
        value = chance.choice((0, 1, most - 1, most // 2, most // 2 - 1, chance.randrange(most), len(data)))
        data[at : at + size] = (value % most).to_bytes(size, chance.choice(("little", "big")))


def _deepen(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = chance.choice(BRACKETS) * chance.choice((2, 10, 100, 1000, 3000))


def _swell(chance: Random, data: bytearray, _corpus: Sequence[bytes], _words: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = bytes(data[at : at + 1]) * chance.choice((15, 63, 64, 255, 256, 1024, 4096))


CHANGES: tuple[Change, ...] = (
    *(_flip, _byte, _cut, _truncate, _repeat, _double_line, _move_line, _splice, _graft, _insert, _insert, _replace),
    *(_replace, _number, _number, _integer, _deepen, _swell),
)

"""Text as people's editors and shells give it: UTF-8, or UTF-16 with its mark, as PowerShell writes it."""

import codecs

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
AS_UTF_8 = "save it as UTF-8"


def decoded(content: bytes) -> str:
    """
    Raises:
        ValueError: it is neither; args: what is wrong, after the name of the file.
    """
    mark, encoding = next(((mark, name) for mark, name in MARKS if content.startswith(mark)), (b"", "utf-8"))
    if not mark and b"\0" in content[:2]:
        raise ValueError("is UTF-16 without its mark")
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise ValueError("begins like UTF-16, and is not") from None
        line = content.count(b"\n", 0, error.start + len(mark)) + 1
        raise ValueError(f"is not UTF-8 (line {line})") from None


def is_utf_8(text: str) -> bool:
    """Arguments and variables may be any bytes; Python keeps those that are no UTF-8 as halves of characters."""
    return not any(0xD800 <= ord(sign) <= 0xDFFF for sign in text)


def kind_of(data: bytes) -> str:
    """The media type of a body that says nothing about itself."""
    if data[:1] in (b"{", b"["):
        return "application/json"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain; charset=utf-8"

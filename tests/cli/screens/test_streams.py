import errno

from attacca.cli.screens.streams import refusal
from attacca.cli.screens.terminal import speaks_unicode


def test_what_the_system_refuses_is_said_with_its_place() -> None:
    full = refusal(OSError(errno.ENOSPC, "No space left on device"))
    assert full.message == "what it writes goes nowhere: No space left on device"
    absent = refusal(FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/x"))
    assert absent.message == "/proc/x: No such file or directory"
    assert refusal(OSError("odd")).message == "odd"
    typed = refusal(UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"))
    assert typed.hint.startswith("LC_ALL=C.UTF-8")


def test_which_encodings_have_every_sign() -> None:
    assert [name for name in ("utf-8", "UTF-8", "utf8", "UTF-16", "latin-1", "ascii") if not speaks_unicode(name)] == [
        "latin-1",
        "ascii",
    ]

import pytest

from attacca.errors import BadImage
from attacca.images.core.layers import Empty, Entry, Make, Pass, Plan, Remove, plan
from tests.cases import each


def made(*path: str, kind: str = "0", mode: int = 0o644, target: str = "", linked: tuple[str, ...] = ()) -> Make:
    return Make(path, kind, mode, 0, 0, 0, target, linked)


@each(
    "entry, wanted",
    [
        (Entry("./a//b", "0"), made("a", "b")),
        (Entry("/etc/passwd", "0"), made("etc", "passwd")),
        (Entry("./", "5"), Pass()),
        (Entry("tmp/", "5", 0o1777), made("tmp", kind="5", mode=0o1777)),
        (Entry("bin/su", "0", 0o4755), made("bin", "su", mode=0o755)),
        (Entry("games", "5", 0o2755), made("games", kind="5", mode=0o755)),
        (Entry("a", "2", 0o777, link="../../../etc"), made("a", kind="2", mode=0o777, target="../../../etc")),
        (Entry("a", "1", link="/b/./c"), made("a", kind="1", linked=("b", "c"))),
        (Entry("a/.wh.b", "0"), Remove(("a", "b"))),
        (Entry("a/.wh..wh..opq", "0"), Empty(("a",))),
        (Entry(".wh..wh.plnk", "5"), Pass()),
        (Entry("a", "0", time=float("nan")), made("a")),
    ],
)
def test_what_is_done(entry: Entry, wanted: Plan) -> None:
    assert plan(entry) == wanted


@each(
    "entry, complaint",
    [
        (Entry("../a", "0"), "climbs out"),
        (Entry("a/../../b", "0"), "climbs out"),
        (Entry("a", "1", link="../b"), "climbs out"),
        (Entry("a", "1", link="/"), "hard link to nothing"),
        (Entry("a", "2"), "what is no path"),
        (Entry("dev/sda", "4"), "devices are not taken"),
        (Entry("dev/null", "3"), "devices are not taken"),
        (Entry("pipe", "6"), "devices are not taken"),
        (Entry("a/.wh...", "0"), "would remove what is not below it"),
        (Entry("a", "0", uid=-1), "belongs to -1"),
        (Entry("a" * 300, "0"), "more than 255 bytes"),
        (Entry("a/" * 129, "5"), "129 parts"),
        (Entry("a\0b", "0"), "no path that can be made"),
    ],
)
def test_what_is_refused(entry: Entry, complaint: str) -> None:
    with pytest.raises(BadImage, match=complaint):
        plan(entry)

from attacca.io.timeseries.lines import body, line
from attacca.io.timeseries.types import Point
from tests.cases import each


def point(measurement: str = "m", *tags: tuple[str, str], at: float = 1.5, **fields: float) -> Point:
    return Point(measurement=measurement, tags=tags, fields=tuple(fields.items()), at=at)


@each(
    "said, expected",
    [
        (point(a=1), "m a=1.0 1500000000"),
        (point("m", ("t", "v"), ("s", "w"), a=0.5, b=2), "m,s=w,t=v a=0.5,b=2.0 1500000000"),
        (point("a b,c", ("t=", "x y,z"), a=1), "a\\ b\\,c,t\\==x\\ y\\,z a=1.0 1500000000"),
        (point("m", ("t", ""), ("", "v"), a=1), "m a=1.0 1500000000"),
        (point("m", ("t", "ends\\"), a=1), "m,t=ends a=1.0 1500000000"),
        (point("m", ("t", "a\nb"), a=1), "m,t=a\\ b a=1.0 1500000000".replace("\\ ", " ")),
        (point(a=float("nan"), b=1), "m b=1.0 1500000000"),
        (point(a=float("inf")), ""),
        (point(), ""),
        (point("", a=1), ""),
    ],
)
def test_a_point_is_one_line_whatever_is_in_it(said: Point, expected: str) -> None:
    told = line(said)
    assert "\n" not in told
    assert told == expected


def test_what_says_nothing_is_left_out() -> None:
    assert body([point(a=1), point(), point(b=2)]) == b"m a=1.0 1500000000\nm b=2.0 1500000000"

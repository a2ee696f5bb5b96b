import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadTrace
from attacca.load.traces.readers.csvfile import Kind, blocks, complaint, header, whole
from attacca.load.traces.reading import SHOWN, Bad

KINDS: dict[str, Kind] = {"name": "text", "many": "count", "size": "maybe"}


def read(path: Path, text: str, size: int = 1 << 20) -> tuple[list[tuple[object, ...]], Bad]:
    path.write_text(text)
    bad = Bad(skip=True)
    return [row for block in blocks(path, KINDS, bad, size) for row in block.rows()], bad


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x,1", "2 fields, where there are 4 columns"),
        ("x,1,2,3,4", "5 fields, where there are 4 columns"),
        ("x,-1,2,3", "many is '-1', which is not a count"),
        ("x,1.5,2,3", "many is '1.5', which is not a count"),
        ("x,99999999999,2,3", "many is '99999999999', which is not a count"),
        (",1,2,3", "name is empty"),
        ("x,1,-2,3", "size is '-2', which is below 0"),
        ("x,1,many,3", "size is 'many', which is not a number"),
        ("x,1,inf,3", "size is 'inf', which is not a number"),
        ('x,1,2,"', "unexpected end of data"),
        ("x," + "1" * 5000 + ",2,3", "many is '" + "1" * 40 + "...', which is not a count"),
        ("x," + "0" * 5000 + "12345678901,2,3", "many is '" + "0" * 40 + "...', which is not a count"),
        ("x,\u0663,2,3", "many is '\u0663', which is not a count"),
        ("x,1,\u0663,3", "size is '\u0663', which is not a number"),
        ("x,1,1e300,3", "size is '1e300', which is over 1e+15"),
        ("x,1," + "9" * 5000 + ",3", "size is '" + "9" * 40 + "...', which is not a number"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "x.csv"
    found, bad = read(path, f"name,many,size,more\na,1,2,z\n{line}\nb,3,,z\n")
    assert found == [("a", 1, 2.0), ("b", 3, None)]
    assert (bad.count, bad.first) == (1, [f"{path}:3: {why}"])


@given(st.integers(1, 60), st.lists(st.integers(0, 9), max_size=4))
def test_lines_are_right_however_the_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, size: int, at: list[int]
) -> None:
    lines = [f"n{number},{number},1.5" for number in range(10)]
    for number in at:
        lines[number] = "broken"
    path = tmp_path_factory.mktemp("cut") / "x.csv"
    found, bad = read(path, "name,many,size\r\n" + "\r\n".join(lines), size)
    assert [row[1] for row in found] == [number for number in range(10) if number not in at]
    assert [one.split(":")[1] for one in bad.first] == [str(number + 2) for number in sorted(set(at))][:SHOWN]
    assert bad.count == len(set(at))


def test_bytes_that_are_no_text_are_a_malformed_row(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"name,many,size\n\xff,1,2\na,1,2\n")
    bad = Bad(skip=True)
    assert whole(path, KINDS, bad).rows() == [("a", 1, 2.0)]
    assert bad.count == 1


def test_a_compressed_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfname,many,size\na,1,NaN\n"))
    assert header(path) == ["name", "many", "size"]
    assert whole(path, KINDS, Bad()).height == 1


def test_nothing_is_refused_until_all_is_read(tmp_path: Path) -> None:
    _, bad = read(tmp_path / "x.csv", "name,many,size\n" + "broken\n" * 9)
    bad.skip = False
    with pytest.raises(BadTrace, match="9 rows are malformed") as refused:
        bad.settle()
    assert refused.value.message.endswith("and 4 more")


def test_a_missing_file_and_a_missing_column(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="No such file"):
        whole(tmp_path / "x.csv", KINDS, Bad())
    (tmp_path / "y.csv").write_text("name\n")
    with pytest.raises(BadTrace, match=r"y\.csv:1: there is no column many, size"):
        whole(tmp_path / "y.csv", KINDS, Bad())
    (tmp_path / "empty.csv").write_text("name,many,size\n")
    assert whole(tmp_path / "empty.csv", KINDS, Bad()).height == 0


@given(st.text(max_size=6))
def test_a_complaint_agrees_with_the_parser(tmp_path_factory: pytest.TempPathFactory, field: str) -> None:
    """What passes as an amount is one; what is refused was never parsed."""
    if complaint("amount", field) == "":
        assert float(field) >= 0

import pytest

from attacca.control.core.requirements import parse
from attacca.errors import BadRequest


def lines(text: str, *, allow_source_builds: bool = False) -> tuple[str, ...] | None:
    found = parse(text, allow_source_builds=allow_source_builds)
    return None if found is None else found.lines


def test_nothing_required_is_nothing() -> None:
    assert lines("") is None
    assert lines("# only\n\n   # comments\n") is None
    assert lines("--pre\n") is None


def test_packages_in_all_their_forms() -> None:
    text = (
        "flask  # web\nnumpy==2.1.0\nuvicorn[standard]>=0.30,<1\ntyping-extensions ; python_version < '3.12'\n"
        "x~=1.0 \\\n  --hash=sha256:00ff\n--index-url https://pypi.example/simple\n"
        "p @ https://host.example/p-1-py3-none-any.whl\n-i https://one:two@pypi.example/simple?a=b\n"
    )
    found = lines(text)
    assert found is not None
    assert len(found) == 8
    assert found[0] == "flask"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("-r /etc/passwd", "option -r"),
        ("-e .", "option -e"),
        ("--find-links=/tmp", "option --find-links"),
        ("--trusted-host x", "option --trusted-host"),
        ("./local", "name"),
        ("/abs/x.whl", "name"),
        ("pkg/sub", "path"),
        ("file:///etc", "path"),
        ("a b", "version"),
        ("a @ file:///etc/x.whl", "https"),
        ("a @ http://h/x.whl", "https"),
        ("a @ https://h/x.tar.gz", "wheel"),
        ("a @ git+https://h/x.whl", "wheel"),
        ("a==${HOME}", "variables"),
        ("a --global-option=x", "options after"),
        ("a==1 --config-settings x=y", "options after"),
        ("a\x00", "control"),
        ("--pre -r /etc/shadow", "--pre stands alone"),
        ("--prefer-binary -e /srv/evil", "--prefer-binary stands alone"),
        ("-i https://h/simple -e git+https://h/x", "-i stands alone"),
        ("--index-url=https://h/simple --no-binary=:all:", "--index-url stands alone"),
        ("--pre\t-c /etc/passwd", "--pre stands alone"),
        ("--index-url --no-binary", "--index-url stands alone"),
        ("--index-url", "--index-url stands alone"),
        ("a ; python_version > '3' \\ ", "backslashes"),
        ('a @ https://h/x.tar.gz\t; platform_machine != "x.whl?"', "wheel"),
        ("a @ https://h/x-1-py3-none-any.whl\xa0;x.tar.gz", "address"),
        ("a @ https://h/.whl", "wheel"),
        ("a @ https://h/x.tar.gz%2f.whl", "wheel"),
    ],
)
def test_what_would_run_code_or_read_files_here_is_refused(line: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        lines(f"flask\n{line}\n")


def test_sources_are_taken_where_building_is_allowed() -> None:
    assert lines("a @ git+https://h/x@v1", allow_source_builds=True) == ("a @ git+https://h/x@v1",)


def test_the_digest_depends_on_what_is_installed_and_for_whom() -> None:
    one, other = parse("a\nb # x", allow_source_builds=False), parse("b\n\na\na", allow_source_builds=False)
    assert one is not None
    assert other is not None
    assert one.digest("cp311", "linux") == other.digest("cp311", "linux")
    assert one.digest("cp312", "linux") != one.digest("cp311", "linux")
    assert one.digest("cp311", "musl") != one.digest("cp311", "linux")

"""What is taken is written anew, so pip is never shown anything else."""

import contextlib
import re

import pytest
from hypothesis import given

from attacca.control.core.packages.requirements import Reading, parse
from attacca.errors import BadRequest
from tests.cases import each
from tests.control.core.packages.lines import TEXTS


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


@each(
    "line, reason",
    [
        ("-r /etc/passwd", "leads out"),
        ("-r", "name of one file"),
        ("-r base.txt -e .", "name of one file"),
        ("-r base.txt --hash=sha256:00", "hash belongs"),
        ("--requirement=https://h/base.txt", "not fetched"),
        ("-c ../bounds.txt", "leads out"),
        ("-c a/../../bounds.txt", "leads out"),
        ("-r ~/base.txt", "leads out"),
        ("-r a/..", "directory"),
        ("-r '../a b.txt'", "leads out"),
        ("-r nowhere.txt", "no file nowhere.txt in the function"),
        ("--no-binary=:all:", "only wheels"),
        ("--only-binary", "no names"),
        ("numpy=1.26=py311h64a7726_0", "conda"),
        ("numpy=1.26", "conda"),
        ("idna @ file:///home/conda/feedstock/idna", "file of the machine"),
        ("-e ./lib", "option -e"),
        ("-e git+https://h/x#egg=x", "would have to be built"),
        ("-e https://h/a-1-py3-none-any.whl", "option -e"),
        ("git+https://h/x", "needs the name"),
        ("https://h/x.tar.gz", "needs the name"),
        ("https://h/x.tar.gz#egg=x", "wheel"),
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
        ("--index-url --no-binary", "no http or https address"),
        ("--index-url", "--index-url stands alone"),
        ("a ; python_version > '3' \\ ", "backslashes"),
        ('a @ https://h/x.tar.gz\t; platform_machine != "x.whl?"', "wheel"),
        ("a @ https://h/x-1-py3-none-any.whl\xa0;x.tar.gz", "address"),
        ("o.zip", "file of the server"),
        ("o.Tar.GZ[extra]", "file of the server"),
        ("flask===1.whl ; os_name == 'posix'", "file of the server"),
        ("-i file:///srv/simple", "no http or https address"),
        ("-i /srv/simple", "no http or https address"),
        ("-ifile:///srv/simple", "option -ifile"),
        ("-rfile:///srv/base.txt", "not fetched"),
        ("--index-url='file:///srv'", "no http or https address"),
        ("--index-u https://h/simple", "option --index-u"),
        ("--extra-index-url=FILE://h/simple", "no http or https address"),
        ("--no-index", "option --no-index"),
        ("-f https://h/links", "option -f"),
        ("-i https://h/${HOME}", "variables"),
        ("-i https://h/simple --hash=sha256:00", "hash belongs"),
        ("a ; os_name == 'x' -c /etc/passwd", "options after"),
        ("a ; os_name == 'x -e .'", "options after"),
        ("a ; __import__('os')", "marker"),
        ("a ;", "marker"),
        ("a ; os_name == 'x' and", "marker"),
        ("a ; (os_name == 'x'", "marker"),
        ("a>=one", "not a version"),
        ("a>=1.*", "not a version"),
        ("a\x0b-i file:///srv", "control"),
        ("a  # harmless \u2028-i file:///srv", "control"),
        ("a\r-r /etc/passwd", "control"),
        ("a\x85", "control"),
        ("\uff41==1", "ASCII"),
        ("a==\u0661", "ASCII"),
        ("a==1 \\\n -r /etc/passwd", "options after"),
        ("a" * 3000, "characters"),
        ("a @ https://h/.whl", "wheel"),
        ("a @ https://h/x.tar.gz%2f.whl", "wheel"),
    ],
)
def test_what_would_run_code_or_read_files_here_is_refused(line: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        lines(f"flask\n{line}\n")


def test_sources_are_taken_where_building_is_allowed() -> None:
    assert lines("a @ git+https://h/x@v1", allow_source_builds=True) == ("a @ git+https://h/x@v1",)


@each(
    "line, written",
    [
        ("https://h/my_shop-1.0-py3-none-any.whl", "my_shop @ https://h/my_shop-1.0-py3-none-any.whl"),
        ("https://h/a-1-py3-none-any.whl ; os_name == 'x'", "a @ https://h/a-1-py3-none-any.whl ; os_name == 'x'"),
        ("git+https://h/x.git@v1#egg=x", "x @ git+https://h/x.git@v1"),
        ("-e git+https://h/x@0123#egg=x[a]&subdirectory=y", "x[a] @ git+https://h/x@0123#subdirectory=y"),
        ("git+https://h/x#subdirectory=y&egg=x", "x @ git+https://h/x#subdirectory=y"),
    ],
)
def test_an_address_that_says_its_name_is_written_with_it(line: str, written: str) -> None:
    assert lines(line, allow_source_builds=True) == (written,)


def test_the_digest_depends_on_what_is_installed_and_for_whom() -> None:
    one, other = parse("a\nb # x", allow_source_builds=False), parse("b\n\na\na", allow_source_builds=False)
    assert one is not None
    assert other is not None
    assert one.digest("cp311", "linux") == other.digest("cp311", "linux")
    assert one.digest("cp312", "linux") != one.digest("cp311", "linux")
    assert one.digest("cp311", "musl") != one.digest("cp311", "linux")


def test_a_refusal_names_the_line_and_says_what_to_write() -> None:
    with pytest.raises(BadRequest) as caught:
        parse("flask\n# \\\nnumpy \\\n  ==1\n\n-i file:///x\n", allow_source_builds=False)
    assert "line 6" in caught.value.message
    assert "--index-url https://" in caught.value.hint


def test_credentials_are_not_repeated() -> None:
    with pytest.raises(BadRequest) as caught:
        parse("a @ http://one:secret@h/x.whl\n", allow_source_builds=False)
    assert "secret" not in caught.value.message


def test_it_is_written_anew() -> None:
    text = (
        "Flask [async,  env] >= 3 , < 4;python_version<'3.12'and(os_name=='posix')   --hash=sha256:0 --hash=sha256:f\n"
        "x\\\n==1\n# a comment \\\ny (>=2)\n-i\thttps://h/simple\n"
        "z@https://h/z-1-py3-none-any.whl#sha256=00  ; extra == 'a'"
    )
    assert lines(text) == (
        "Flask[async,env]>=3,<4 ; python_version < '3.12' and ( os_name == 'posix' ) --hash=sha256:0 --hash=sha256:f",
        "x==1",
        "y>=2",
        "--index-url https://h/simple",
        "z @ https://h/z-1-py3-none-any.whl#sha256=00 ; extra == 'a'",
    )


OPTION = re.compile(r"--pre|--prefer-binary|--require-hashes|(--index-url|--extra-index-url) https?://[!-~]+")
PACKAGE = re.compile(r"[A-Za-z0-9][!-~]*( @ https://[!-~]+)?( ;( [!-~]+)+?)?( --hash=sha\d{3}:[0-9a-f]+)*")


@given(TEXTS)
def test_whatever_is_taken_has_one_of_few_shapes(text: str) -> None:
    try:
        found = parse(text, allow_source_builds=False)
    except BadRequest:
        return
    for line in () if found is None else found.lines:
        assert OPTION.fullmatch(line) or PACKAGE.fullmatch(line)
        assert "file:" not in line
        dashed = [word for word in line.split(" ")[1:] if word.startswith("-")]
        assert all(word.startswith("--hash=") for word in dashed)
        again = parse(line, allow_source_builds=False)
        assert again is None or again.lines == (line,)


@pytest.mark.long
@pytest.mark.parametrize(
    "text", ["a" + "-" * 200_000, " " * 200_000 + "#", "a" + " --hash=sha256:00" * 15_000, "a ;" + "(" * 1990]
)
def test_what_is_long_takes_no_long_time(text: str) -> None:
    """Were it looked at again for each of its signs, this would not end."""
    with contextlib.suppress(BadRequest):
        parse(text, allow_source_builds=False)


def files(**texts: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of `requirements.txt` and others; `requirements__base` is requirements/base.txt."""
    named = {name.replace("__", "/") + ".txt": text for name, text in texts.items()}
    found = parse(named["requirements.txt"], allow_source_builds=False, read=named.get)
    assert found is not None
    return found.lines, found.constraints


def test_other_files_are_read_from_where_they_are_named() -> None:
    assert files(
        requirements="-r requirements/base.txt\nflask\n-cbounds.txt\n",
        requirements__base="--requirement=more.txt\n--constraint ../bounds.txt\n--pre\n",
        requirements__more='idna ; python_version > "3"\n-c "./../bounds.txt"\n',
        bounds="idna==3.7 --hash=sha256:00\nuvicorn[standard]<1\n-i https://h/simple\n-c deeper.txt\n",
        deeper="flask<4",
    ) == (
        ('idna ; python_version > "3"', "--index-url https://h/simple", "--pre", "flask"),
        ("idna==3.7 --hash=sha256:00", "uvicorn<1", "flask<4"),
    )


def test_a_file_that_two_name_is_read_once_and_may_require_and_bound() -> None:
    found = files(requirements="-r a.txt\n-r b.txt\n-c c.txt", a="-r c.txt", b="-r c.txt", c="idna==3.7")
    assert found == (("idna==3.7",), ("idna==3.7",))


@pytest.mark.long
@each(
    "texts, said",
    [
        ({"requirements": "-r a.txt", "a": "-r b.txt", "b": "\n-r a.txt"}, "b.txt, line 2: '-r a.txt': .*circle: "),
        ({"requirements": "-r requirements.txt"}, "circle"),
        ({"requirements": "-c a.txt", "a": "-r b.txt", "b": "x"}, "a.txt, line 1: .*only bound"),
        ({"requirements": "-r a.txt", "a": "x\n\n-e lib"}, "a.txt, line 3: '-e lib': .*in place"),
        ({"requirements": "-r d/a.txt", "d__a": "-r ../../x.txt"}, "d/a.txt, line 1: .*leads out"),
        ({"requirements": "".join(f"-r f{n}.txt\n" for n in range(60)), **{f"f{n}": "" for n in range(60)}}, "50"),
        ({"requirements": "-r a.txt\n-r b.txt", "a": "x\n" * 1500, "b": "y\n" * 1500}, "b.txt, line 499: .*2000 lines"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_another_file_names_that_file(texts: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        files(**texts)


def test_constraints_are_part_of_the_digest() -> None:
    one, other, same = (
        parse("-c c.txt\nidna", allow_source_builds=False, read={"c.txt": text}.get)
        for text in ("idna==3.7", "idna==3.6", "idna == 3.7")
    )
    plain = parse("idna", allow_source_builds=False)
    assert one is not None
    assert other is not None
    assert plain is not None
    digests = [found.digest("cp311", "linux") for found in (one, other, plain)]
    assert len(set(digests)) == 3
    assert same == one


def test_what_pip_freeze_writes_on_debian_and_what_holds_anyway_is_passed_over() -> None:
    reading = Reading(lambda _: None, allow_source_builds=False)
    reading.take("pkg-resources==0.0.0\n--only-binary=:all:\nidna>=3,\n", "requirements.txt")
    found = reading.found()
    assert found is not None
    assert found.lines == ("idna>=3",)
    assert reading.notes == [
        "requirements.txt, line 1: pkg-resources==0.0.0 is passed over: no package of that name can be installed: "
        "Debian's pip lists it by mistake"
    ]
    assert lines("--only-binary numpy,scipy\nx", allow_source_builds=True) == ("--only-binary numpy,scipy", "x")
    assert lines("--require-hashes\nx==1 --hash=sha256:00") == ("--require-hashes", "x==1 --hash=sha256:00")

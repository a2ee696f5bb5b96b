"""A requirements.txt, with what it names, a pyproject.toml and a script's header: of whatever we let through, pip's own
parser sees packages by name and wheels by https alone."""

import contextlib
import io
import logging
import re
import shutil
import tempfile
from optparse import Values
from pathlib import Path
from random import Random
from typing import Any, cast
from urllib.parse import urlsplit

from pip._internal.exceptions import PipError
from pip._internal.req.constructors import install_req_from_line
from pip._internal.req.req_file import RequirementsFileParser, get_line_parser
from pip._internal.utils.temp_dir import global_tempdir_manager

from attacca.control.core.packages.requirements import parse
from attacca.control.deploy.manifest import find
from attacca.errors import BadRequest
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import UNICODE, mutate

BUILDING = b"source builds\n"  # the first line of an input that may build
ALLOWED = {"index_url", "extra_index_urls", "pre", "prefer_binary", "require_hashes"}
FILES = ("requirements.txt", "a.txt", "d/b.txt", "d/a.txt", "pyproject.toml", "main.py", "setup.py", "uv.lock")
MARK = re.compile(rb"^=== (\S+)\n", re.MULTILINE)  # what follows is in another file
HASH = "--hash=sha256:" + "0" * 64
PIECES = (
    *("flask", "Flask_RESTful", "a", "a.b-c_d", "foo.zip", "foo.whl", "x-1-py3-none-any.whl", "foo.tar.gz", ".",
      "..", "./a"),
    *("/etc/passwd", "~/x", "a/b", "[extra]", "[a,b]", "[", "==1.0", ">=1,<2", "~=1.0", "===x", "==1.*", " == 1 ",
      "(>=1)"),
    *("@", " @ ", "https://h/x-1-py3-none-any.whl", "https://h/x.tar.gz", "http://h/x-1-py3-none-any.whl",
      "file:///etc/x"),
    *("git+https://h/x@v1", "git+ssh://h/x", "https://u:p@h/x-1-py3-none-any.whl#sha256=00", "#egg=x",
      "&subdirectory=y"),
    *(";", " ; ", "python_version < '3.12'", "extra == 'x'", " # note", "#", "\\\n", "\\", "${HOME}", "$HOME",
      "%(HOME)s"),
    *(HASH, "--hash=md5:0", "--pre", "--prefer-binary", "-r", "-c", "-e", "-i", "-f", "--index-url",
      "--extra-index-url"),
    *("--no-index", "--trusted-host", "--find-links", "--no-binary", ":all:", "--only-binary", "--global-option",
      "--config-settings"),
    *("--requirement", "--editable", "--constraint", "--use-feature", "--require-hashes", "--no", "--in", "--ex=",
      "=", " ", "\t", "\n"),
    *("\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", '"', "'", "-*- coding: utf-7 -*-",
      "# coding: utf-16\n", "+AC8-"),
    *("-r a.txt\n", "-r d/b.txt\n", "-c a.txt\n", "-r ../b.txt", "-r ../outside", "-c ./d/../a.txt", "-ra.txt",
      "=== a.txt\n", "=== d/b.txt\n", "=== pyproject.toml\n", "=== main.py\n", "--require-hashes", "a=1.0=py3_0",
      "pkg-resources==0.0.0"),
    *("[project]\n", 'dependencies = ["idna"]\n', 'dependencies = ["', '"]\n', 'requires-python = ">=3.9"\n',
      'dynamic = ["dependencies"]\n', '[tool.setuptools.dynamic]\ndependencies = {file = "a.txt"}\n',
      "[tool.poetry.dependencies]\n", 'x = "^1.2"\n', 'python = "~3.11"\n', "[tool.uv.sources]\n",
      "x = {path = '..'}\n"),
    *("# /// script\n", "# dependencies = ['idna']\n", "# ///\n", "# "),
    *("--index-url=file:///etc", "-ifile:///etc", "-i http://h/simple", "--extra-index-url=/tmp", "https://h/simple"),
)  # fmt: skip
SOUND = (
    "-r d/b.txt\nflask\n=== d/b.txt\n-c ../a.txt\nidna\n=== a.txt\nidna==3.7\n",
    "=== pyproject.toml\n[project]\nrequires-python = '>=3.8'\ndependencies = [\n  'idna==3.7',\n  'a[b]>=1',\n]\n",
    "=== pyproject.toml\n[project]\ndynamic = ['dependencies']\n[tool.setuptools.dynamic]\n"
    "dependencies = {file = 'a.txt'}\n=== a.txt\nidna\n",
    "=== pyproject.toml\n[tool.poetry.dependencies]\npython = '^3'\nidna = '^3.7'\nx = {version='~1', extras=['a']}\n",
    "=== main.py\n# /// script\n# dependencies = ['idna==3.7']\n# ///\nimport idna\n",
    "flask\n",
    "flask==3.0 # web\nnumpy>=1.26,<3\n",
    "uvicorn[standard]>=0.30 ; python_version < '4'\n",
    f"x==1.0 \\\n  {HASH}\n",
    "p @ https://host.example/p-1-py3-none-any.whl\n--pre\n",
    "--index-url https://pypi.example/simple\nflask\n",
    "".join(
        f"package-{number}[extra]>={number}.0,<{number + 1} ; python_version < '4'  # why\n" for number in range(150)
    ),
)


class Surprise(Exception):
    """pip wanted more than the file that it was given."""


class Session:
    """Opens nothing: a requirements file that pip is given may not lead to another."""

    def get(self, url: str, **_: object) -> None:
        raise Surprise(f"pip would fetch {url!r}")


class Files(Door):
    name = "requirements"
    words = tuple(piece.encode() for piece in PIECES)

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        self._listed = self._room / "requirements.txt"
        self._code = self._room / "code"
        (self._room / "outside").write_text("outside==1\n")
        (self._room / "b.txt").write_text("outside==1\n")
        self._session = Session()
        logging.getLogger("pip").setLevel(logging.CRITICAL)

    def close(self) -> None:
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        return [*(text.encode() for text in SOUND), BUILDING + b"a @ git+https://h/x@v1\n"]

    def traps(self) -> list[bytes]:
        lines = [f"{piece}\n".encode() for piece in PIECES]
        lines += [f"flask{piece}\n".encode() for piece in (*PIECES, *UNICODE)]
        lines += [
            b"a\n" * 2001,
            b"a;" + b"(" * 8000,
            b"a" + b"[" * 8000,
            b"a" + b" " * 16000 + b"!",
            b"a==" + b"1." * 8000,
        ]
        return [prefix + line for prefix in (b"", BUILDING) for line in lines]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.6:
            text = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 9)))
            return (BUILDING if chance.random() < 0.2 else b"") + text.encode()
        return mutate(chance, corpus, self.words)[: self.largest]

    def check(self, data: bytes) -> str:
        may_build = data.startswith(BUILDING)
        try:
            self._write(data.removeprefix(BUILDING))
            told = find(self._code, "3.11.7", allow_source_builds=may_build)
        except BadRequest as error:
            return refusal(error)
        finally:
            shutil.rmtree(self._code)
        found = told.requirements
        assert all(note.isprintable() and len(note) < 2500 for note in told.notes), "a note is not for a screen"
        if found is None:
            return "nothing required"
        assert not any("outside" in line for line in (*found.lines, *found.constraints)), "a file outside was read"
        assert not any(line.startswith("-") for line in found.constraints), "a constraint is an option"
        again = parse("\n".join(found.lines), allow_source_builds=may_build)
        assert again is not None, "what was written anew is read as nothing"
        assert again.lines == found.lines, "what was written anew is read otherwise"
        self._as_pip_reads_it(found.lines, may_build=may_build)
        self._as_pip_reads_it(found.constraints, may_build=may_build)
        return "taken"

    def _write(self, data: bytes) -> None:
        """The first part is requirements.txt, unless it is empty."""
        first, *rest = MARK.split(data)
        self._code.mkdir()
        (self._code / "d").mkdir()
        if first or not rest:
            (self._code / "requirements.txt").write_bytes(first)
        for name, content in zip(rest[::2], rest[1::2], strict=True):
            if name.decode(errors="replace") in FILES:
                (self._code / name.decode()).write_bytes(content)

    def _as_pip_reads_it(self, lines: tuple[str, ...], *, may_build: bool) -> None:
        self._listed.write_text("\n".join([*lines, ""]))
        reads, packages = get_line_parser(None), []

        def read(line: str) -> tuple[str, Values]:
            package, options = reads(line)
            harmless(package, {name: value for name, value in vars(options).items() if value}, may_build=may_build)
            packages.extend([package] if package else [])
            return package, options

        try:
            with global_tempdir_manager(), contextlib.redirect_stderr(io.StringIO()):
                parsed = list(
                    RequirementsFileParser(cast(Any, self._session), read).parse(str(self._listed), constraint=False)
                )
        except (PipError, ValueError, RecursionError):
            return  # pip ends without having installed anything, and who deploys it is told
        assert len(parsed) == len(lines), "pip finds lines that we did not see"
        assert len(packages) == sum(not line.startswith("-") for line in lines), "pip finds other packages"


def harmless(package: str, given: dict[str, Any], *, may_build: bool) -> None:
    """One line as pip understands it: a package and its hashes, or an option about where packages come from."""
    allowed = {"hashes"} if package else ALLOWED
    default = {"format_control"}
    assert set(given) - default <= allowed, f"{sorted(set(given) - default)} come through"
    for address in (given.get("index_url"), *given.get("extra_index_urls", ())):
        assert address is None or urlsplit(address).scheme in ("https", "http"), "an index is not on the web"
    link = install_req_from_line(package).link if package else None
    if link is not None:
        assert link.scheme in ("https", "git+https"), f"pip would install from {link.scheme}:"
        assert may_build or (link.scheme == "https" and link.is_wheel), "pip would build it"

"""A requirements.txt: of whatever we let through, pip's own parser sees packages by name and wheels by https alone."""

import contextlib
import io
import logging
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

from attacca.control.core.requirements import Requirements, parse
from attacca.errors import BadRequest
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import UNICODE, mutate

BUILDING = b"source builds\n"  # the first line of an input that may build
ALLOWED = {"index_url", "extra_index_urls", "pre", "prefer_binary"}
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
    *("--index-url=file:///etc", "-ifile:///etc", "-i http://h/simple", "--extra-index-url=/tmp", "https://h/simple"),
)  # fmt: skip
SOUND = (
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
            text = data.removeprefix(BUILDING).decode("utf-8-sig")
        except UnicodeDecodeError:
            return "refused: not UTF-8"
        try:
            found = parse(text, allow_source_builds=may_build)
        except BadRequest as error:
            return refusal(error)
        if found is None:
            return "nothing required"
        self._as_pip_reads_it(found, may_build=may_build)
        return "taken"

    def _as_pip_reads_it(self, found: Requirements, *, may_build: bool) -> None:
        self._listed.write_text("\n".join([*found.lines, ""]))
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
        assert len(parsed) == len(found.lines), "pip finds lines that we did not see"
        assert len(packages) == sum(not line.startswith("-") for line in found.lines), "pip finds other packages"


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

"""Compile the cores with mypyc, each as its own module beside its source, all in one group.

python -m scripts.compile     in this checkout; scripts/hatch_build.py does it for wheels

Which they are is in pyproject.toml, under tool.attacca.compiled.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
INTO = Path("build", "cores")  # from the root
MADE_FROM = "made-from"  # beside what is built: a digest of all that it follows from
GROUP = "attacca.cores"  # the code of all of them is in attacca/cores__mypyc.*.so
OPTIMISED = os.environ.get("CORES_OPTIMISED", "2")  # less of it compiles in half the time, for trying them out
KEPT = Path(__file__).with_name("kept.h")  # how what is looked up by name is kept
NAME = re.compile(  # of a module, looked up
    r"^( *(\w+) = CPyStatic_\w+___globals;\n *(\w+) = CPyStatics\[\d+\];.*\n *\w+ = )CPyDict_GetItem\(\2, \3\);",
    re.MULTILINE,
)
ATTRIBUTE = re.compile(  # of that name, and of no other
    r"^( *(\w+) = CPyStatics\[\d+\];.*\n *\w+ = )CPyObject_GetAttr\((\w+, )\2\);", re.MULTILINE
)
INCLUDED = re.compile(r"((?:^#include .*\n)+)", re.MULTILINE)
KEYWORDS = re.compile(r"^class (\w+)\([^:]*=", re.MULTILINE)
CLOSURE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("attacca") and module.__file__))
"""


@cache
def told(root: Path = ROOT) -> Mapping[str, Any]:
    with (root / "pyproject.toml").open("rb") as file:
        compiled: Mapping[str, Any] = tomllib.load(file)["tool"]["attacca"]["compiled"]
    return compiled


def wanted(root: Path = ROOT) -> Iterator[Path]:
    """Every module that decides something, and what all invocations pass, from the root."""
    for place in (*told(root)["pure"], *told(root)["hot"]):
        found = sorted((root / place).rglob("*.py")) if (root / place).is_dir() else [root / place]
        yield from (path.relative_to(root) for path in found if path.name != "__init__.py")


def why_not(path: Path, root: Path = ROOT) -> str:
    """Why a module stays as it is; empty if it is compiled."""
    for place, why in told(root)["left-out"].items():
        if path.is_relative_to(place):
            return str(why)
    has_keywords = KEYWORDS.search((root / path).read_text())
    return f"{has_keywords[1]} has keywords in its class statement, which mypyc drops" if has_keywords else ""


@cache
def modules(root: Path = ROOT) -> list[str]:
    return [str(path) for path in wanted(root) if not why_not(path, root)]


def lacks() -> list[str]:
    """What must be there before anything can be compiled, and is not, as Debian's packages."""
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    packages = [] if shutil.which(command) else ["gcc", "libc6-dev"]
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        packages.append(f"python3.{sys.version_info.minor}-dev")
    return packages


def ingredients(root: Path) -> str:
    """A digest of all that the extensions follow from: the sources, how they are built, compilers and interpreter."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC")
    digest = hashlib.sha256(
        repr([sys.version, sysconfig.get_platform(), version("mypy"), compiler, OPTIMISED]).encode()
    )
    digest.update(Path(__file__).read_bytes() + KEPT.read_bytes())
    for path in [root / "pyproject.toml", *sorted((root / "attacca").rglob("*.py"))]:
        source = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(source)}\n".encode() + source)
    return digest.hexdigest()


def built(root: Path, make: Callable[[Path, Path], None] | None = None) -> tuple[Path, list[Path]]:
    """Where the extensions lie as they do in the tree, and their paths from there. Of the same they are made once, for
    wheels and for the checkout.
    """
    into = root / INTO
    stamp, lib, made_from = into / MADE_FROM, into / "lib", ingredients(root)
    if not stamp.is_file() or stamp.read_text() != made_from:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(lib, ignore_errors=True)
        (make or build)(root, into)
        stamp.write_text(made_from)
    return lib, sorted(path.relative_to(lib) for path in lib.rglob("*.so"))


def keeping(code: str) -> str:
    """The C of a module that keeps what it has looked up by name, as `kept.h` does it."""
    code = NAME.sub(r"\1KEPT_NAME(\2, \3);", code)
    code = ATTRIBUTE.sub(r"\1KEPT_ATTRIBUTE(\3\2);", code)
    code = code.replace(" = PyObject_VectorcallMethod(", " = KEPT_METHOD(")
    return INCLUDED.sub(r"\1#include <kept.h>\n", code, count=1)


def build(root: Path, into: Path) -> None:
    """The extensions, under `into/lib`.

    Raises:
        SystemExit: mypyc does not take a module; it has said why.
        CompileError: the C compiler failed.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    os.chdir(root)  # where mypy finds its settings
    extensions = mypycify(
        ["--follow-imports=silent", *modules(root)],
        opt_level=OPTIMISED,
        debug_level="0",
        multi_file=True,
        target_dir=str(into / "c"),
        group_name=GROUP,
    )
    for extension in extensions:
        extension.include_dirs.append(str(into / "c" / GROUP.partition(".")[0]))
        extension.include_dirs.append(str(KEPT.parent))
    for path in (into / "c").glob("__native_*.c"):
        path.write_text(keeping(path.read_text()))

    class Build(build_ext):
        """On all processors: setuptools compiles the files of one extension one after the other."""

        def build_extensions(self) -> None:
            compile_all = self.compiler.compile

            def compile_at_once(sources: list[str], **given: Any) -> list[str]:
                with ThreadPoolExecutor(os.cpu_count()) as pool:
                    return [
                        path for made in pool.map(lambda one: compile_all([one], **given), sources) for path in made
                    ]

            self.compiler.compile = compile_at_once
            super().build_extensions()

    command = Build(Distribution({"name": GROUP, "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(into / "lib"), str(into / "o")
    command.ensure_finalized()
    command.run()


def remove(root: Path) -> None:
    """What was compiled in this checkout before."""
    for path in [root / "attacca" / "cores.sums", *(root / "attacca").rglob("*.so")]:
        path.unlink(missing_ok=True)


def write_sums(root: Path) -> None:
    """Of all that they are made from: themselves, and what they import."""
    from attacca.cores import ASKED, PYTHON, SUMS, sum_of

    names = [path.removesuffix(".py").replace("/", ".") for path in modules(root)]
    environment = {**os.environ, ASKED: PYTHON}
    found = subprocess.run(
        [sys.executable, "-c", CLOSURE, *names], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    package = root / "attacca"
    lines = [sum_of(path, str(Path(path).relative_to(package))) for path in sorted(found.stdout.split())]
    (package / SUMS).write_text("".join(lines))


def main() -> None:
    if packages := lacks():
        subprocess.run([ROOT / "scripts" / "debian.sh", *packages], check=False)
    if lacks():
        sys.exit(f"Nothing can be compiled here. Try, as root: apt-get install {' '.join(lacks())}")
    remove(ROOT)
    lib, paths = built(ROOT)
    for path in paths:
        shutil.copy2(lib / path, ROOT / path)
    write_sums(ROOT)
    sys.stdout.write(f"Compiled {len(paths) - 1} modules, beside their source; `make clean` removes them.\n")


if __name__ == "__main__":
    main()

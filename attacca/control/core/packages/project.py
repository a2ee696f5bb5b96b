"""What a pyproject.toml, or the header of a script, says that the code requires."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from attacca.control.core.packages import poetry
from attacca.control.core.packages.python import holds
from attacca.errors import BadRequest

PYPROJECT = "pyproject.toml"
HEADS = ("main.py", "app.py", "handler.py", "lambda_function.py", "function.py", "index.py", "__main__.py")
MOST = 2000  # entries of one list
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NAME = re.compile(r"[A-Za-z0-9._-]+")
AS_LIST = 'write it as dependencies = ["name==version"]'
AS_FILE = "requirements.txt says it for every tool: uv export --format requirements-txt -o requirements.txt"
BY_POETRY = "poetry export -o requirements.txt writes what a server can read"


class Entry(msgspec.Struct, frozen=True):
    where: str
    line: str


class Declared(msgspec.Struct, frozen=True):
    """What one file declares. A file without entries and files leaves the question open."""

    name: str
    entries: tuple[Entry, ...] = ()
    files: tuple[str, ...] = ()  # of requirements, that it names instead
    python: str = ""
    notes: tuple[str, ...] = ()

    def says_something(self) -> bool:
        return bool(self.entries or self.files)


def read_pyproject(text: str) -> Declared:
    """
    Raises:
        BadRequest: it is no TOML, or what it requires cannot be had from an index.
    """
    tree = _tree(text, PYPROJECT)
    project, tool = _table(tree, "project"), _table(tree, "tool")
    if "dependencies" in project:
        entries = _listed(project["dependencies"], PYPROJECT, text, "project.dependencies")
        _expect_index(entries, tool, PYPROJECT)
        return Declared(
            PYPROJECT, (*_indexes(tool, PYPROJECT), *entries), (), _text(project.get("requires-python")), _left(tree)
        )
    if "dependencies" in _as_list(project.get("dynamic")):
        files = _dynamic(tool)
        note = f"{PYPROJECT}: its dependencies are dynamic, and are not found; {AS_FILE}"
        return Declared(PYPROJECT, (), files, _text(project.get("requires-python")), () if files else (note,))
    wanted = _table(_table(tool, "poetry"), "dependencies")
    if wanted:
        return _of_poetry(wanted, _table(tool, "poetry"), text)
    return Declared(PYPROJECT, python=_text(project.get("requires-python")))


def read_script(text: str, name: str) -> Declared | None:
    """The header of a single file, `# /// script` (PEP 723), if it has one.

    Raises:
        BadRequest: as above.
    """
    blocks = _blocks(text)
    if not blocks:
        return None
    if len(blocks) > 1:
        raise BadRequest(f"{name} has {len(blocks)} headers `# /// script`", "leave one of them")
    tree = _tree(blocks[0], f"the header of {name}")
    entries = _listed(tree.get("dependencies", []), name, text, "dependencies")
    tool = _table(tree, "tool")
    _expect_index(entries, tool, name)
    return Declared(name, (*_indexes(tool, name), *entries), (), _text(tree.get("requires-python")))


def expect_python(declared: Declared, python: str) -> None:
    """
    Raises:
        BadRequest: it asks for another Python than the server has.
    """
    if declared.python and holds(declared.python, python) is False:
        raise BadRequest(
            f"{declared.name} requires Python {declared.python[:80]!r}, and this server runs functions with {python}",
            "change requires-python if the code runs there too, or start attacca with such a Python",
        )


def _tree(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise BadRequest(f"{name} is not valid TOML: {str(error)[:200]}", f"correct {name} at that place") from None
    except RecursionError:
        raise BadRequest(f"{name} is nested too deeply", "a project's name and lists need a level or two") from None


def _listed(found: object, name: str, text: str, key: str) -> tuple[Entry, ...]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadRequest(f"{name}: {key} is no list of texts", AS_LIST)
    if len(found) > MOST:
        raise BadRequest(f"{name}: {key} has more than {MOST} entries", "list what the function imports")
    lines = text.splitlines()
    entries = []
    at = 0
    for one in found:
        here = next((number for number in range(at, len(lines)) if one in lines[number]), None)
        at = at if here is None else here
        where = f"{name}, {key}" if here is None else f"{name}, line {here + 1}"
        if one.strip().startswith(("-", "#")):
            raise BadRequest(f"{where}: {one[:80]!r} is not the name of a package", AS_LIST)
        entries.append(Entry(where, one))
    return tuple(entries)


def _expect_index(entries: tuple[Entry, ...], tool: Mapping[str, Any], name: str) -> None:
    """A package of the same name from the public index is not what was meant."""
    elsewhere = {_normal(key) for key in _table(_table(tool, "uv"), "sources")}
    for entry in entries:
        found = NAME.match(entry.line.strip())
        if found and _normal(found[0]) in elsewhere:
            raise BadRequest(
                f"{entry.where}: tool.uv.sources says that {found[0]} comes from elsewhere, which is not read",
                "put it into requirements.txt as `name @ https://host/name-1.0-py3-none-any.whl`, or with an index",
            )


def _indexes(tool: Mapping[str, Any], name: str) -> tuple[Entry, ...]:
    """The one that stands in for the public index. A second one is asked first there, and with others here."""
    entries = []
    for index in _as_list(_table(tool, "uv").get("index")):
        if not isinstance(index, dict) or index.get("explicit") is True:
            continue
        if index.get("default") is not True:
            raise BadRequest(
                f"{name}: a second index of tool.uv.index is not read",
                "requirements.txt takes it: --extra-index-url https://...",
            )
        entries.append(Entry(f"{name}, tool.uv.index", f"--index-url {_text(index.get('url'))}"))
    return tuple(entries[:1])


def _dynamic(tool: Mapping[str, Any]) -> tuple[str, ...]:
    """Files that the build tool would read."""
    setuptools = _table(_table(_table(tool, "setuptools"), "dynamic"), "dependencies").get("file")
    hooks = _table(_table(_table(tool, "hatch"), "metadata"), "hooks")
    hatch = _table(hooks, "requirements_txt")
    named = (
        setuptools if setuptools is not None else hatch.get("files", [hatch["filename"]] if "filename" in hatch else [])
    )
    listed = [named] if isinstance(named, str) else _as_list(named)
    return tuple(one for one in listed if isinstance(one, str))[:50]


def _of_poetry(wanted: Mapping[str, Any], table: Mapping[str, Any], text: str) -> Declared:
    if any(isinstance(one, dict) and "url" in one for one in _as_list(table.get("source"))):
        raise BadRequest(f"{PYPROJECT}: tool.poetry.source is not read", BY_POETRY)
    entries: list[Entry] = []
    bounds = ""
    for name, asked in list(wanted.items())[:MOST]:
        where = f"{PYPROJECT}, tool.poetry.dependencies.{name[:80]}"
        try:
            if name.lower() == "python":
                bounds = poetry.versions(asked)
                continue
            line = poetry.requirement(name, asked)
        except poetry.Unknown as unknown:
            raise BadRequest(f"{where}: {unknown}", BY_POETRY) from None
        if PACKAGE.fullmatch(name) is None:
            raise BadRequest(f"{where}: this is not the name of a package", BY_POETRY)
        entries += [Entry(where, line)] if line is not None else []
    return Declared(PYPROJECT, tuple(entries), (), bounds)


def _left(tree: Mapping[str, Any]) -> tuple[str, ...]:
    left = [
        key
        for key, table in (("optional-dependencies", _table(tree, "project")), ("dependency-groups", tree))
        if table.get(key)
    ]
    return (f"{PYPROJECT}: {' and '.join(left)} are not installed, dependencies are",) if left else ()


def _blocks(text: str) -> list[str]:
    """A block ends at the last `# ///` of its comment."""
    found: list[str] = []
    block: list[str] | None = None
    for line in [*text.replace("\r\n", "\n").split("\n"), ""]:
        if block is None:
            block = [] if line.rstrip() == "# /// script" else None
        elif line == "#" or line.startswith("# "):
            block.append(line[2:])
        else:
            ends = [at for at, one in enumerate(block) if one.rstrip() == "///"]
            found += ["\n".join([*block[: ends[-1]], ""])] if ends else []
            block = [] if line.rstrip() == "# /// script" else None
    return found


def _table(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = tree.get(key)
    return found if isinstance(found, dict) else {}


def _as_list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

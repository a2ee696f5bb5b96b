"""The documents say what is so: commands and options exist, links lead somewhere, tables follow from the code."""

import re
import shlex
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from attacca.cli.app import VERBS, app, load
from attacca.kernel.registry import build
from attacca.policy.dispatch import DISPATCH
from attacca.policy.queueing import QUEUEING
from attacca.policy.queueing.types import Waiting
from scripts import docs

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`(attacca [^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
SHELL = ("", "sh", "bash", "console")
EVERYWHERE = {"--help", "-h"}

documents = pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)


def commands(text: str) -> list[str]:
    """Every `attacca ...` that a reader could type, whole lines and pieces of a sentence."""
    found = INLINE.findall(FENCE.sub("", text))
    for _, language, block in FENCE.findall(text):
        if language in SHELL:
            for line in block.replace("\\\n", " ").splitlines():
                typed = line.removeprefix("$ ").removeprefix(".venv/bin/")
                found += [part.strip() for part in re.split(r"&&|\||;", typed) if part.strip().startswith("attacca ")]
    return found


@cache
def options(verb: str) -> Any:
    """The verb's own options, or {verb: options} for one that has verbs of its own."""
    command: Any = load(verb)
    if hasattr(command, "commands"):
        return {name: flags(inner) for name, inner in command.commands.items()}
    return flags(command)


def flags(command: Any) -> set[str]:
    return EVERYWHERE | {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


@cache
def of_all() -> set[str]:
    return flags(typer.main.get_command(app))


def complaint(command: str) -> str:
    """What is wrong with it, or nothing."""
    words = shlex.split(command.split("  #")[0], comments=True)[1:]
    known: Any = of_all()
    if words and not words[0].startswith("-"):
        verb = words.pop(0)
        if verb not in VERBS:
            return f"there is no verb {verb!r}"
        known = options(verb)
    if isinstance(known, dict):
        if not words:
            return ""
        if words[0].startswith("-") and "run" in known:
            words.insert(0, "run")  # a plane that is started
        if words[0] not in known:
            return f"{verb} has no verb {words[0]!r}"
        known = known[words[0]]
    given = [word.split("=")[0].rstrip(".,") for word in words if re.match(r"--?[A-Za-z]", word)]
    unknown = [word for word in given if word not in known]
    return f"no option {', '.join(unknown)}" if unknown else ""


@documents
def test_every_command_exists(path: Path) -> None:
    wrong = {command: why for command in commands(path.read_text()) if (why := complaint(command))}
    assert wrong == {}


def test_every_verb_is_shown() -> None:
    shown = {command.split()[1] for path in DOCUMENTS for command in commands(path.read_text()) if " " in command}
    assert sorted(set(VERBS) - shown) == [], "write a line for it in docs/cli.md, or in docs/laboratory.md"


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", path.read_text()), re.MULTILINE)
    plain = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@documents
def test_every_link_inside_leads_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


@documents
def test_every_table_follows_from_the_code(path: Path) -> None:
    text = path.read_text()
    assert docs.refresh(text) == text, "run `make docs`"


@documents
def test_every_piece_of_python_compiles(path: Path) -> None:
    for _, language, block in FENCE.findall(path.read_text()):
        if language == "python":
            compile(block, str(path), "exec")


@documents
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [
        one for before in ("`", r"^\$? ?") for one in re.findall(rf"{before}make ([a-z-]+)", path.read_text(), re.M)
    ]
    assert sorted(set(named) - targets) == []


def without(text: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text


def test_the_admin_api_is_listed_whole() -> None:
    """Every route of the server, with its method, and no other."""
    places = ("routes", "async_routes", "code_routes", "history_routes", "run_routes", "worker_routes")
    of_control = [f"control/http/{name}.py" for name in places]
    files = (*of_control, "workflow/http.py", "workflow/domain_http.py", "federation/http.py")
    source = "".join((ROOT / "attacca" / file).read_text() for file in files)
    routes = re.findall(r'^@(get|post|put|delete)\(\s*"([^"]+)"', source, re.MULTILINE)
    served = [
        f"{method.upper()} {re.sub(':(str|path)', '', route).replace('token_id', 'id').replace('{call}', '{id}')}"
        for method, route in routes
    ]
    told = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /api/[^`]+)`", (ROOT / "docs/http.md").read_text()))
    assert sorted(told) == sorted(set(served))


def test_the_policy_that_is_shown_can_be_chosen() -> None:
    text = (ROOT / "docs/policies.md").read_text()
    block = next(block for _, language, block in FENCE.findall(text) if language == "python")
    module = types.ModuleType("humble")
    exec(block, vars(module))  # noqa: S102 - our own document
    sys.modules["humble"] = module
    try:
        policy = build(QUEUEING, "humble:Humble", {}, "attacca.policy.queueing")
    finally:
        del sys.modules["humble"]
    queue = policy.fresh()
    queue.push(0.0, Waiting("i1", "busy", 0.0, running=2))
    queue.push(1.0, Waiting("i2", "quiet", 1.0))
    first = queue.pop(2.0, lambda _: True)
    assert first is not None
    assert (first.item.id, first.why) == ("i2", "0 of it were running")


def test_a_wrong_command_is_found() -> None:
    assert complaint("attacca lst") == "there is no verb 'lst'"
    assert complaint("attacca list --yaml") == "no option --yaml"
    assert complaint("attacca list --json  # all of them") == ""


def test_what_is_said_to_be_tested_is() -> None:
    named = re.findall(r"`([\w/]*test_\w+\.py)`", (ROOT / "docs" / "isolation.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


def test_what_a_policy_does_is_told_to_the_end_of_its_sentence() -> None:
    told = [cells.split(" | ")[1] for cells in docs.policies(DISPATCH).splitlines()[2:]]
    assert [one for one in told if not one.endswith(".")] == []

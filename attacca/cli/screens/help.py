"""The help of a verb, laid out without rich: it is read often, and must come at once."""

import inspect
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from attacca.cli.screens.terminal import paint

WIDEST = 100
COLUMN = 30  # where explanations begin


def show(
    ctx: Any, command: Any, examples: Iterable[str] = (), commands: Mapping[str, list[tuple[str, str]]] | None = None
) -> None:
    """Usage, what it does, arguments, options by panel, verbs by panel, examples."""
    width = min(shutil.get_terminal_size().columns, WIDEST)
    out = sys.stdout
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = [ctx.command_path, "[OPTIONS]", *(param.metavar or param.name.upper() for param in arguments)]
    usage += ["COMMAND ..."] * bool(commands)
    lines = [f"{paint('Usage:', 'bold', out)} {' '.join(usage)}", "", *_paragraphs(command.help or "", width)]
    if arguments:
        rows = [(param.metavar or param.name.upper(), param.help or "") for param in arguments]
        lines += _section("Arguments", rows, width)
    for panel, verbs in (commands or {}).items():
        lines += _section(panel, verbs, width, column=14)
    for panel, options in _panels(command, ctx).items():
        lines += _section(panel, options, width)
    lines += _examples(list(examples))
    out.write("\n".join(lines).rstrip() + "\n")


def _paragraphs(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), width), ""]
    return lines


def _panels(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    panels: dict[str, list[tuple[str, str]]] = {"Options": []}
    for param in command.get_params(ctx):
        if param.param_type_name == "option" and not param.hidden:
            panel = panels.setdefault(getattr(param, "rich_help_panel", None) or "Options", [])
            panel.append((_spelling(param), _meaning(param)))
    return panels


def _spelling(param: Any) -> str:
    """`-e, --env K=V`: the short one first, as it is typed."""
    names = sorted(param.opts, key=len)
    text = ", ".join(names) if len(names[0]) == 2 else "    " + ", ".join(names)
    if param.secondary_opts:
        text += ", " + ", ".join(param.secondary_opts)
    return text if param.is_flag else f"{text} {param.metavar or param.name.upper()}"


def _meaning(param: Any) -> str:
    remarks = []
    if param.envvar:
        remarks.append(f"env: {param.envvar}")
    if param.show_default and param.default not in (None, "", False, [], ()):
        remarks.append(f"default: {param.default}")
    return f"{param.help or ''} [{'; '.join(remarks)}]" if remarks else param.help or ""


def _section(title: str, rows: list[tuple[str, str]], width: int, column: int = COLUMN) -> list[str]:
    lines: list[str] = [paint(title, "bold", sys.stdout)]
    for name, meaning in rows:
        wrapped = textwrap.wrap(meaning, max(width - column, 20)) or [""]
        head = f"  {name}"
        if len(head) >= column - 1:
            lines.append(paint(head, "cyan", sys.stdout))
            lines += [" " * column + line for line in wrapped]
        else:
            lines.append(paint(head, "cyan", sys.stdout) + " " * (column - len(head)) + wrapped[0])
            lines += [" " * column + line for line in wrapped[1:]]
    return [*lines, ""]


def _examples(examples: list[str]) -> list[str]:
    if not examples:
        return []
    lines: list[str] = [paint("Examples", "bold", sys.stdout)]
    for example in examples:
        command, mark, remark = example.partition("  # ")
        lines.append(f"  {paint('$', 'dim', sys.stdout)} {command}{paint(mark + remark, 'dim', sys.stdout)}")
    return [*lines, ""]

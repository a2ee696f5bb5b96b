"""What all verbs have in common as commands: examples in the help, errors that say what to try, and a quick start."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_args

from typer import BadParameter, Exit
from typer.core import TyperCommand, TyperGroup

from attacca.errors import AttaccaError, BadConfig, Unreachable

FAILURE, USAGE, UNREACHABLE = 1, 2, 3
NUMBER_MOST = 10**15
BOUNDS = "look for such a place in the files that are named on the command line"
HELPS = ("-h", "--help")
PLAIN = (str, str | None, list[str])  # what the command line hands over as it is wanted


class Refused(Exception):
    """The outcome was shown already and is a failure."""


class QuickStart:
    """For a command: values that need no conversion do without it, which halves the time of a short command."""

    callback: Any

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        declared = inspect.signature(self.callback).parameters if self.callback is not None else {}
        for param in params:
            if "process_value" not in vars(param):
                wanted = declared[param.name].annotation if param.name in declared else None
                _convert_only_what_must_be(param, (get_args(wanted) or (None,))[0])
        return params


class VerbCommand(QuickStart, TyperCommand):
    """One verb. `epilog` holds its examples, one command per line."""

    def __init__(self, *args: Any, epilog: str | None = None, **more: Any) -> None:
        super().__init__(*args, epilog=None, **more)
        self.examples = [line.strip() for line in (epilog or "").splitlines() if line.strip()]

    def invoke(self, ctx: Any) -> Any:
        as_json = bool(ctx.params.get("as_json"))
        try:
            return super().invoke(ctx)
        except AttaccaError as error:
            from attacca.cli.screens.terminal import show_error

            show_error(error, as_json=as_json)
            raise Exit(exit_code(error)) from None
        except (RecursionError, OverflowError) as error:
            from attacca.cli.screens.terminal import show_error

            said = BadConfig(f"what was given is nested too deeply, or has too large a number in it ({error})", BOUNDS)
            show_error(said, as_json=as_json)
            raise Exit(exit_code(said)) from None
        except Refused:
            raise Exit(FAILURE) from None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from attacca.cli.screens.help import show

        show(ctx, self, self.examples)


class VerbGroup(QuickStart, TyperGroup):
    """A verb that has verbs of its own."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from attacca.cli.screens.help import show

        verbs = [(name, (command.help or "").split("\n")[0]) for name, command in self.commands.items()]
        examples = [line for command in self.commands.values() for line in getattr(command, "examples", [])]
        show(ctx, self, examples, {"Commands": verbs})


class PlaneGroup(VerbGroup):
    """A plane that runs when no verb of it is named, as `run` does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] in HELPS or not args[0].startswith("-"))
        parsed: list[str] = super().parse_args(ctx, args if is_named else ["run", *args])
        return parsed


def gathered(run: Callable[..., None]) -> Callable[..., None]:
    """A parameter whose type is a NamedTuple stands for its fields, each an option with a default: so what several
    verbs have in common is written once."""
    declared = inspect.signature(run)
    groups: dict[str, Any] = {}
    options: list[inspect.Parameter] = []
    for name, one in declared.parameters.items():
        if not hasattr(one.annotation, "_fields"):
            options.append(one)
            continue
        groups[name] = kind = one.annotation
        options += [
            one.replace(name=field, default=default, annotation=kind.__annotations__[field])
            for field, default in kind._field_defaults.items()
        ]

    @functools.wraps(run)
    def gather(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field: given.pop(field) for field in kind._fields})
        run(**given)

    vars(gather)["__signature__"] = declared.replace(parameters=options)
    gather.__annotations__ = {one.name: one.annotation for one in options}
    return gather


def exit_code(error: AttaccaError) -> int:
    match error:
        case Unreachable():
            return UNREACHABLE
        case BadConfig():
            return USAGE
        case _:
            return FAILURE


def _sized(ctx: Any, param: Any, value: Any) -> Any:
    """No option counts to infinity, nor to where counting fails."""
    if isinstance(value, int | float) and not -NUMBER_MOST <= value <= NUMBER_MOST:
        raise BadParameter(f"{value} is no number up to {NUMBER_MOST:g}.", ctx=ctx, param=param)
    return value


def _convert_only_what_must_be(param: Any, wanted: object) -> None:
    convert = param.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        if value is None:
            as_is = not param.required
            value = () if getattr(param, "multiple", False) or param.nargs == -1 else None
        elif isinstance(value, str):
            as_is = wanted in PLAIN
        elif isinstance(value, tuple | list):
            as_is = wanted in PLAIN and not (param.required and not value)
        else:
            as_is = True  # a default: it has its type already
        if not as_is:
            return _sized(ctx, param, convert(ctx, value))
        return value if param.callback is None else param.callback(ctx, param, value)

    param.process_value = process_value

"""Settings from defaults, a TOML file, the environment and flags, merged in that order into one checked Struct.

A layer is flat: dotted keys (`worker.memory_mb`) to `Given`, which remembers where the value came from, so that a
wrong key or value stops the start and is named together with its place.
"""

import difflib
import math
import tomllib
import types
from collections.abc import Iterable, Mapping, Sequence
from enum import EnumType
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import msgspec

from attacca.errors import BadConfig
from attacca.kernel.text import is_utf_8

Shape = TypeVar("Shape", bound=msgspec.Struct)

MOST = 10**15  # of any number, whatever it counts
SHOWN_MOST = 200  # characters of a value that is refused
SECRETS = ("env", "secrets")  # what stands at and below these is nobody's business but the function's
DEFAULT, FILE, ENVIRONMENT, FLAG = "default", "file", "environment", "flag"
DEEPEST = 16  # levels of tables and lists; a few are needed, and everything that walks them may recurse


class Given(NamedTuple):
    """One value and its origin: `layer` is one of default, file, environment, flag; `where` is what a person typed."""

    value: object
    layer: str
    where: str


Layer = Mapping[str, Given]


class Settled(NamedTuple, Generic[Shape]):
    """The checked result, and for every leaf of it, in the order of the fields, its value and origin."""

    value: Shape
    origins: dict[str, Given]


def read_toml(text: str, where: str) -> dict[str, Given]:
    """The leaves of a TOML document.

    Raises:
        BadConfig: it is not TOML, or nested without sense.
    """
    try:
        tree = tomllib.loads(text)
    except ValueError as error:  # more than TOML's own: numbers that Python does not read either
        raise BadConfig(f"{where} is not valid TOML: {error}", f"correct {where} at that place") from None
    except RecursionError:
        tree = None
    if tree is None or not _is_flat_enough(tree):
        raise BadConfig(f"{where} is nested too deeply", "settings are a name and a value, in a table or two")
    return {key: Given(value, FILE, where) for key, value in _flat(tree)}


def read_environment(
    environ: Mapping[str, str], prefix: str = "ATTACCA_", ignore: Iterable[str] = ()
) -> dict[str, Given]:
    """`ATTACCA_WORKER__MEMORY_MB=512` is `worker.memory_mb`; variables named in `ignore` mean something else.

    Raises:
        BadConfig: a variable is no text.
    """
    passed_over = frozenset(ignore)
    layer = {}
    for name, value in environ.items():
        if name.startswith(prefix) and name not in passed_over:
            _check_text(f"{name}={value}")
            layer[name.removeprefix(prefix).lower().replace("__", ".")] = Given(value, ENVIRONMENT, name)
    return layer


def read_flags(flags: Mapping[str, tuple[object, str]]) -> dict[str, Given]:
    """`{"port": (8080, "--port")}`; a flag that was not given is None and says nothing."""
    return {key: Given(value, FLAG, where) for key, (value, where) in flags.items() if value is not None}


def read_assignments(assignments: Iterable[str], where: str = "--set") -> dict[str, Given]:
    """`worker.keepalive.ttl_s=60`, as `--set` takes it; the value may be written as TOML or as plain text.

    Raises:
        BadConfig: an assignment has no `=`, or is no text.
    """
    layer = {}
    for assignment in assignments:
        _check_text(assignment)
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise BadConfig(f"{where} {assignment!r} is not KEY=VALUE", f"{where} worker.memory_mb=2048")
        layer[key.strip()] = Given(_value(text.strip()), FLAG, f"{where} {assignment}")
    return layer


def merge(layers: Iterable[Layer]) -> dict[str, Given]:
    """Later layers win, and in a layer later keys; a value replaces all that was said at, above or below its key."""
    merged: dict[str, Given] = {}
    for layer in layers:
        for key in layer:
            for other in [other for other in merged if _overlap(key, other)]:
                del merged[other]
            merged[key] = layer[key]
    return merged


def settle(shape: type[Shape], layers: Iterable[Layer]) -> Settled[Shape]:
    """Merge, check every key and value against `shape`, and fill in defaults.

    Raises:
        BadConfig: a key is unknown or a value is not allowed; both are named, with where they came from.
    """
    merged = merge(layers)
    tree: dict[str, Any] = {}
    for key, given in merged.items():
        _plant(tree, key, _checked(shape, key, given))
    try:
        value = msgspec.convert(tree, shape, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _misfit(merged, error) from None
    origins = {
        key: merged[key]._replace(value=leaf) if key in merged else Given(leaf, DEFAULT, "")
        for key, leaf in _leaves(value)
    }
    return Settled(value, origins)


def keys(shape: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """Every key that `shape` knows; a free table ends in `.*`."""
    found: list[str] = []
    for field in msgspec.structs.fields(shape):
        key = prefix + field.encode_name
        inner = _inner(field.type)
        if _is_struct(inner):
            found += keys(inner, key + ".")
        else:
            found.append(key + ".*" if get_origin(inner) is dict else key)
    return found


def plain(value: object) -> object:
    """A value as JSON and TOML have it."""
    return msgspec.to_builtins(value, enc_hook=str)


def _decode(kind: type[Any], value: object) -> object:
    """The types beyond msgspec's own that settings have."""
    if kind is object:
        return value
    if issubclass(kind, Path):
        if not isinstance(value, str) or "\0" in value:
            raise ValueError("Expected a path")
        try:
            return kind(value).expanduser().absolute()
        except RuntimeError:
            raise ValueError("nobody is known by that name") from None
    raise NotImplementedError(f"{kind.__name__} in settings")


def _checked(shape: type[msgspec.Struct], key: str, given: Given) -> object:
    """The value at `key`, converted to what `shape` wants there."""
    kind = _kind_at(shape, key)
    if kind is None:
        raise _unknown(shape, key, given)
    value = given.value
    if isinstance(value, str) and get_origin(_inner(kind)) is tuple:
        value = (value,)  # one stands for a list of one
    is_free = kind in (Any, object)  # nothing says what it should be, so a text from outside is what it looks like
    if is_free and given.layer == ENVIRONMENT and isinstance(value, str):
        value = _value(value)
    try:
        found = value if is_free else plain(msgspec.convert(value, kind, strict=False, dec_hook=_decode))
        _expect_size(found)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        is_secret = key.partition(".")[0] in SECRETS
        shown, brief = "..." if is_secret else _shown(given.value), _brief(error)
        if is_secret and brief.startswith("Invalid enum value"):  # and then the value
            brief = "it is none of these"
        raise BadConfig(
            f"{key} = {shown} is not allowed{_origin(given)}: {brief}",
            _allowed(kind) or f"correct it, or leave {key} out to have its default",
        ) from None
    return found


def _kind_at(shape: type[msgspec.Struct], key: str) -> Any:
    """The type that `shape` has at a dotted key; None when there is no such key."""
    kind: Any = shape
    for part in key.split("."):
        inner = _inner(kind)
        if get_origin(inner) is dict:
            kind = get_args(inner)[1]
        elif inner in (Any, object):
            return Any
        elif _is_struct(inner):
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(inner)}
            if part not in fields:
                return None
            kind = fields[part]
        else:
            return None
    return kind


def _unknown(shape: type[msgspec.Struct], key: str, given: Given) -> BadConfig:
    known, key = keys(shape), key[:SHOWN_MOST]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if not near:  # the right word at the wrong depth
        last = key.rsplit(".", 1)[-1]
        near = [name for name in known if name.rsplit(".", 1)[-1] == last][:1]
    return BadConfig(
        f"there is no setting {key!r}{_origin(given)}",
        f"did you mean {near[0]!r}?" if near else f"known settings: {', '.join(_beside(key, known))}",
    )


def _beside(key: str, known: Sequence[str]) -> list[str]:
    """The settings of the innermost known table that it names; of tables inside that, only their names."""
    while key:
        key = key.rpartition(".")[0]
        inside = [
            name.removeprefix(f"{key}." if key else "") for name in known if not key or name.startswith(f"{key}.")
        ]
        if inside:
            return list(dict.fromkeys(f"{name.split('.')[0]}.*" if "." in name else name for name in inside))
    return []


def _misfit(merged: Mapping[str, Given], error: msgspec.ValidationError) -> BadConfig:
    """Every value is fine by itself, but something is missing or two do not go together."""
    origins = sorted({given.where for given in merged.values() if given.where and given.layer != DEFAULT})
    place = f" ({', '.join(origins)})" if origins else ""
    return BadConfig(
        f"the settings do not fit together{place}: {_reason(error)}", "change one of the settings named there"
    )


def _allowed(kind: Any) -> str:
    """What may stand there, where its type can say it in words."""
    inner = _inner(kind)
    if isinstance(inner, EnumType):
        return "one of: " + ", ".join(map(str, cast("list[object]", list(inner))))
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((note.description for note in notes if isinstance(note, msgspec.Meta) and note.description), "")


def _reason(error: Exception) -> str:
    return str(error).split(" - at `$")[0]


def _brief(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else _reason(error)


def _expect_size(value: object) -> None:
    """No setting is endless, or so large that counting with it fails.

    Raises:
        ValueError: this one is.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Expected a number with an end")
    if isinstance(value, int | float) and not -MOST <= value <= MOST:
        raise ValueError(f"numbers go up to {MOST:g}")
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for one in inside:
        _expect_size(one)


def _origin(given: Given) -> str:
    return f" (from {given.where})" if given.where else ""


def _shown(value: object) -> str:
    try:
        text = repr(value) if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    except (ValueError, RecursionError):  # a number with thousands of digits, or something very deep
        return "this"
    return text if len(text) <= SHOWN_MOST else text[:SHOWN_MOST] + "..."


def _value(text: str) -> object:
    try:
        value = cast("object", tomllib.loads(f"value = {text}")["value"])
    except (ValueError, RecursionError):
        return text
    return value if _is_flat_enough(value) else text


def _check_text(given: str) -> None:
    if not is_utf_8(given):
        raise BadConfig(f"{given!r} is not UTF-8", "write it as text")


def _is_flat_enough(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return True
    return False


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _plant(tree: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    for part in path:
        branch = tree.setdefault(part, {})
        tree = branch
    tree[last] = value


def _leaves(value: msgspec.Struct, prefix: str = "") -> Iterable[tuple[str, object]]:
    for field in msgspec.structs.fields(value):
        key, leaf = prefix + field.encode_name, getattr(value, field.name)
        if isinstance(leaf, msgspec.Struct):
            yield from _leaves(leaf, key + ".")
        elif isinstance(leaf, Mapping) and leaf:
            yield from _flat(leaf, key + ".")
        else:
            yield key, leaf


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + ".") or other.startswith(one + ".")


def _inner(kind: Any) -> Any:
    """The type without Annotated and without `| None`."""
    if get_origin(kind) is Annotated:
        return _inner(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        return _inner(options[0]) if len(options) == 1 else kind
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)

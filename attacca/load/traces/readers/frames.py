"""Foreign pickles, read without running anything that is in them: plain containers, numpy arrays, and data frames.

A pickle names the callables that rebuild it, and may name any. Here a name is looked up in the table below and nowhere
else; what belongs to pandas is replaced by stand-ins that only keep what they are given, so pandas is not needed.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from attacca.errors import BadTrace


class StandIn:
    """Keeps its arguments and its state."""

    def __init__(self, *given: Any) -> None:
        self.given = given
        self.state: Any = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.given)}>"

    def __setstate__(self, state: Any) -> None:
        self.given, self.state = getattr(self, "given", ()), state


class Frame(StandIn):
    pass


class Manager(StandIn):
    pass


class Index(StandIn):
    pass


class Block(StandIn):
    pass


def _index(_kind: Any, fields: dict[str, Any]) -> Index:
    return Index(fields.get("data"))


def _multiarray(name: str) -> Any:
    return getattr(np._core.multiarray, name)  # type: ignore[attr-defined]


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":  # how protocol 2 writes bytes; other codecs may do more than encode
        raise pickle.UnpicklingError(f"codec {encoding!r}")
    return text.encode("latin1")


def _frombuffer(buffer: Any, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> Any:
    """How arrays are written by protocol 5."""
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


_NUMPY: dict[tuple[str, str], Any] = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
for _core in ("numpy.core", "numpy._core"):
    _NUMPY |= {(f"{_core}.multiarray", _name): _multiarray(_name) for _name in ("_reconstruct", "scalar")}
    _NUMPY[f"{_core}.numeric", "_frombuffer"] = _frombuffer
_PLAIN: dict[tuple[str, str], Any] = {("_codecs", "encode"): _encode, ("collections", "OrderedDict"): dict}
for _kind in (slice, set, frozenset, bytearray):
    _PLAIN |= {(_module, _kind.__name__): _kind for _module in ("builtins", "__builtin__")}
_PANDAS: dict[tuple[str, str], Any] = {
    ("pandas.core.frame", "DataFrame"): Frame,
    ("pandas", "DataFrame"): Frame,
    ("pandas.core.internals.managers", "BlockManager"): Manager,
    ("pandas._libs.internals", "_unpickle_block"): Block,
    ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.base", "Index"): Index,
    ("pandas.core.indexes.range", "RangeIndex"): Index,
    ("pandas", "Index"): Index,
    ("pandas", "RangeIndex"): Index,
}
ALLOWED = _NUMPY | _PLAIN | _PANDAS


class _Restricted(pickle.Unpickler):
    def __repr__(self) -> str:
        return f"<_Restricted to {len(ALLOWED)} names>"

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which no table of data needs")
        return ALLOWED[module, name]


def columns(path: Path) -> dict[str, list[Any]]:
    """The columns of a pickled data frame, dict of columns or list of rows.

    Raises:
        BadTrace: it is none of these, or names something that is not allowed.
    """
    hint = "export it to parquet or JSON lines with the program that made it"
    try:
        with path.open("rb") as file:
            content = _Restricted(file).load()
        return _as_columns(content)
    except Exception as error:  # noqa: BLE001 - a pickle is a program, and its author's mistakes are of every kind
        raise BadTrace(f"{path}: this pickle is not read: {str(error)[:200] or type(error).__name__}", hint) from None


def _as_columns(content: Any) -> dict[str, list[Any]]:
    if isinstance(content, Frame):
        return _of_frame(content)
    if isinstance(content, dict) and all(isinstance(column, list | np.ndarray) for column in content.values()):
        return {str(name): list(column) for name, column in content.items()}
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        names = list(dict.fromkeys(name for row in content for name in row))
        return {str(name): [row.get(name) for row in content] for name in names}
    raise ValueError(f"a {type(content).__name__} is no table")


def _of_frame(frame: Frame) -> dict[str, list[Any]]:
    """A frame is blocks of columns of one type; each block says which columns it holds."""
    manager = frame.state["_mgr"] if isinstance(frame.state, dict) else frame.given[0]
    blocks, axes = manager.given
    names = [str(name) for name in axes[0].given[0]]
    table: dict[str, list[Any]] = {}
    for block in blocks:
        values, placement, _ = block.given
        rows = range(*placement.indices(len(names))) if isinstance(placement, slice) else np.asarray(placement).tolist()
        for name, column in zip((names[row] for row in rows), values, strict=True):
            table[name] = list(column)
    return {name: table[name] for name in names}

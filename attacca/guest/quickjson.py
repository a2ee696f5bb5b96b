"""The standard library's JSON, without what `json.loads` and `json.dumps` set up anew for every call.

Falls back to them whenever the quick way does not fit, so the results and the errors are theirs; what JSON does not
know is made simple by `values`.
"""

import json
import json.decoder
import json.encoder
from typing import Any

from attacca.guest import deferred


def _refuse_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


_decoder: Any = json.decoder.JSONDecoder(parse_constant=_refuse_constant)
_scan = _decoder.scan_once
_quote = json.encoder.encode_basestring  # leaves letters as they are: the answer is UTF-8


def _simplify(value: Any) -> Any:
    return deferred.load("values").simple(value)


def _make_encoder() -> Any:
    make: Any = vars(json.encoder)["c_make_encoder"]
    if make is None:  # an interpreter without the accelerator
        return None
    return make({}, _simplify, _quote, None, ": ", ", ", False, False, False)  # noqa: FBT003 - positional in C


_encode = _make_encoder()


def loads(raw: bytes) -> Any:
    """
    Raises:
        JSONDecodeError, UnicodeDecodeError: it is not JSON.
        ValueError, RecursionError: it is, but with more digits or levels than Python takes.
    """
    try:
        text = raw.decode()
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError):
        pass
    return json.loads(
        raw, parse_constant=_refuse_constant
    )  # white space around it, another encoding, or an error to be told properly


def dumps(value: Any) -> bytes:
    """
    Raises:
        TypeError, ValueError, RecursionError: it cannot be JSON.
    """
    global _encode  # noqa: PLW0603 - the accelerator remembers what it is inside of, and an error leaves that behind
    if _encode is None:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_simplify).encode()
    try:
        return "".join(_encode(value, 0)).encode()
    except BaseException:
        _encode = _make_encoder()
        raise

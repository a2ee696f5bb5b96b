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


def _simplify(value: Any) -> Any:
    return deferred.load("values").simple(value)


def _slowly(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_simplify)


# Both are private to the standard library, which may do with them what it likes: where this interpreter takes them
# otherwise, or they say something else, they are done without.


def _make_scanner() -> Any:
    """A text and where to begin; the value, and where it ended."""
    try:
        scan: Any = vars(json.decoder.JSONDecoder(parse_constant=_refuse_constant))["scan_once"]
        return scan if scan(TEXT, 0) == (VALUE, len(TEXT)) else None
    except Exception:  # noqa: BLE001 - see above
        return None


def _make_encoder() -> Any:
    """The accelerator, told once what `json.dumps` tells it for every call. Letters are left as they are: the answer is
    UTF-8."""
    try:
        make: Any = vars(json.encoder)["c_make_encoder"]
        quote: Any = vars(json.encoder)["encode_basestring"]
        encode = make({}, _simplify, quote, None, ": ", ", ", False, False, False)  # noqa: FBT003 - positional in C
        return encode if "".join(encode(VALUE, 0)) == TEXT else None
    except Exception:  # noqa: BLE001 - see above
        return None


VALUE: Any = {"é\n": [1, -2.5, True, None, {"a": []}, ""], "b": 1e300}
TEXT = '{"é\\n": [1, -2.5, true, null, {"a": []}, ""], "b": 1e+300}'
_scan = _make_scanner()
_encode = _make_encoder()


def loads(raw: bytes) -> Any:
    """
    Raises:
        JSONDecodeError, UnicodeDecodeError: it is not JSON.
        ValueError, RecursionError: it is, but with more digits or levels than Python takes.
    """
    if _scan is not None:
        try:
            text = raw.decode()
            value, end = _scan(text, 0)
            if end == len(text):
                return value
        except (StopIteration, ValueError):
            pass
    # white space around it, another encoding, or an error to be told properly
    return json.loads(raw, parse_constant=_refuse_constant)


def dumps(value: Any) -> bytes:
    """
    Raises:
        TypeError, ValueError, RecursionError: it cannot be JSON.
    """
    global _encode  # noqa: PLW0603 - the accelerator remembers what it is inside of, and an error leaves that behind
    if _encode is None:
        return _slowly(value).encode()
    try:
        return "".join(_encode(value, 0)).encode()
    except BaseException:
        _encode = _make_encoder()
        raise

"""Compare how well, and how fast, the standard library's compressors pack what is sent."""

import bz2
import lzma
import time
import zlib
from collections.abc import Callable
from functools import partial

Coder = Callable[[bytes], bytes]

METHODS: dict[str, tuple[Coder, Coder]] = {
    "zlib-1": (partial(zlib.compress, level=1), zlib.decompress),
    "zlib-6": (partial(zlib.compress, level=6), zlib.decompress),
    "zlib-9": (partial(zlib.compress, level=9), zlib.decompress),
    "bz2-9": (partial(bz2.compress, compresslevel=9), bz2.decompress),
    "lzma-6": (partial(lzma.compress, preset=6), lzma.decompress),
}


def compress(data: bytes) -> dict[str, object]:
    """Every method's size, ratio and times; each result is unpacked again and compared with what came in."""
    results = [measure(name, pack, unpack, data) for name, (pack, unpack) in METHODS.items()]
    best = min(results, key=lambda result: result["bytes"])
    return {"bytes": len(data), "smallest": best["method"], "methods": results}


def measure(name: str, pack: Coder, unpack: Coder, data: bytes) -> dict[str, str | int | float]:
    packed, pack_ms = timed(pack, data)
    unpacked, unpack_ms = timed(unpack, packed)
    if unpacked != data:
        raise RuntimeError(f"{name} lost something on the way")
    ratio = round(len(data) / len(packed), 3)
    return {"method": name, "bytes": len(packed), "ratio": ratio, "pack_ms": pack_ms, "unpack_ms": unpack_ms}


def timed(work: Coder, data: bytes) -> tuple[bytes, float]:
    began = time.perf_counter()
    out = work(data)
    return out, round((time.perf_counter() - began) * 1000, 3)

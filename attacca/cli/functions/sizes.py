"""A size in bytes, as people write it: 50MiB."""

import re

from attacca.errors import BadConfig

SIZE = re.compile(r"(\d{1,12})\s*(|B|KB|KiB|MB|MiB|GB|GiB)")
UNITS = {"": 1, "B": 1, "KB": 1000, "KiB": 1 << 10, "MB": 10**6, "MiB": 1 << 20, "GB": 10**9, "GiB": 1 << 30}
SIZE_MOST = 8 << 30


def size(text: str, option: str) -> int:
    """
    Raises:
        BadConfig: it is none, or too large.
    """
    found = SIZE.fullmatch(text.strip())
    count = -1 if found is None else int(found[1]) * UNITS[found[2]]
    if not 0 <= count <= SIZE_MOST:
        raise BadConfig(f"{option} {text[:40]!r} is no size up to 8 GiB", f"{option} 50MiB")
    return count

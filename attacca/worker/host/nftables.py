"""nftables by its own library, which speaks JSON: no program is started, and no text is put together."""

import ctypes
import functools
import json
from collections.abc import Sequence
from typing import Any

from attacca.errors import IsolationMissing

LIBRARY = "libnftables.so.1"
HINT = 'apt-get install nftables; only functions with network = "nat" need it'
AS_JSON = 1 << 4  # NFT_CTX_OUTPUT_JSON, which also has it read as such


@functools.cache
def library() -> ctypes.CDLL:
    """
    Raises:
        IsolationMissing: it is not here.
    """
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise IsolationMissing(f"a way out for sandboxes needs nftables: {error}", HINT) from None
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


class Refused(Exception):
    """What was told was not done, none of it; in the library's words."""


class Nftables:
    """Of the network namespace in which it is made. For one thread at a time.

    Raises:
        IsolationMissing: the library is not here.
    """

    def __init__(self) -> None:
        self._library = library()
        self._context = ctypes.c_void_p(self._library.nft_ctx_new(0))
        self._library.nft_ctx_output_set_flags(self._context, AS_JSON)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def __repr__(self) -> str:
        return f"<Nftables {'open' if self._context.value else 'closed'}>"

    def tell(self, commands: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """All of them or none. Returns what was asked for.

        Raises:
            Refused: none was done.
        """
        text = json.dumps({"nftables": list(commands)}).encode()
        failed = self._library.nft_run_cmd_from_buffer(self._context, text)
        said = self._library.nft_ctx_get_output_buffer(self._context)
        wrong = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            raise Refused((wrong or b"").decode("utf-8", "replace").strip()[:500] or "nftables does not say why")
        found: list[dict[str, Any]] = json.loads(said)["nftables"] if said else []
        return found

    def close(self) -> None:
        if self._context.value:
            self._library.nft_ctx_free(self._context)
            self._context = ctypes.c_void_p(0)

"""Secrets are told to the workers that may have them, and the log has who they were. Blobs go as they lie there."""

import asyncio
import logging
from pathlib import Path

from attacca.control.deploy.state import StateDir
from attacca.control.secrets import Secrets
from attacca.control.supplies import Supplies
from attacca.io.store.memory import MemoryStore
from attacca.io.vault.memory import MemoryVault
from attacca.kernel.clock import ManualClock
from attacca.model.supplies import AskPiece, AskSecrets, Piece
from tests.logged import Logged


def test_a_worker_is_told_no_more_than_it_needs(tmp_path: Path, logged: Logged) -> None:
    async def main() -> None:
        secrets = Secrets(MemoryStore(ManualClock()), MemoryVault(), ManualClock())
        for name in ("KEY", "OTHER"):
            await secrets.set(name, name.lower().encode())
        told: list[tuple[str, dict[str, bytes]]] = []
        entitled = {"w1": {"KEY", "GONE"}, "w2": {"KEY", "OTHER"}}
        supplies = Supplies(
            StateDir(tmp_path), secrets, lambda worker: entitled.get(worker, set()),
            lambda worker, message: told.append((worker, message.values)),  # type: ignore[union-attr]
        )  # fmt: skip
        for worker in ("w1", "w1", "w2", "w3"):
            supplies.hear(worker, AskSecrets("1", ("KEY", "OTHER", "GONE")))
        assert told == [
            ("w1", {"KEY": b"key"}), ("w1", {"KEY": b"key"}), ("w2", {"KEY": b"key", "OTHER": b"other"}), ("w3", {}),
        ]  # fmt: skip

    with logged.at_level(logging.INFO):
        asyncio.run(main())
    said = [one.message for one in logged.records]
    assert said.count("worker 'w1' is given the secrets KEY") == 1, "once for each worker"
    assert "worker 'w2' is given the secrets KEY, OTHER" in said
    assert "worker 'w1' has asked for the secret OTHER, which nothing there is given" in said
    assert not [line for line in said if "b'key'" in line or "other" in line]


def test_a_blob_of_an_image_goes_as_it_lies_there_and_stays(tmp_path: Path) -> None:
    digest = "0a" * 32
    blob = tmp_path / "images" / "blobs" / digest
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"layer")

    async def main() -> None:
        told: asyncio.Queue[Piece] = asyncio.Queue()
        secrets = Secrets(MemoryStore(ManualClock()), MemoryVault(), ManualClock())
        supplies = Supplies(
            StateDir(tmp_path), secrets, lambda _: (), lambda _, message: told.put_nowait(message),  # type: ignore[arg-type] # Pieces alone
        )  # fmt: skip
        pieces = []
        for count in range(20):  # more than are kept ready
            supplies.hear("w1", AskPiece("1", f"{count:064x}" if count else digest, 2))
            pieces.append(await told.get())
        assert [piece.data for piece in pieces if piece.error is None] == [b"yer"]
        assert next(piece for piece in pieces if piece.error is None).sha256 == digest
        await supplies.close()

    asyncio.run(main())
    assert blob.read_bytes() == b"layer"

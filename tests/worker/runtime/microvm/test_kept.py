"""Templates on the disk: found again by what they are of, bounded, and gone with the code."""

import asyncio
import os
from pathlib import Path
from typing import IO, Any

import msgspec

from attacca.model.function import EventShape, MicroVm, SecretAs, Signature
from attacca.worker.runtime.microvm.kept import KeptTemplates
from attacca.worker.runtime.microvm.monitor import Left, SavedMachine
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.untrusted import Imported
from tests.logged import Logged
from tests.worker.stage import revision

TOLD = Imported(1.0, 2.0, 3.0, "main:handler", Signature.EVENT, EventShape.PLAIN, 10_000, logs="hello")


def kept(at: Path, most_mb: int = 100, **options: Any) -> KeptTemplates:
    for name in ("one", "two"):
        (at / "code" / name).mkdir(parents=True, exist_ok=True)
    return KeptTemplates(at / "kept", at / "code", ProcessOptions(**options), most_mb)


def name(of: KeptTemplates, code: str = "one", base: str = "base", **settings: Any) -> str:
    plain = revision("f")
    changed = msgspec.structs.replace(plain.settings, **settings)
    return of.name(msgspec.structs.replace(plain, settings=changed, artefact=MicroVm(code)), base)


def left(at: Path, data: bytes = b"memory") -> Left:
    """Of files that nobody finds but by their descriptors."""
    memory, state = nameless(at), nameless(at)
    for file in (memory, state):
        file.write(data)
    return Left(memory, state, SavedMachine(at, at))


def nameless(at: Path) -> IO[bytes]:
    return os.fdopen(os.open(at, os.O_TMPFILE | os.O_RDWR, 0o600), "w+b", buffering=0)


def keep(of: KeptTemplates, name: str, what: Left) -> None:
    async def main() -> None:
        of.keep(name, what, TOLD)
        what.close()
        of.keep(name, what, TOLD)  # it is being kept already
        await of.close()

    asyncio.run(main())


def names(at: Path) -> set[str]:
    return {path.name for path in (at / "kept").iterdir()}


def test_it_is_found_again_by_all_that_it_is_of(tmp_path: Path) -> None:
    own = kept(tmp_path)
    keep(own, name(own), left(tmp_path))
    found = asyncio.run(kept(tmp_path).find(name(own), os.getuid()))
    assert found is not None
    assert found.left.saved.memory.read_bytes() == found.left.saved.state.read_bytes() == b"memory"
    assert (found.told.handler, found.told.imports_ms, found.told.logs) == ("main:handler", 0.0, "")
    found.left.close()
    others = [name(own, "two"), name(own, base="other"), name(own, env={"A": "1"}), name(kept(tmp_path, open_files=9))]
    assert len({name(own), *others}) == 5
    assert [asyncio.run(own.find(other, None)) for other in others] == [None] * 4
    assert repr(own) == "<KeptTemplates at most 100 MB, 0 being kept>"


def test_none_is_of_who_is_told_secrets_nor_where_none_is_to_be(tmp_path: Path) -> None:
    assert name(kept(tmp_path), secrets={"KEY": SecretAs.ENV}) == name(kept(tmp_path, 0)) == ""
    own = kept(tmp_path)
    assert own.name(revision("f"), "base") == ""
    keep(own, "", left(tmp_path))
    own.forget("")
    assert asyncio.run(own.find("", None)) is None
    assert not (tmp_path / "kept").exists()


def test_one_that_is_dropped_goes_also_while_it_is_being_kept(tmp_path: Path) -> None:
    own = kept(tmp_path)
    keep(own, name(own), left(tmp_path))
    assert len(names(tmp_path)) == 3
    own.forget(name(own))
    assert names(tmp_path) == set()

    async def main() -> None:
        own.keep(name(own), one := left(tmp_path), TOLD)
        one.close()
        own.forget(name(own))
        await own.close()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert names(tmp_path) == set()


def test_those_that_were_used_longest_ago_make_room(tmp_path: Path) -> None:
    own = kept(tmp_path, 3)
    first, second, third = (name(own, base=base) for base in "abc")
    keep(own, first, left(tmp_path, bytes(1 << 19)))
    keep(own, second, left(tmp_path, bytes(1 << 19)))
    for at, one in enumerate((second, first)):
        os.utime(tmp_path / "kept" / f"{one}.json", (at, at))
    keep(own, third, left(tmp_path, bytes(1 << 20)))
    assert {path.partition(".")[0] for path in names(tmp_path)} == {first, third}
    keep(own, second, left(tmp_path, bytes(1 << 21)))
    assert names(tmp_path) == set(), "larger than all may be"


def test_what_was_begun_or_is_of_other_code_goes(tmp_path: Path) -> None:
    own = kept(tmp_path)
    own.open()
    for code in ("one", "two"):
        keep(own, name(own, code), left(tmp_path))
    (tmp_path / "code" / "two").rmdir()
    (tmp_path / "kept" / f"{name(own, base='other')}.memory").touch()
    own.open()
    assert names(tmp_path) == {f"{name(own)}.{part}" for part in ("memory", "state", "json")}


def test_one_that_cannot_be_kept_is_told_of(tmp_path: Path, logged: Logged) -> None:
    (tmp_path / "kept").touch()
    keep(kept(tmp_path), name(kept(tmp_path)), left(tmp_path))
    assert "is not kept beyond this run" in logged.messages[-1]

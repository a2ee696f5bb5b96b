import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from attacca.errors import StateCorrupt, StateUnavailable
from attacca.io.vault.conformance import check_vault
from attacca.io.vault.sealed import SealedVault
from tests.cases import each


def test_the_sealed_vault_does_what_a_vault_does(tmp_path: Path) -> None:
    numbers = itertools.count()
    check_vault(lambda: SealedVault(tmp_path / f"{next(numbers)}.key"))


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret.key"
    sealed = SealedVault(path).seal("A", b"value", is_first=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["secret.key"], "nothing unfinished is left"
    assert SealedVault(path).unseal("A", sealed) == b"value", "another process has the same key"
    assert SealedVault(path).unseal("A", SealedVault(path).seal("A", b"x", is_first=True)) == b"x"
    assert path.read_text().strip() not in repr(SealedVault(path))


def test_of_many_who_make_a_key_at_once_all_have_the_same(tmp_path: Path) -> None:
    vaults = [SealedVault(tmp_path / "secret.key") for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        sealed = list(threads.map(lambda vault: vault.seal("A", b"value", is_first=True), vaults))
    assert [SealedVault(tmp_path / "secret.key").unseal("A", one) for one in sealed] == [b"value"] * 8


@each("content", [b"", b"no key", b"ab" * 31, b"ab" * 33, b"\xff" * 32, b"ab" * 5000, "é".encode() * 32])
def test_a_key_that_is_none_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    for is_first in (True, False):
        with pytest.raises(StateCorrupt, match=f"{path} holds no key") as caught:
            SealedVault(path).seal("A", b"s3cret", is_first=is_first)
        assert "s3cret" not in str(caught.value) + caught.value.hint
    assert path.read_bytes() == content


def test_another_key_and_a_lost_one_are_told_apart_from_damage(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    sealed = SealedVault(path).seal("A", b"value", is_first=True)
    with pytest.raises(StateCorrupt, match="the secret A is damaged"):
        SealedVault(path).unseal("A", sealed[:-1] + bytes([sealed[-1] ^ 1]))
    path.write_text("ab" * 32)
    with pytest.raises(StateCorrupt, match="sealed under another key"):
        SealedVault(path).unseal("A", sealed)
    path.unlink()
    with pytest.raises(StateCorrupt, match=r"secret\.key, is gone"):
        SealedVault(path).unseal("A", sealed)
    assert not path.exists()


def test_a_place_for_the_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable, match=r"cannot be read or made"):
        SealedVault(tmp_path / "file" / "secret.key").seal("A", b"value", is_first=True)
    with pytest.raises(StateUnavailable, match="directory"):
        SealedVault(tmp_path).seal("A", b"value", is_first=True)


def test_it_says_where_its_key_is(tmp_path: Path) -> None:
    assert repr(SealedVault(tmp_path / "key")) == f"<SealedVault {tmp_path / 'key'}>"

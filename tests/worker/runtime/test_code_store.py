from pathlib import Path

from attacca.worker.runtime.code_store import SharedCode


def test_both_roots_are_there_when_it_is_open(tmp_path: Path) -> None:
    store = SharedCode(tmp_path / "state")
    store.open()
    (store.code / "digest").mkdir()
    store.open()
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["bundles", "code"]
    assert list(store.code.iterdir()) == [tmp_path / "state" / "code" / "digest"]
    assert repr(store) == f"<SharedCode {tmp_path / 'state'}>"

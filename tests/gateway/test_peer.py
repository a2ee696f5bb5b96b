import os
from pathlib import Path

from attacca.gateway.peer import owner, spelled, uid

ROW = (
    "   {n}: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0 20 4 30 10 -1"
)
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
CLIENT, SERVER = "0100007F:C350", "0100007F:1F90"


def table(*rows: tuple[str, str, str, int, int]) -> str:
    lines = [
        ROW.format(n=n, local=local, remote=remote, state=state, uid=owned, inode=inode)
        for n, (local, remote, state, owned, inode) in enumerate(rows)
    ]
    return "\n".join([HEADER, *lines, ""])


def test_addresses_are_spelled_as_the_kernel_does() -> None:
    if os.sys.byteorder == "little":  # type: ignore[attr-defined]
        assert spelled(("127.0.0.1", 8080), as_v6=False) == "0100007F:1F90"
        assert spelled(("127.0.0.1", 8080), as_v6=True) == "0000000000000000FFFF00000100007F:1F90"
        assert spelled(("::1", 80), as_v6=True) == "00000000000000000000000001000000:0050"


def test_the_owner_is_that_of_the_clients_end() -> None:
    text = table((SERVER, CLIENT, "01", 0, 11), (CLIENT, SERVER, "01", 1000, 12))
    assert owner(text, CLIENT, SERVER) == 1000


def test_a_stranger_is_nobody() -> None:
    assert owner(table((SERVER, CLIENT, "01", 0, 11)), CLIENT, SERVER) is None
    assert owner("", CLIENT, SERVER) is None


def test_a_socket_that_no_process_holds_proves_nothing() -> None:
    for state, inode in (("01", 0), ("06", 0), ("04", 12), ("05", 0)):
        assert owner(table((CLIENT, SERVER, state, 0, inode)), CLIENT, SERVER) is None


def test_a_table_cut_short_proves_nothing() -> None:
    assert owner(f"{HEADER}\n 0: {CLIENT} {SERVER} 01", CLIENT, SERVER) is None


def test_both_tables_are_read(tmp_path: Path) -> None:
    v4, v6 = tmp_path / "tcp", tmp_path / "tcp6"
    client, server = ("127.0.0.1", 50_000), ("127.0.0.1", 8080)
    v4.write_text(table())
    v6.write_text(table((spelled(client, as_v6=True), spelled(server, as_v6=True), "01", 7, 5)))
    assert uid(client, server, (v4, v6)) == 7
    assert uid(("::1", 1), ("::1", 2), (v4, v6)) is None
    assert uid(client, server, (tmp_path / "none", v6)) is None
    assert uid(("not an address", 1), server, (v4, v6)) is None

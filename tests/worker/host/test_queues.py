"""What waits in sockets, from the tables of the kernel."""

from attacca.worker.host.queues import queued, unix_inodes, used_tables

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000010 00:00000000 00000000  1000        0 11 1
   1: 0100007F:1F90 0100007F:0050 01 00100000:00000000 01:00000014 00000000  1000        0 22 2
"""

UNIX = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 4711 @abstract name
0000000000000000: 00000003 00000000 00000000 0001 03 42
"""


def test_both_queues_of_a_socket_count_and_are_hexadecimal() -> None:
    assert queued(TCP, None) == (1 << 20) + 16
    assert queued("", None) == queued(TCP.splitlines()[0], None) == 0


def test_in_a_network_of_many_only_ones_own_count() -> None:
    assert queued(TCP, {22, 33}) == 1 << 20
    assert queued(TCP, {11}) == 16
    assert queued(TCP, ()) == 0


def test_unix_sockets_are_known_by_their_inodes() -> None:
    assert unix_inodes(UNIX) == {4711, 42}
    assert unix_inodes("") == set()


def test_only_tables_with_something_in_them_are_read() -> None:
    text = (
        "sockets: used 9\nTCP: inuse 0 orphan 3 tw 7 alloc 2 mem 1\nUDP: inuse 2 mem 0\nRAW: inuse 4\nTCP6: inuse 1\n"
    )
    assert used_tables(text) == ["udp", "tcp6"]
    assert used_tables("") == []

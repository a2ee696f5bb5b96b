import os
import socket
from pathlib import Path

import pytest

from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.handed import handed, placed
from attacca.control.config import ControlConfig
from attacca.errors import BadConfig


def test_nothing_is_taken_that_was_handed_to_another(tmp_path: Path) -> None:
    config = ServerConfig(control=ControlConfig(state_dir=tmp_path))
    for_another = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}
    assert handed({}) is handed(for_another) is None
    assert placed(config, None) is config


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"LISTEN_FDS": "2", "LISTEN_PID": str(os.getpid())}, "2 sockets were handed over"),
        ({"ATTACCA_LISTEN_FD": "nonsense"}, "no socket was handed over as descriptor 'nonsense'"),
        ({"ATTACCA_LISTEN_FD": "1048575"}, "no socket was handed over as descriptor '1048575'"),
    ],
)
def test_what_cannot_be_listened_on_is_refused(environ: dict[str, str], why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        handed(environ)


def test_a_socket_that_does_not_listen_is_refused() -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(BadConfig, match="does not listen for TCP"):
        handed({"ATTACCA_LISTEN_FD": str(one.fileno())})

import asyncio
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.running import Signals
from attacca.cli.serve.server import Server
from attacca.control.config import ControlConfig


def test_signals_are_counted() -> None:
    async def story() -> None:
        loop: Any = SimpleNamespace(add_signal_handler=lambda *_: None)
        signals = Signals(loop)
        signals._take(signal.SIGTERM)
        assert repr(signals) == "<Signals 1 came>"

    asyncio.run(story())


def test_a_server_says_whether_it_is_ready(tmp_path: Path) -> None:
    assert (
        repr(Server(ServerConfig(control=ControlConfig(state_dir=tmp_path))))
        == "<Server not ready, port 8080, 0 functions restored>"
    )

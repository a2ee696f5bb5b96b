from functools import partial
from pathlib import Path

from attacca.worker.runtime.process.zygote_manager import ZygoteManager
from attacca.worker.runtime.process.zygotes import Zygotes


def test_there_is_one_outdoors_once_it_is_asked_for(tmp_path: Path) -> None:
    told = tmp_path, tmp_path, None, lambda _: None, lambda *_: None, lambda _: None
    zygotes = Zygotes(partial(ZygoteManager, *told, isolate=False))
    zygotes.ask(lambda _: None, outdoors=False)
    assert repr(zygotes) == "<Zygotes <ZygoteManager no zygote, 1 waiting>, outdoors None>"
    assert zygotes.clients() == []

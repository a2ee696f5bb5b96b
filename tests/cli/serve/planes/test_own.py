import logging

from attacca.cli.serve.planes.own import own
from attacca.io.wire.types import Hello
from attacca.model.endpoints import SandboxUp
from attacca.model.messages import ToControl
from attacca.model.supplies import AskSecrets
from tests.logged import Logged


def test_who_says_what_is_not_its_own_to_say_is_not_heard_and_its_link_ends(logged: Logged) -> None:
    heard: list[ToControl] = []
    ended: list[tuple[str, str]] = []
    take = own(Hello("worker", "w1"), heard.append, lambda *told: ended.append(told))
    take(AskSecrets("1", ("KEY",)))
    take(SandboxUp("w1", "s"))
    assert (len(heard), ended) == (2, [])
    with logged.at_level(logging.WARNING):
        take(SandboxUp("w2", "s"))
    assert (len(heard), ended) == (2, [("w1", "it says SandboxUp in the name of 'w2'")])
    assert [one.message for one in logged.records] == [
        "the link to worker 'w1' ends: it says SandboxUp in the name of 'w2'"
    ]

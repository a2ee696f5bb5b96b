from types import SimpleNamespace

from attacca.control.driver import Control
from attacca.errors import BadConfig, Forbidden, Internal, NotFound, NotLeading, Unauthorized
from attacca.kernel.access import Door
from attacca.workflow.dialects.edgeless.listening import address, status
from attacca.workflow.dialects.edgeless.server import EdgelessServer
from tests.cases import each

CODES = SimpleNamespace(
    StatusCode=SimpleNamespace(UNAUTHENTICATED=16, PERMISSION_DENIED=7, INTERNAL=13, UNAVAILABLE=14)
)


def nobody() -> Control:
    raise NotLeading("another does")


def test_it_says_what_it_has_done() -> None:
    assert repr(EdgelessServer(nobody, Door(0, is_loopback=True))) == (
        "<EdgelessServer <Listening at port 0: 0 answered, 0 refused>>"
    )


@each(
    "peer, end",
    [
        ("ipv4:127.0.0.1:5000", ("127.0.0.1", 5000)),
        ("ipv6:%5B::1%5D:5000", ("::1", 5000)),
        ("unix:/tmp/socket", None),
        ("ipv4:127.0.0.1:x", None),
        ("", None),
    ],
)
def test_who_is_at_the_other_end(peer: str, end: tuple[str, int] | None) -> None:
    assert address(peer) == end


def test_what_goes_wrong_has_a_status() -> None:
    for error, code in (
        (Unauthorized("x"), 16), (Forbidden("x"), 7), (NotFound("x"), 13), (NotLeading("x"), 14), (BadConfig("x"), 13),
        (Internal("x"), 13),
    ):  # fmt: skip
        assert status(CODES, error) == code

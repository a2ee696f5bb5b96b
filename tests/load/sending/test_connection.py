from attacca.load.sending.connection import Link, Pool


def test_a_connection_says_what_it_has_come_by() -> None:
    assert repr(Link(Pool("127.0.0.1", 80, lambda *_: None))) == "Link(busy=False, received=0)"

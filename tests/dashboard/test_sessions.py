import pytest

from attacca.dashboard.sessions import LASTS_S, LOCAL, MOST, Sessions


def test_each_session_has_a_key_of_its_own_and_each_server_others() -> None:
    sessions = Sessions()
    one, other = sessions.begin(0.0, b"Bearer a"), sessions.begin(0.0, b"Bearer a")
    keys = {sessions.key(one), sessions.key(other), sessions.key(LOCAL), Sessions().key(LOCAL)}
    assert len(keys) == 4
    assert sessions.fits(one, sessions.key(one))
    assert not sessions.fits(one, sessions.key(other))


@pytest.mark.long
def test_the_oldest_end_where_there_are_too_many_and_those_whose_time_is_over() -> None:
    sessions = Sessions()
    names = [sessions.begin(0.0, b"Bearer a") for _ in range(MOST + 1)]
    assert sessions.find(1.0, names[0]) is None
    assert sessions.find(1.0, names[1]) == b"Bearer a"
    assert sessions.find(LASTS_S, names[1]) is None
    sessions.begin(LASTS_S, b"Bearer b")
    assert repr(sessions) == "<Sessions 1>"

from hypothesis import given
from hypothesis import strategies as st

from attacca.load.sending.frames import (
    Begin,
    Buffer,
    Done,
    Finish,
    More,
    Results,
    ToSender,
    frame,
    from_sender,
    to_sender,
)

MESSAGES: list[ToSender] = [Begin(1.5), More(((1, 0.5, 0, 2.0), (2, 0.6, 1, 3.0))), Finish(), Finish(now=True)]


@given(st.lists(st.sampled_from(MESSAGES), max_size=5), st.integers(1, 9))
def test_frames_arrive_whole_however_they_are_cut(messages: list[ToSender], size: int) -> None:
    data = b"".join(map(frame, messages))
    buffer = Buffer()
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    assert [to_sender.decode(body) for piece in pieces for body in buffer.feed(piece)] == messages


def test_results_keep_their_bytes() -> None:
    message = Results(((7, 0, 1.0, 1.1, 1.2, 200, b"\xffHTTP", "", 3, 4, 5.0, 1.1),))
    for sent in (message, Done()):
        assert [from_sender.decode(body) for body in Buffer().feed(frame(sent))] == [sent]

from attacca.worker.runtime.process.guest.output import Ledger, Output


def test_lines_are_sent_whole_however_many_there_are() -> None:
    sent: list[bytes] = []
    out = Output("stdout", 1)
    out.ledger = Ledger(lambda _kind, _number, *parts: sent.append(parts[-1]), 1 << 30)
    for number in range(5000):
        print(number, "hello", file=out)
    out.flush()
    assert len(sent) > 2
    assert all(piece.endswith(b"\n") for piece in sent)
    assert b"".join(sent).splitlines() == [b"%d hello" % number for number in range(5000)]


def test_a_line_without_an_end_is_sent_before_it_grows_too_long() -> None:
    sent: list[bytes] = []
    out = Output("stdout", 1)
    out.ledger = Ledger(lambda _kind, _number, *parts: sent.append(parts[-1]), 1 << 30)
    for _ in range(100):
        out.write("x" * 1000)
    assert sum(map(len, sent)) > 60_000

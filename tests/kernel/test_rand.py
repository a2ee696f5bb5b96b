from attacca.kernel.rand import Streams


def test_a_stream_depends_on_seed_and_name_and_on_no_other_stream() -> None:
    one, other = Streams(1), Streams(1)
    one.stream("elsewhere").random()
    assert one.stream("here").random() == other.stream("here").random()
    assert one.stream("here").random() != one.stream("there").random() != Streams(2).stream("there").random()


def test_no_two_processes_have_the_same() -> None:
    assert Streams.from_entropy().seed != Streams.from_entropy().seed

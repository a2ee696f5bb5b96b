"""Frames come out as they went in, however the pipe holds them."""

import os

from attacca.guest.channel import HEAD, Channel


def frame(number: int, payload: bytes) -> bytes:
    return HEAD.pack(len(payload), 2, number) + payload


def test_a_packet_that_ends_one_frame_and_begins_the_next_is_read_whole() -> None:
    reader, writer = os.pipe2(os.O_DIRECT)
    channel = Channel(reader, -1)
    long, short = frame(1, b"x" * 5000), frame(2, b"y")
    os.write(writer, long[:4096])
    os.write(writer, long[4096:] + short[:5])
    os.write(writer, short[5:])
    assert channel.read() == (2, 1, b"x" * 5000)
    assert channel.read() == (2, 2, b"y")
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_what_lies_behind_one_in_packets_of_their_own_is_left_there() -> None:
    reader, writer = os.pipe2(os.O_DIRECT)
    channel = Channel(reader, -1)
    for number in (1, 2):
        os.write(writer, frame(number, b"x"))
    assert channel.read() == (2, 1, b"x")
    assert os.read(reader, 100) == frame(2, b"x")
    for descriptor in (reader, writer):
        os.close(descriptor)

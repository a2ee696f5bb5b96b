"""The socket by which a Firecracker's guests are reached, with a bridge behind it. Standard library only."""

import contextlib
import queue
import re
import socket
import struct
import threading

from tests.live.microvms.fake.bridge import CALL, DATA, END, HEAD, NOT_TAKEN, PIECE, RESET, TAKEN

FIRST = 1 << 30  # of the numbers that callers are told


class Vsock:
    """Callers at `path` say to which port; what they and the guest say goes over `serial`."""

    def __init__(self, path: str, serial: socket.socket) -> None:
        self._serial = serial
        self._writing = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._count = 0
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        threading.Thread(target=self._take, args=(listener,), daemon=True).start()
        threading.Thread(target=self._hear, daemon=True).start()

    def __repr__(self) -> str:
        return f"<Vsock {len(self._streams)} streams>"

    def reset(self) -> None:
        """All that the guest had before it was saved is closed."""
        self.write(RESET, 0)

    def write(self, what: int, stream: int, data: bytes = b"") -> None:
        with self._writing, contextlib.suppress(OSError):
            self._serial.sendall(HEAD.pack(what, stream, len(data)) + data)

    def _take(self, listener: socket.socket) -> None:
        while True:
            own, _ = listener.accept()
            self._count += 1
            threading.Thread(target=self._serve, args=(own, self._count), daemon=True).start()

    def _serve(self, own: socket.socket, number: int) -> None:
        line = b""
        while not line.endswith(b"\n") and len(line) < 32:
            one = own.recv(1)
            if not one:
                return
            line += one
        found = re.fullmatch(rb"CONNECT ([0-9]+)\n", line)
        if found is None:
            own.close()
            return
        stream = self._streams[number] = Stream(own, number)
        self.write(CALL, number, struct.pack("<I", int(found[1])))
        if not stream.answered.get():
            own.close()
            return
        threading.Thread(target=stream.write, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := own.recv(PIECE):
                self.write(DATA, number, data)
        self.write(END, number)

    def _hear(self) -> None:
        file = self._serial.makefile("rb")
        while head := file.read(HEAD.size):
            what, number, size = HEAD.unpack(head)
            data = file.read(size)
            stream = self._streams.get(number)
            if stream is None:
                continue
            if what in (TAKEN, NOT_TAKEN):
                if what == TAKEN:
                    stream.said.put(b"OK %d\n" % (FIRST + number))
                stream.answered.put(what == TAKEN)
            else:
                stream.said.put(data if what == DATA else b"")


class Stream:
    """Of one caller."""

    def __init__(self, own: socket.socket, number: int) -> None:
        self._own, self._number = own, number
        self.answered: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.said: queue.Queue[bytes] = queue.Queue()

    def __repr__(self) -> str:
        return f"<Stream {self._number}>"

    def write(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.said.get():
                self._own.sendall(data)
        with contextlib.suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)

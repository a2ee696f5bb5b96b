"""In the guest of a machine that is no Firecracker's: streams to its vsock, over one port of virtio-serial.

python bridge.py COMMAND... : becomes that, and goes on beside it. Standard library only.
"""

import contextlib
import os
import socket
import struct
import sys
import threading

HEAD = struct.Struct("<BII")  # what, of which stream, how many bytes follow
CALL, DATA, END, RESET, TAKEN, NOT_TAKEN = range(1, 7)
HERE = 1  # VMADDR_CID_LOCAL
PORT, PIECE = "bridge", 32_768


class Bridge:
    """What is called over `serial` is called here, and what it says goes back."""

    def __init__(self, serial: int) -> None:
        self._serial = serial
        self._writing = threading.Lock()
        self._streams: dict[int, socket.socket] = {}

    def __repr__(self) -> str:
        return f"<Bridge {len(self._streams)} streams>"

    def live(self) -> None:
        while True:
            what, stream, size = HEAD.unpack(self._read(HEAD.size))
            data = self._read(size)
            if what == CALL:
                self._call(stream, int.from_bytes(data, "little"))
            elif what == DATA and stream in self._streams:
                with contextlib.suppress(OSError):
                    self._streams[stream].sendall(data)
            elif what == END and stream in self._streams:
                self._end(self._streams.pop(stream))
            elif what == RESET:
                for one in self._streams.values():
                    self._end(one)
                self._streams.clear()

    def _call(self, stream: int, port: int) -> None:
        one = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        try:
            one.connect((HERE, port))
        except OSError:
            one.close()
            self._write(NOT_TAKEN, stream)
            return
        self._streams[stream] = one
        self._write(TAKEN, stream)
        threading.Thread(target=self._hear, args=(stream, one), daemon=True).start()

    def _hear(self, stream: int, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(PIECE):
                self._write(DATA, stream, data)
        if self._streams.get(stream) is one:
            self._write(END, stream)
        one.close()

    def _end(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

    def _read(self, size: int) -> bytes:
        whole = b""
        while len(whole) < size:
            data = os.read(self._serial, size - len(whole))
            if not data:
                os._exit(0)
            whole += data
        return whole

    def _write(self, what: int, stream: int, data: bytes = b"") -> None:
        with self._writing:
            left = memoryview(HEAD.pack(what, stream, len(data)) + data)
            while left:
                left = left[os.write(self._serial, left) :]


def port() -> int:
    """
    Raises:
        FileNotFoundError: there is none of that name.
    """
    for device in os.listdir("/sys/class/virtio-ports"):
        with open(f"/sys/class/virtio-ports/{device}/name") as file:
            if file.read().strip() == PORT:
                return os.open(f"/dev/{device}", os.O_RDWR)
    raise FileNotFoundError(f"no port is called {PORT}")


if __name__ == "__main__":
    if os.fork() == 0:
        Bridge(port()).live()
    os.execv(sys.argv[1], sys.argv[1:])

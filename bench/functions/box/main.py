"""The least that serves HTTP with bodies on $PORT, over several connections."""

import os
import selectors
import socket

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
server = socket.create_server(("", int(os.environ["PORT"])))
chosen = selectors.DefaultSelector()
chosen.register(server, selectors.EVENT_READ)
begun: dict[socket.socket, bytes] = {}
while True:
    for key, _events in chosen.select():
        if key.fileobj is server:
            new, _ = server.accept()
            new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            chosen.register(new, selectors.EVENT_READ)
            begun[new] = b""
            continue
        client = key.fileobj
        assert isinstance(client, socket.socket)
        if not (data := client.recv(65_536)):
            chosen.unregister(client)
            client.close()
            del begun[client]
            continue
        begun[client] += data
        head, found, body = begun[client].partition(b"\r\n\r\n")
        _, has_length, length = head.lower().partition(b"content-length:")
        size = int(length.split(b"\r\n")[0]) if has_length else 0
        if found and len(body) >= size:
            client.sendall(ANSWER % (size, body[:size]))
            begun[client] = body[size:]

"""Uploads go to the disk piece by piece: the server grows by none of them, and keeps nothing of any."""

import asyncio
import contextlib
import io
import json
import os
import socket
import tarfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from attacca.control.deploy.reception import WAITING_MOST, Reception
from attacca.errors import AttaccaError, BadRequest, PayloadTooLarge, TooManyDeployments
from tests.live.whole import Whole, resident_mb, running, until

HELLO = "def hello(name='world'):\n    return name\n"
MOST_MB = 30  # that four uploads may make the server grow by
KIND = "multipart/form-data; boundary=edge"
FRAME = b'--edge\r\ncontent-disposition: form-data; name="%s"\r\n\r\n'


def part(name: str, content: bytes) -> bytes:
    return FRAME % name.encode() + content + b"\r\n"


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for one in parts:
        yield one


def taken(reception: Reception, *parts: bytes) -> tuple[dict[str, str], bytes]:
    async def main() -> tuple[dict[str, str], bytes]:
        upload = await reception.take(pieces(*parts), KIND)
        with contextlib.closing(upload):
            return upload.fields, upload.code.read()

    return asyncio.run(main())


def test_an_upload_is_sorted_into_its_fields(tmp_path: Path) -> None:
    body = part("code", b"abc") + part("settings", b"{}") + b"--edge--"
    assert taken(Reception(tmp_path, 1, 1), body) == ({"settings": "{}"}, b"abc")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (part("settings", b"{}") + b"--edge--", BadRequest, "code"),
        (part("code", b"") + b"--edge--", BadRequest, "settings"),
        (part("settings", b"{}") * 2, BadRequest, "twice"),
        (part("more", b"{}"), BadRequest, "'more'"),
        (part("settings", b"\xff") + part("code", b"") + b"--edge--", BadRequest, "UTF-8"),
        (part("settings", b"x" * 300_000), PayloadTooLarge, "settings"),
        (part("allow_source_builds", b"x" * 3000), PayloadTooLarge, "allow_source_builds"),
        (part("code", b"x" * 1_100_000), PayloadTooLarge, "1 MB"),
        (part("code", b"x")[:-2], BadRequest, "middle"),
    ],
)
def test_an_upload_that_is_none_gives_its_place_back(
    tmp_path: Path, body: bytes, kind: type[AttaccaError], said: str
) -> None:
    reception = Reception(tmp_path, 1, 1)
    for _ in range(3):
        with pytest.raises(kind, match=said):
            taken(reception, body)
    assert os.listdir(tmp_path) == []
    taken(reception, part("settings", b"{}") + part("code", b"") + b"--edge--")


def test_who_comes_when_all_places_are_taken_waits_and_is_then_refused(tmp_path: Path) -> None:
    async def main() -> None:
        reception = Reception(tmp_path, 2, 1, wait_s=0.05)
        body = part("settings", b"{}") + part("code", b"") + b"--edge--"
        first, second = [await reception.take(pieces(body), KIND) for _ in range(2)]
        with pytest.raises(TooManyDeployments, match="2 deployments"):
            await reception.take(pieces(body), KIND)
        first.close()
        first.close()
        third = await reception.take(pieces(body), KIND)
        with pytest.raises(TooManyDeployments):
            await reception.take(pieces(body), KIND)
        second.close()
        third.close()

    asyncio.run(main())


def test_no_more_wait_than_can_be_remembered(tmp_path: Path) -> None:
    async def main() -> None:
        reception = Reception(tmp_path, 1, 1)
        body = part("settings", b"{}") + part("code", b"") + b"--edge--"
        first = await reception.take(pieces(body), KIND)
        waiting = [asyncio.create_task(reception.take(pieces(body), KIND)) for _ in range(WAITING_MOST)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyDeployments, match="wait already"):
            await reception.take(pieces(body), KIND)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        first.close()
        (await reception.take(pieces(body), KIND)).close()

    asyncio.run(main())


def large(megabytes: int) -> bytes:
    """Does not get smaller when it is packed."""
    buffer, noise = io.BytesIO(), os.urandom(1 << 20)
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as archive:
        for name, content in (("main.py", HELLO.encode()), ("noise.bin", noise * megabytes)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def deploy(whole: Whole, name: str, archive: bytes) -> bytes:
    body = part("settings", json.dumps({"name": name}).encode()) + part("code", archive) + b"--edge--\r\n"
    kind = {"content-type": KIND}
    return whole.ask("POST", "/api/functions", body, kind, wait_s=120).body


def test_four_large_deployments_at_once_do_not_make_the_server_grow(tmp_path: Path) -> None:
    archive = large(100)
    with running(tmp_path / "state") as whole:
        whole.function("bystander", HELLO)
        before_mb = resident_mb(whole.pid)
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda name=f"f{number}": answers.append(deploy(whole, name, archive)))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        peak_mb = before_mb
        while any(thread.is_alive() for thread in threads):
            peak_mb = max(peak_mb, resident_mb(whole.pid))
            threads[0].join(0.01)
        assert [b'"done"' in answer for answer in answers] == [True] * 4
        assert peak_mb - before_mb < MOST_MB
        assert os.listdir(tmp_path / "state" / "tmp") == []


def test_nothing_is_left_of_an_upload_whose_server_is_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state) as whole, socket.create_connection(("127.0.0.1", whole.port)) as client:
        head = "POST /api/functions HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=edge\r\n"
        client.sendall(f"{head}content-length: 100000000\r\n\r\n".encode() + FRAME % b"code" + bytes(8_000_000))
        until(lambda: whole.get("/api/info"), "it goes on answering")
        assert os.listdir(state / "tmp") == []
        whole.kill()
    with running(state) as whole:
        assert os.listdir(state / "tmp") == []
        assert whole.is_well()


def test_an_upload_that_breaks_off_gives_its_place_back(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--set", "control.uploads=1") as whole:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", whole.port)) as client:
                head = "POST /api/functions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n"
                kind = "content-type: multipart/form-data; boundary=edge\r\n\r\n"
                client.sendall((head + kind).encode() + FRAME % b"code" + bytes(1_000_000))
        whole.function("hello", HELLO)

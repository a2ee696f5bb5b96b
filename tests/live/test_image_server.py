"""A function in an image, from its deployment on a whole server to the kill of that."""

from pathlib import Path

from attacca.io.archive import pack
from attacca.model.function import PythonImage
from tests.live.guest_image import Images, laid_out
from tests.live.whole import deployment, running, until_nothing_is_left


def test_one_that_is_deployed_is_forked_and_nothing_is_left_of_a_server_that_is_killed(tmp_path: Path) -> None:
    images = Images(tmp_path / "images")
    images.put("greets", {"main.py": "import sys\ndef handler(event): return [event, sys.executable]"})
    labels = {"attacca.contract": "guest"}
    body = pack(laid_out(tmp_path / "layout", images, "greets", labels))
    with running(tmp_path / "state") as server:
        told = server.ask("POST", "/api/functions", *deployment("greets", body)).body.decode().splitlines()
        assert '"done"' in told[-1], told
        answer = server.call("greets", "Ada")
        assert (answer.value, answer.headers["x-attacca-start"]) == (["Ada", "/usr/bin/python3"], "template")
        kinds = server.get("/api/nodes")[0]["machine"]["networks"]
        assert PythonImage.what in kinds
        assert len(server.family()) > 3
        server.process.kill()
        server.end()
        until_nothing_is_left(server)

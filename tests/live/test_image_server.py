"""A function in an image, from its deployment on a whole server to the kill of that."""

from pathlib import Path

from attacca.io.archive import pack
from attacca.model.function import PythonImage
from tests.live.guest_image import Images, laid_out
from tests.live.whole import deployment, running, until_nothing_is_left


def test_one_that_is_deployed_is_forked_and_nothing_is_left_of_a_server_that_is_killed(tmp_path: Path) -> None:
    images, state = Images(tmp_path / "images"), tmp_path / "state"
    images.put("greets", {"main.py": "import sys\ndef handler(event): return [event, sys.executable]"})
    labels = {"attacca.contract": "guest"}
    body = pack(laid_out(tmp_path / "layout", images, "greets", labels))
    with running(state) as first:
        told = first.ask("POST", "/api/functions", *deployment("greets", body)).body.decode().splitlines()
        assert '"done"' in told[-1], told
        answer = first.call("greets", "Ada")
        assert (answer.value, answer.headers["x-attacca-start"]) == (["Ada", "/usr/bin/python3"], "template")
        kinds = first.get("/api/nodes")[0]["machine"]["networks"]
        assert PythonImage.what in kinds
        assert len(first.family()) > 3
        first.process.kill()
        first.end()
        until_nothing_is_left(first)
    with running(state) as second:
        assert second.call("greets", "Ada").value == answer.value

import json
from pathlib import Path
from typing import Any

import pytest

from attacca.errors import AttaccaError, IsolationMissing
from attacca.model.function import PythonImage, Revision, Settings, Signature
from attacca.model.image import ImageConfig, UnpackedImage
from attacca.worker.runtime.process.description import describe, no_secret
from attacca.worker.runtime.process.options import ProcessOptions
from tests.cases import each


def told(config: ImageConfig, places: tuple[Path, Path] | None = None, **settings: Any) -> dict[str, Any]:
    revision = Revision(
        function="f",
        number=1,
        settings=Settings(name="f", **settings),
        handler="main:handler",
        signature=Signature.EVENT,
        artefact=PythonImage("d" * 64),
    )
    image = UnpackedImage("d" * 64, "/state/images/rootfs/" + "e" * 64, config)
    found: dict[str, Any] = json.loads(
        describe(revision, ProcessOptions(), no_secret, places, image, template=False, has_groups=True)
    )
    return found


@each("said, begins", [(None, "/"), ("", "/"), ("/app", "/app"), ("app", "/app")])
def test_code_in_an_image_is_where_the_image_begins(said: str | None, begins: str) -> None:
    found = told(ImageConfig(working_dir=said))
    assert (found["code"], found["bundle"], found["image"]) == (begins, None, "e" * 64)


def test_variables_are_those_of_the_image_unless_a_setting_says_otherwise() -> None:
    config = ImageConfig(env=("PATH=/opt/bin", "A=1", "B=1"))
    assert told(config, env={"B": "2"})["env"] == {"PATH": "/opt/bin", "A": "1", "B": "2"}
    assert told(ImageConfig())["env"] == {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def test_what_processes_do_not_have_is_refused_in_an_image_too() -> None:
    with pytest.raises(AttaccaError, match="publish is of containers"):
        told(ImageConfig(), publish=("5432:5432",))
    with pytest.raises(IsolationMissing, match="Python in an image needs isolation"):
        told(ImageConfig(), (Path("/code"), Path("/bundles")))

import pytest

from attacca.control.core.changes import artefact
from attacca.control.core.events import Made
from attacca.control.deploy.build import has_handler
from attacca.errors import BadFunction
from attacca.model.function import Image, PythonImage, RuntimeKind, Settings
from attacca.model.image import ImageConfig
from tests.cases import each

GUEST = {"attacca.contract": "guest"}


@each(
    "labels, runtime, is_so",
    [
        ({}, RuntimeKind.AUTO, False),
        ({}, RuntimeKind.CONTAINER, False),
        ({}, RuntimeKind.PROCESS, True),
        (GUEST, RuntimeKind.AUTO, True),
        (GUEST, RuntimeKind.PROCESS, True),
    ],
)
def test_an_image_has_a_function_for_its_python_where_it_or_its_settings_say_so(
    labels: dict[str, str], runtime: RuntimeKind, *, is_so: bool
) -> None:
    assert has_handler(ImageConfig(labels=labels), runtime) is is_so
    made = Made("code", None, image="d", has_handler=is_so)
    assert artefact(made, Settings(name="f", runtime=runtime)) == (PythonImage("d") if is_so else Image("d"))


def test_no_container_is_made_of_one_whose_label_names_none_of_its_contracts() -> None:
    with pytest.raises(BadFunction, match="no contract of runtime"):
        has_handler(ImageConfig(labels=GUEST), RuntimeKind.CONTAINER)

import importlib.util
from pathlib import Path

from attacca.model.function import PythonImage
from examples import run

PLACE = Path(run.__file__).parent / "in-image"


def test_it_greets_and_is_told_apart_from_a_container() -> None:
    spec = importlib.util.spec_from_file_location("in_image", PLACE / "visitors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.handler({"visitor": "Ada"})["greeting"].startswith("Ada, this is Python 3.")
    (other,) = [one for one in run.OTHERS if one.handler]
    assert (other.kind, other.place, other.example.input.is_file()) == (PythonImage.what, PLACE, True)

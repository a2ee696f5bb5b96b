"""What may begin with much of the standard library imported: who has libraries, and could not tell."""

from pathlib import Path

import msgspec
import pytest

from attacca.model.function import PythonDirectory, PythonImage, Revision, SecretAs
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process import furnishing
from attacca.worker.runtime.process.furnishing import Furnishing
from tests.gateway.play import revision

LIBRARIES = (
    "fastapi/__init__.py",
    "fastapi/types.py",
    "fastapi-1.0.dist-info/METADATA",
    "six.py",
    "_fast.cpython-311-x86_64-linux-gnu.so",
)


def house(place: Path, code: tuple[str, ...], bundle: tuple[str, ...] | None) -> Furnishing:
    furnishing._names.cache_clear()
    for top, files in (("code/c", code), ("bundles/b", bundle or ())):
        (place / top).mkdir(parents=True)
        for name in files:
            (place / top / name).parent.mkdir(parents=True, exist_ok=True)
            (place / top / name).touch()
    return Furnishing(SharedCode(place))


def of(bundle: str | None, **env: str) -> Revision:
    made = revision("f")
    settings = msgspec.structs.replace(made.settings, env=env)
    return msgspec.structs.replace(made, artefact=PythonDirectory("c", bundle), settings=settings)


@pytest.mark.parametrize(
    ("code", "bundle", "is_fit"),
    [
        (("main.py",), None, False),
        (("main.py",), LIBRARIES, True),
        (("main.py", *LIBRARIES), None, True),
        (("main.py", "app/__init__.py", "app/types.py", "app/http/__init__.py"), LIBRARIES, True),
        (("main.py", "tests/test_main.py", "test/data.json"), LIBRARIES, True),
        (("main.py", "email.json"), LIBRARIES, True),
        (("main.py", "email.py"), LIBRARIES, False),
        (("main.py", "queue/__init__.py"), LIBRARIES, False),
        (("main.py", "src/uuid.py"), LIBRARIES, False),
        (("main.py", "third/party/calendar.py"), LIBRARIES, False),
        (("main.py", "_decimal.cpython-311-x86_64-linux-gnu.so"), LIBRARIES, False),
        (("main.py",), (*LIBRARIES, "dataclasses.py"), False),
        (("main.py",), (*LIBRARIES, "typing/__init__.py"), False),
        (("main.py",), (*LIBRARIES, "gevent/__init__.py"), False),
    ],
    ids=str,
)
def test_who_has_libraries_and_nothing_of_the_standard_librarys_names(
    code: tuple[str, ...],
    bundle: tuple[str, ...] | None,
    is_fit: bool,  # noqa: FBT001 - a table
    tmp_path: Path,
) -> None:
    assert house(tmp_path, code, bundle).suits(of("b" if bundle else None)) is is_fit


@pytest.mark.parametrize(
    ("env", "is_fit"),
    [
        ({"LOG_LEVEL": "debug"}, True),
        ({"PYTHONPATH": "/function/lib"}, False),
        ({"PYTHONTZPATH": ""}, False),
        ({"OPENSSL_CONF": "/tmp/own"}, False),
    ],
    ids=str,
)
def test_not_whose_variables_change_what_is_imported(env: dict[str, str], is_fit: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a table
    assert house(tmp_path, ("main.py",), LIBRARIES).suits(of("b", **env)) is is_fit
    secret = msgspec.structs.replace(
        of("b"), settings=msgspec.structs.replace(of("b").settings, secrets=dict.fromkeys(env, SecretAs.ENV))
    )
    assert Furnishing(SharedCode(tmp_path)).suits(secret) is is_fit


def test_nor_of_what_nobody_can_tell(tmp_path: Path) -> None:
    them = house(tmp_path, tuple(f"{number}/a" for number in range(furnishing.LOOKED_AT)), LIBRARIES)
    assert not them.suits(of("b")), "too many directories"
    assert not them.suits(of("lost"))
    image = msgspec.structs.replace(of("b"), artefact=PythonImage("i" * 64))
    assert not them.suits(image)
    assert repr(them) == f"<Furnishing from <SharedCode {tmp_path}>>"


def test_a_directory_is_looked_at_once(tmp_path: Path) -> None:
    them = house(tmp_path, ("main.py",), LIBRARIES)
    assert them.suits(of("b"))
    (tmp_path / "code" / "c" / "email.py").touch()
    assert them.suits(of("b"))

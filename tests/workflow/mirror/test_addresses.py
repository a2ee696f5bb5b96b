from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.workflow.mirror.addresses import address
from attacca.workflow.mirror.config import MirrorConfig
from tests.cases import each


def test_it_is_a_redis_server(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open\n")
    found = address(MirrorConfig(url="redis://ann@host:6380/2", password_file=tmp_path / "password"))
    assert (found.hosts, found.database, found.password) == ((("host", 6380),), 2, "open")


@each("url", ["sqlite:", "etcd://host", "http://host", "redis://", "redis://a:1,b:2", "redis://h?prefix=x"])
def test_what_is_none_is_refused_by_the_name_of_the_setting(url: str) -> None:
    with pytest.raises(BadConfig, match=r"^workflows\.mirror\.url") as caught:
        address(MirrorConfig(url=url))
    assert "redis://host" in caught.value.hint
    assert "secret" not in str(caught.value)


def test_no_password_is_shown() -> None:
    with pytest.raises(BadConfig) as caught:
        address(MirrorConfig(url="redis://ann:secret@host:x"))
    assert "secret" not in caught.value.message

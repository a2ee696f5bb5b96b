import msgspec
import pytest

from attacca.workflow.config import WorkflowsConfig
from tests.cases import each


@each("port", [1, 8080, 65_535])
def test_an_address_has_a_port(port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    assert msgspec.convert({"edgeless_url": url}, WorkflowsConfig).edgeless_url == url


@each("url", ["http://127.0.0.1:65536", "http://127.0.0.1:99999", "http://[::1", "http://127.0.0.1", "127.0.0.1:80"])
def test_what_is_none_is_refused(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"edgeless_url": url}, WorkflowsConfig)

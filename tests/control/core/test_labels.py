import pytest

from attacca.control.core.labels import is_function, settings
from attacca.errors import BadConfig
from attacca.model.function import RuntimeKind, SecretAs, Settings
from tests.cases import each


def test_labels_are_settings() -> None:
    labels = {
        "attacca.memory_mb": "256", "attacca.timeout_s": "2.5", "attacca.idempotent": "true", "attacca.env.A": "1",
        "attacca.secrets.KEY": "file", "attacca.cors": "* http://a.b", "maintainer": "me",
    }  # fmt: skip
    assert settings("fn", labels) == Settings(
        name="fn",
        runtime=RuntimeKind.CONTAINER,
        memory_mb=256,
        timeout_s=2.5,
        idempotent=True,
        env={"A": "1"},
        secrets={"KEY": SecretAs.FILE},
        cors=("*", "http://a.b"),
    )
    assert settings("fn", {}) == Settings(name="fn", runtime=RuntimeKind.CONTAINER)
    guest = {"attacca.contract": "guest", "attacca.handler": "main:handler"}
    assert settings("fn", guest) == Settings(name="fn", runtime=RuntimeKind.PROCESS, handler="main:handler")


@each(
    "labels, complaint",
    [
        ({"attacca.memory": "1"}, "unknown field `memory`"),
        ({"attacca.memory_mb": "much"}, "memory_mb"),
        ({"attacca.name": "other"}, "is called as its repository"),
        ({"attacca.env": "A=1"}, "env"),
        ({"attacca.env": "A=1", "attacca.env.A": "1"}, "env"),
        ({"attacca.min_sandboxes": "5", "attacca.max_sandboxes": "1"}, "must not exceed"),
        ({f"attacca.env.A{number}": "" for number in range(201)}, "has 201 labels"),
    ],
)
def test_what_is_no_setting_is_refused(labels: dict[str, str], complaint: str) -> None:
    with pytest.raises(BadConfig, match=complaint):
        settings("fn", labels)


def test_which_repositories_are_functions() -> None:
    names = ("fn", "my-fn", "team/fn", "my_fn", "1fn", "a" * 64)
    assert [name for name in names if is_function(name)] == ["fn", "my-fn"]

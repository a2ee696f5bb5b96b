from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.io.store.address import Address, masked, parse
from tests.cases import each


def test_sqlite_lies_in_the_state_directory_or_where_it_is_said() -> None:
    assert parse("sqlite:") == Address(kind="sqlite")
    assert parse("sqlite:/var/lib/state.db").path == "/var/lib/state.db"


def test_redis_with_all_that_it_may_be_told() -> None:
    address = parse("rediss://ann:p%40ss@store.example:7000/3?prefix=home&ca=/ca.pem")
    assert address == Address(
        kind="redis", hosts=(("store.example", 7000),), user="ann", password="p@ss", database=3, prefix="home",
        has_tls=True, ca="/ca.pem",
    )  # fmt: skip


def test_etcd_has_several_members() -> None:
    assert parse("etcd://a,b:4000,[::1]:5000").hosts == (("a", 2379), ("b", 4000), ("::1", 5000))


def test_a_password_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("opensesame\n")
    assert parse("redis://ann@host", secret).password == "opensesame"
    with pytest.raises(BadConfig, match=r"password_file = .* cannot be read"):
        parse("redis://host", tmp_path / "none")


def test_nobody_is_shown_a_password() -> None:
    url = "redis://ann:opensesame@host:6379/0"
    assert masked(url) == "redis://ann:***@host:6379/0"
    assert masked("redis://:opensesame@host") == "redis://:***@host"
    assert str(parse(url)) == "redis://host:6379"
    assert repr(parse(url)) == "Address('redis://host:6379')"
    with pytest.raises(BadConfig) as caught:
        parse("redis://ann:opensesame@host:0/0")
    assert "opensesame" not in caught.value.message


@each(
    "url, reason",
    {
        "": "none that attacca knows",
        "mysql://host": "none that attacca knows",
        "redis:host": "none that attacca knows",
        "redis://": "no host",
        "redis://host:99999": "no host",
        "redis://a,b": "one host",
        "redis://host/first": "no number of a database",
        "etcd://host/1": "no number of a database",
        "redis://host?colour=red": "no option",
        "redis://host?ca=/ca.pem": "not rediss://",
        "etcd://host?prefix=../x": "no word",
        "etcd://[::1": "",
    }.items(),
)
def test_what_is_no_address_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(url)
    assert reason in caught.value.message
    assert "redis://host:6379/0" in caught.value.hint


def test_a_file_for_tls_that_is_not_there_is_named() -> None:
    with pytest.raises(BadConfig, match=r"/nowhere\.pem"):
        parse("etcds://host?ca=/nowhere.pem").tls()
    assert parse("etcd://host").tls() is None

from pathlib import Path

import msgspec
import pytest

from attacca.cli.serve.cluster import (
    JOIN_TOKEN,
    ClusterConfig,
    advertised,
    certificates,
    fresh_name,
    given_key,
    kept_name,
    leave_key,
    listened,
    ticket,
)
from attacca.errors import BadConfig, StateUnavailable
from attacca.kernel.rand import Streams

CHANCE = Streams(1).stream("name")


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(ValueError, match="'nowhere' is not HOST:PORT"):
        ClusterConfig(control=("nowhere",))
    with pytest.raises(ValueError, match="99999"):
        ClusterConfig(listen="127.0.0.1:99999")


def test_links_beyond_this_machine_need_certificates(tmp_path: Path) -> None:
    assert certificates(ClusterConfig()) is None
    with pytest.raises(BadConfig, match="as they are") as refused:
        certificates(ClusterConfig(control=("10.0.0.1:7700",)))
    assert "attacca certs" in refused.value.hint
    with pytest.raises(BadConfig, match="cannot be used"):
        certificates(ClusterConfig(certs=tmp_path))
    assert listened(ClusterConfig(certs=tmp_path, listen="10.0.0.1:1")) == ("10.0.0.1", 1)


def test_links_that_everybody_could_read_are_refused() -> None:
    assert listened(ClusterConfig(listen="[::1]:7")) == ("::1", 7)
    with pytest.raises(BadConfig, match="as they are"):
        listened(ClusterConfig(listen="0.0.0.0:7700"))


def test_others_are_told_where_it_listens_unless_it_says_otherwise() -> None:
    assert advertised(ClusterConfig(), "127.0.0.1", 5) == "127.0.0.1:5"
    assert advertised(ClusterConfig(), "::1", 5) == "[::1]:5"
    assert advertised(ClusterConfig(advertise="h.example"), "127.0.0.1", 5) == "h.example:5"
    assert advertised(ClusterConfig(advertise="h.example:9"), "127.0.0.1", 5) == "h.example:9"


def test_the_join_token_is_left_for_those_beside_and_read_by_nobody_else(tmp_path: Path) -> None:
    key = leave_key(tmp_path, "sesame")
    assert key == leave_key(tmp_path, "sesame") == b"sesame"
    assert (tmp_path / "join_token").stat().st_mode & 0o777 == 0o600
    assert given_key(ClusterConfig(), {}, tmp_path) == key
    assert given_key(ClusterConfig(), {JOIN_TOKEN: "other\n"}, tmp_path) == b"other"


def test_who_has_no_join_token_is_told_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no join token") as refused:
        given_key(ClusterConfig(), {}, tmp_path)
    assert "attacca token join" in refused.value.hint
    with pytest.raises(StateUnavailable, match="cannot be read"):
        given_key(ClusterConfig(join_token_file=tmp_path / "none"), {}, tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(BadConfig, match="is empty"):
        given_key(ClusterConfig(join_token_file=tmp_path / "empty"), {}, tmp_path)


def test_a_name_is_kept_and_says_the_machine(tmp_path: Path) -> None:
    name = kept_name(tmp_path, "worker", CHANCE)
    assert name.startswith("worker-")
    assert kept_name(tmp_path, "worker", CHANCE) == name
    assert fresh_name("worker", CHANCE) != name
    assert msgspec.convert({"name": name}, ClusterConfig).name == name


def test_two_processes_of_one_name_are_told_apart_and_no_key_is_shown() -> None:
    one, other = (ticket("worker", "w", b"sesame").hello() for _ in range(2))
    assert one != other
    assert "sesame" not in f"{one!r} {ticket('worker', 'w', b'sesame')!r}"

"""What `attacca bench runtimes` says of what it found."""

from pathlib import Path

import msgspec
import pytest

from attacca.errors import NotFound
from attacca.lab.kinds import KINDS, Places
from attacca.lab.runtimes import Cost, Costs, chosen, merged, read, rows

FOUND = Costs(
    at=1.0,
    machine={"system": "Linux"},
    runtimes=(
        Cost(
            name="process", runtime="process", isolation="namespaces", needs="root", memory_mb=1.25,
            starts={
                "cold": {"total": 57.7, "sandbox": 36.4, "code": 0.6, "imports": 1.5, "run": 0.0, "overhead": 11.3},
                "template": {"total": 9.94}, "warm": {"total": 0.374}, "deployed": {"total": 11.2},
                "restarted": {"total": 62.5},
            },
        ),
        Cost(
            name="by-crun", runtime="container, crun", isolation="files", needs="crun",
            starts={
                "cold": {"total": 215.2, "sandbox": 60.1, "network": 0.2, "image": 1.5, "readiness": 140.5, "run": 1.1},
                "warm": {"total": 5.1},
            },
        ),
        Cost(name="by-docker", runtime="container, docker", isolation="", needs="", missing="nobody listens"),
    ),
)  # fmt: skip


def test_the_table_has_what_was_measured() -> None:
    assert list(rows(FOUND)) == [
        ("`process`", "namespaces", "11 ms", "62 ms", "58 ms", "9.9 ms", "0.37 ms", "1.2 MB", "root"),
        ("`container`, crun", "files", "", "", "215 ms", "", "5.1 ms", "", "crun"),
    ]


def test_all_are_measured_unless_some_are_named_in_the_order_of_the_table() -> None:
    assert chosen(()) == KINDS
    assert [kind.name for kind in chosen(["by-crun", "process"])] == ["process", "by-crun"]
    with pytest.raises(NotFound, match="there is no runtime 'x'"):
        chosen(["process", "x"])


def test_every_runtime_has_a_name_of_its_own_that_a_function_may_have() -> None:
    names = [kind.name for kind in KINDS]
    assert sorted(set(names)) == sorted(names)
    assert [name for name in names if not name.replace("-", "").isalnum()] == []


def test_what_is_measured_anew_takes_the_place_of_what_was_and_the_rest_stays() -> None:
    process, _, docker = FOUND.runtimes
    anew, cluster = (
        Cost(name=name, runtime=name, isolation="", needs="", memory_mb=2.0) for name in ("by-crun", "kubernetes")
    )
    whole = merged(FOUND, Costs(at=2.0, runtimes=(cluster, anew)))
    assert (whole.at, whole.runtimes) == (2.0, (process, anew, docker, cluster))
    assert merged(Costs(), FOUND) == FOUND


def test_a_cluster_is_measured_where_one_is_named_that_is_there(tmp_path: Path) -> None:
    (kind,) = chosen(["kubernetes"])
    assert "--kubeconfig FILE, --image NAME" in kind.missing(Places())
    assert "No such file" in kind.missing(Places(kubeconfig=str(tmp_path / "none"), image="x:1"))
    with kind.source(tmp_path, "x:1") as source:
        settings = source.settings
        assert (settings.name, settings.runtime, settings.image) == ("kubernetes", "kubernetes", "x:1")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "runtimes.json"
    file.write_bytes(msgspec.json.encode(FOUND))
    assert read(file) == FOUND
    for text in ("", "{", '{"runtimes": 1}', "[" * 10_000):
        file.write_text(text)
        with pytest.raises(NotFound, match="cannot be read"):
            read(file)

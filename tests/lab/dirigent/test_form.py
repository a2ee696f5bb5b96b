import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadRequest
from attacca.lab.dirigent.form import read, registered, rescaled
from attacca.model.function import Scheduling

LOADERS = (  # as InVitro sends it
    b"cold_start_busy_loop_ms=&env_vars=A%3D1&env_vars=B%3Dx%3Dy&image=docker.io%2Fa%2Fb&name=warm-function-1&node_port=0"
    b"&port_forwarding=80&port_forwarding=tcp&prepull_mode=&requested_cpu=100&requested_gpu=0&requested_memory=256"
    b"&scaling_lower_bound=1&scaling_upper_bound=1024"
)


def test_what_the_loader_sends_is_understood() -> None:
    asked = registered(read(LOADERS), Scheduling.CLUSTER)
    assert (asked.name, asked.image, asked.scheduling) == ("warm-function-1", "docker.io/a/b", Scheduling.CLUSTER)
    assert asked.env == {"A": "1", "B": "x=y"}
    assert asked.flags == {
        "name": "warm-function-1", "memory_mb": 256, "min_sandboxes": 1, "queue": 10_000, "max_sandboxes": 1024,
    }  # fmt: skip


def test_no_upper_bound_is_none_and_little_memory_is_enough_for_an_interpreter() -> None:
    form = read(
        b"name=f&image=i&port_forwarding=80&port_forwarding=udp&scaling_upper_bound=2147483647&requested_memory=1"
    )
    asked = registered(form, Scheduling.WORKER)
    assert "max_sandboxes" not in asked.flags
    assert asked.flags["memory_mb"] == 64


@pytest.mark.parametrize(
    ("form", "why"),
    [
        (b"image=i", "name is missing"),
        (b"name=f", "image is missing"),
        (b"name=f&image=i&port_forwarding=80", "port_forwarding"),
        (b"name=f&image=i&port_forwarding=x&port_forwarding=tcp", "port_forwarding"),
        (b"name=f&image=i&port_forwarding=80&port_forwarding=sctp", "port_forwarding"),
        (b"name=f&image=i&port_forwarding=80&port_forwarding=tcp&requested_memory=-1", "requested_memory"),
        (b"name=f&image=i&port_forwarding=80&port_forwarding=tcp&scaling_upper_bound=0", "scaling_upper_bound"),
        (
            b"name=f&image=i&port_forwarding=80&port_forwarding=tcp&scaling_upper_bound=1&scaling_lower_bound=2",
            "is less than scaling_lower_bound",
        ),
        (b"name=f&image=i&port_forwarding=80&port_forwarding=tcp&env_vars=A", "NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_named(form: bytes, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        registered(read(form), Scheduling.CLUSTER)


def test_bounds_are_changed_and_nothing_else() -> None:
    assert rescaled(read(b"function=f&scaling_upper_bound=3")) == ("f", {"max_sandboxes": 3})
    assert rescaled(read(b"function=f&scaling_lower_bound=1&scaling_upper_bound=3")) == (
        "f",
        {"min_sandboxes": 1, "max_sandboxes": 3},
    )
    with pytest.raises(BadRequest, match="panic_threshold_percentage cannot be set here"):
        rescaled(read(b"function=f&panic_threshold_percentage=3"))
    with pytest.raises(BadRequest, match="function is missing"):
        rescaled(read(b"scaling_upper_bound=3"))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        registered(read(body), Scheduling.CLUSTER)

"""Who holds how much of which device, and who must go for whom."""

from hypothesis import given
from hypothesis import strategies as st

from attacca.model.machine import Device
from attacca.model.resources import Resources
from attacca.worker.core.devices import Devices, count_of, with_devices
from tests.cases import each
from tests.worker.stage import revision

TWO = (Device(name="a", memory_mb=1000), Device(name="b", memory_mb=2000))
HALF, WHOLE, BOTH = Resources(0, 0.0, 0.5), Resources(0, 0.0, 1.0), Resources(0, 0.0, 2.0)


def memory(mb: int, share: float = 0.1) -> Resources:
    return Resources(0, 0.0, share, 0.0, mb)


def test_the_emptiest_is_given_and_what_fits_all_together_may_fit_none() -> None:
    devices = Devices(TWO)
    assert [devices.give(name, Resources(0, 0.0, 0.6))[0].name for name in ("one", "two")] == ["a", "b"]
    assert devices.place(Resources(0, 0.0, 0.6)) == ()
    assert devices.place(HALF) == ()
    assert devices.place(Resources(0, 0.0, 0.4)) == ("a",)
    devices.take_back("one")
    assert devices.place(WHOLE) == ("a",)
    assert devices.where("two") == ("b",)
    assert repr(devices) == "<Devices 2 there, 0 gone, 1 parts held>"
    assert repr(devices.held["b"]) == "<Held b: 0.6 and 1200 of 2000 MB, 1 sandboxes>"


@each("asked, could", [(HALF, True), (BOTH, True), (memory(2000), True), (memory(2001), False), (BOTH * 2, False)])
def test_what_could_ever_fit(asked: Resources, could: bool) -> None:  # noqa: FBT001 - of a table
    assert Devices(TWO).could(asked) == could


def test_memory_is_counted_where_it_is_known() -> None:
    devices = Devices((*TWO, Device(name="c")))
    assert devices.give("one", memory(1500))[0].name == "b"
    assert devices.place(memory(1500)) == ("c",)
    assert devices.place(memory(1000)) == ("a",)


def test_whole_ones_take_as_many_as_they_say() -> None:
    devices = Devices(TWO)
    assert [device.name for device in devices.give("one", BOTH)] == ["a", "b"]
    assert devices.place(Resources(0, 0.0, 0.1)) == ()
    assert devices.where("one") == ("a", "b")


def test_the_fewest_go_and_only_from_one_device() -> None:
    devices = Devices(TWO)
    for name, asked in (("one", HALF), ("two", HALF), ("three", HALF), ("four", memory(0, 0.3))):
        devices.give(name, asked)
    assert [devices.where(name) for name in ("one", "two", "three", "four")] == [("a",), ("b",), ("a",), ("b",)]
    order = ["three", "one", "four", "two"]
    assert devices.victims(HALF, [], order) == ["three"]
    assert devices.victims(WHOLE, [], order) == ["three", "one"]
    assert devices.victims(WHOLE, ["one"], order) == ["three"]
    assert devices.victims(WHOLE, ["one", "three"], order) == []
    assert devices.victims(BOTH, [], order) == ["three", "one", "four", "two"]
    assert devices.victims(WHOLE, [], ["one", "four"]) is None
    assert devices.victims(BOTH * 2, [], order) is None


def test_one_that_disappears_takes_its_sandboxes_and_comes_back_as_it_was() -> None:
    devices = Devices(TWO)
    devices.give("one", WHOLE)
    devices.give("two", HALF)
    assert devices.see(["b"]) == ["one"]
    assert devices.place(WHOLE) == ()
    assert devices.see(["b"]) == []
    devices.take_back("one")
    assert devices.see(["a", "b", "stranger"]) == []
    assert devices.place(WHOLE) == ("a",)


def test_a_sandbox_is_told_of_its_devices_by_its_environment() -> None:
    of = revision("f", gpu=0.25, gpu_memory_mb=900, env={"A": "b", "CUDA_VISIBLE_DEVICES": "all"})
    told = with_devices(of, [Device(name="GPU-12", number=1)])
    assert told.settings.env == {
        "A": "b",
        "CUDA_VISIBLE_DEVICES": "GPU-12",
        "NVIDIA_VISIBLE_DEVICES": "1",
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "25",
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=900M",
    }
    whole = with_devices(revision("f", gpu=2), [Device(name="0"), Device(name="GPU-9")])
    assert whole.settings.env == {"CUDA_VISIBLE_DEVICES": "0,GPU-9", "NVIDIA_VISIBLE_DEVICES": "0,GPU-9"}


ASKED = st.builds(memory, st.sampled_from((0, 300, 900)), st.sampled_from((0.25, 0.5, 1.0, 2.0)))


@given(st.lists(st.tuples(ASKED, st.booleans()), max_size=12))
def test_nothing_is_ever_given_twice_and_who_goes_makes_room(steps: list[tuple[Resources, bool]]) -> None:
    devices, held = Devices(TWO), dict[str, Resources]()
    for number, (asked, evicts) in enumerate(steps):
        chosen = devices.victims(asked, [], held) if evicts else None
        for name in chosen or []:
            devices.take_back(name)
            del held[name]
        if chosen is not None:
            assert devices.place(asked), "they went for nothing"
        if devices.place(asked):
            given_to = devices.give(str(number), asked)
            assert len(given_to) == count_of(asked)
            held[str(number)] = asked
        for one in devices.held.values():
            assert one.share <= 1
            assert one.memory_mb <= one.device.memory_mb

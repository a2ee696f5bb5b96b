from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from attacca.io.haproxy import Address, Balancer, Slot, addresses, orders, slots

STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port
3 attacca 1 gateway1 127.0.0.1 2 0 1 1 8080
3 attacca 2 gateway2 127.0.0.1 0 5 1 1 1

"""
NOWHERE = ("127.0.0.1", 1)


def test_what_it_says_of_its_servers_is_read() -> None:
    assert slots(STATE) == [Slot("gateway1", ("127.0.0.1", 8080), is_up=True), Slot("gateway2", NOWHERE, is_up=False)]
    assert slots("Can't find backend.\n") == []


def test_who_joins_is_given_a_slot_and_who_goes_gives_it_back() -> None:
    there = slots(STATE)
    assert orders("attacca", there, [("127.0.0.1", 8080)]) == []
    assert orders("attacca", there, [("127.0.0.1", 8080), ("10.0.0.2", 80)]) == [
        "set server attacca/gateway2 addr 10.0.0.2 port 80",
        "set server attacca/gateway2 state ready; set server attacca/gateway2 health down",
    ]
    assert orders("attacca", there, []) == ["set server attacca/gateway1 state maint"]
    assert orders("attacca", [Slot("g", ("10.0.0.2", 80), is_up=False)], [("10.0.0.2", 80)]) == [
        "set server attacca/g state ready; set server attacca/g health down"
    ]


ADDRESSES = st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2"]), st.integers(1, 4))


@given(st.lists(st.tuples(ADDRESSES, st.booleans()), max_size=6, unique_by=lambda one: one[0]), st.sets(ADDRESSES))
def test_when_all_is_done_nothing_is_left_to_do(state: list[tuple[Address, bool]], wanted: set[Address]) -> None:
    there = {f"s{n}": Slot(f"s{n}", address, is_up=is_up) for n, (address, is_up) in enumerate(state)}
    for order in orders("b", there.values(), sorted(wanted)):
        words = order.partition(";")[0].split()
        name = words[2].removeprefix("b/")
        if words[3] == "addr":
            there[name] = there[name]._replace(address=(words[4], int(words[6])))
        else:
            there[name] = there[name]._replace(is_up=words[4] == "ready")
    up = {slot.address for slot in there.values() if slot.is_up}
    assert up <= wanted
    assert len(up) == min(len(wanted), len(there))
    assert orders("b", there.values(), sorted(wanted)) == [] or len(wanted) > len(there)


def test_names_are_no_addresses() -> None:
    assert addresses(["http://10.0.0.2:8080", "http://[::1]", "http://host:80", ""]) == [
        ("10.0.0.2", 8080),
        ("::1", 80),
    ]
    assert repr(Balancer(Path("/s"), "b", dict)) == "<Balancer b at /s: 0 orders>"

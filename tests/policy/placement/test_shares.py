from attacca.model.resources import Resources
from attacca.policy.placement.bin_packing import BinPacking
from attacca.policy.placement.least_loaded import LeastLoaded
from tests.policy.placement.machines import SMALL, Facts, made, placed


def fleet() -> list[Facts]:
    return [Facts("ant", Resources(256)), Facts("bee", Resources(512), Resources(128)), Facts("cat", Resources(512))]


def test_the_fullest_is_filled_before_another_is_begun() -> None:
    assert placed(made(BinPacking(), fleet()), fleet(), [SMALL]) == ["ant"]
    workers = fleet()
    assert placed(made(BinPacking(), workers), workers, [SMALL] * 5) == ["ant", "ant", "bee", "bee", "bee"]


def test_the_emptiest_gets_it_and_equals_go_by_name() -> None:
    workers = fleet()
    assert placed(made(LeastLoaded(), workers), workers, [SMALL] * 5) == ["cat", "ant", "bee", "cat", "bee"]

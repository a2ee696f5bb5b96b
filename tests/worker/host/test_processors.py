from attacca.worker.host.processors import quota_us, shares, weight
from tests.cases import each


@each(
    "cpus, of_version_1, of_version_2",
    [(None, 1024, 100), (1.0, 1024, 100), (0.5, 512, 50), (4.0, 4096, 400), (1e-6, 2, 1), (1e6, 262_144, 10_000)],
)
def test_a_group_counts_as_many_times_as_it_has_processors(
    cpus: float | None, of_version_1: int, of_version_2: int
) -> None:
    assert shares(cpus) == of_version_1
    assert weight(cpus) == of_version_2


def test_the_kernel_takes_no_quota_under_a_millisecond() -> None:
    assert [quota_us(cpus) for cpus in (0.0001, 0.5, 2.0)] == [1_000, 50_000, 200_000]

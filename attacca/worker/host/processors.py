"""Processors in the numbers of cgroups: how much time a group may have, and what it counts for when time is short.

A group without a number of processors of its own counts as much as one with one: what each kernel gives by itself.
"""

PERIOD_US, LEAST_US = 100_000, 1_000  # the kernel takes no smaller quota
SHARES, LEAST_SHARES, MOST_SHARES = 1024, 2, 1 << 18  # of version 1, which takes no others
WEIGHT, LEAST_WEIGHT, MOST_WEIGHT = 100, 1, 10_000  # of version 2, likewise


def quota_us(cpus: float) -> int:
    """Microseconds of processor time in each period of PERIOD_US."""
    return max(int(cpus * PERIOD_US), LEAST_US)


def shares(cpus: float | None) -> int:
    """What a group counts for among its siblings, version 1."""
    return min(max(int(SHARES * (cpus or 1.0)), LEAST_SHARES), MOST_SHARES)


def weight(cpus: float | None) -> int:
    """What a group counts for among its siblings, version 2."""
    return min(max(int(WEIGHT * (cpus or 1.0)), LEAST_WEIGHT), MOST_WEIGHT)

"""Balancing policies: which worker gets the next invocation."""

from attacca.policy.balancing.ch_bl import ChBl
from attacca.policy.balancing.ch_rlu import ChRlu
from attacca.policy.balancing.least_loaded import LeastLoaded
from attacca.policy.balancing.own_first import OwnFirst
from attacca.policy.balancing.pull import Pull
from attacca.policy.balancing.random import Random
from attacca.policy.balancing.round_robin import RoundRobin
from attacca.policy.balancing.two_choices import TwoChoices
from attacca.policy.balancing.types import Balancing

BALANCING: dict[str, type[Balancing]] = {
    "random": Random,
    "round_robin": RoundRobin,
    "least_loaded": LeastLoaded,
    "two_choices": TwoChoices,
    "ch_bl": ChBl,
    "ch_rlu": ChRlu,
    "pull": Pull,
    "own_first": OwnFirst,
}

"""What is measured: each measure is a ratio to a floor in the same round, or a number of its own."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.applications import application, applications
from bench.boxes import boxes
from bench.busy import busy, busy_application
from bench.containers import container
from bench.creations import creations
from bench.daemons import at_once, by_daemons
from bench.decisions import decisions
from bench.floods import floods
from bench.holding import crowd, memory
from bench.image_templates import image_template
from bench.journal import accepted
from bench.microvms import microvm
from bench.modules import wasm_start
from bench.networks import networks
from bench.orchestrator import node_death
from bench.planes import apart, gateways, many_gateways
from bench.result import Result
from bench.seeing import pages, seen, series
from bench.simulation import ALL_MINUTES, eight_hours, scale, simulation, sweep
from bench.starting import cold, cold_many, loaded_template, template, true_cold
from bench.validation import validation
from bench.warm import generator, many, warm
from bench.wasm_calls import wasm_calls
from bench.workflows import call, cast, chain, migration, node_killed, standby, workflow_start


class Measure(NamedTuple):
    run: Callable[[int, int], Iterator[Result]]
    rounds: int
    size: int  # calls, seconds or sandboxes in a round
    quick: int
    is_long: bool = (
        False  # it takes minutes, or wants much installed, or is of the simulator alone: measured when asked for
    )


MEASURES = {
    "warm": Measure(warm, 7, 6000, 2000),
    "sustained": Measure(many, 5, 4, 2),
    "busy": Measure(busy, 15, 1, 1),
    "busy_application": Measure(busy_application, 15, 1, 1),
    "application": Measure(application, 7, 4000, 1500),
    "applications": Measure(applications, 5, 3, 2),
    "template": Measure(template, 5, 100, 30),
    "loaded_template": Measure(loaded_template, 5, 40, 15),
    "image_template": Measure(image_template, 5, 50, 15),
    "cold": Measure(cold, 5, 100, 30),
    "cold_many": Measure(cold_many, 5, 16, 16),
    "true_cold": Measure(true_cold, 5, 5, 2),
    "memory": Measure(memory, 1, 500, 50),
    "crowd": Measure(crowd, 1, 10_000, 400, is_long=True),
    "floods": Measure(floods, 3, 3000, 1500),
    "accepted": Measure(accepted, 7, 2, 1),
    "seen": Measure(seen, 7, 8000, 800),
    "pages": Measure(pages, 3, 5000, 1000),
    "series": Measure(series, 5, 100_000, 20_000),
    "cast": Measure(cast, 7, 4000, 1000),
    "call": Measure(call, 7, 4000, 1000),
    "chain": Measure(chain, 7, 8000, 3000),
    "workflow_start": Measure(workflow_start, 5, 10, 3),
    "migration": Measure(migration, 5, 600, 300),
    "node_killed": Measure(node_killed, 3, 2000, 1600),
    "standby": Measure(standby, 3, 2000, 1600),
    "node_death": Measure(node_death, 5, 10_000, 2_000),
    "apart": Measure(apart, 7, 4000, 1500),
    "gateways": Measure(gateways, 5, 4, 2),
    "many_gateways": Measure(many_gateways, 1, 2000, 1000, is_long=True),
    "generator": Measure(generator, 5, 5, 3),
    "simulation": Measure(simulation, 5, 171_558, 40_000),
    "scale": Measure(scale, 3, 100_000, 10_000, is_long=True),
    "creations": Measure(creations, 5, 4, 2),
    "decisions": Measure(decisions, 7, 5000, 500),
    "sweep": Measure(sweep, 3, 40, 8, is_long=True),
    "eight_hours": Measure(eight_hours, 1, ALL_MINUTES, 30, is_long=True),
    "validation": Measure(validation, 2, 180, 15, is_long=True),
    "wasm_calls": Measure(wasm_calls, 5, 300, 60),
    "wasm_start": Measure(wasm_start, 5, 50, 20),
    "boxes": Measure(boxes, 5, 2000, 400),
    "by_daemons": Measure(by_daemons, 3, 12, 4, is_long=True),
    "at_once": Measure(at_once, 5, 0, 0, is_long=True),
    "container": Measure(container, 5, 20, 10),
    "microvm": Measure(microvm, 3, 5, 3),
    "networks": Measure(networks, 5, 20, 10),
}

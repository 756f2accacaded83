"""benchmarks/scale.py: the simulation counts every request once, repeats by its seed, and knows what a queue does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "scale_simulation", Path(__file__).parents[1] / "benchmarks" / "scale.py"
)
assert _SPEC and _SPEC.loader
scale: Any = sys.modules.setdefault("scale_simulation", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(scale)

SHORT = scale.Traffic(4_000.0, seconds=60.0, warm=10.0, prefixes=20)


def run(traffic: Any, policy: str = "least outstanding", replicas: int = 4, **options: Any) -> Any:
    return scale.simulated(traffic, replicas, policy, "test", seed=7, **options)


@pytest.mark.parametrize("policy", scale.POLICIES)
def test_what_came_has_ended_and_a_seed_repeats_it(policy: str) -> None:
    once = run(SHORT, policy)
    assert (once.behind, once.moved) == (0.0, 0)
    assert 0 < once.first[0] <= once.first[1] <= once.whole[1]
    assert 0 < once.used < 1 and 0 < once.hits < 1
    assert once == run(SHORT, policy)


def test_one_request_alone_takes_what_was_measured() -> None:
    times = scale.Times.read()
    alone = run(scale.Traffic(60.0, seconds=600.0, warm=0.0, prefixes=1, own_tokens=1e-9, answer_tokens=1e-9))
    assert alone.first[0] == pytest.approx(times.ingress + 1 / times.prefill, rel=0.01)
    assert alone.whole[0] == pytest.approx(alone.first[0] + 1 / times.alone, rel=0.01)


def test_more_than_they_can_do_is_not_done() -> None:
    assert run(scale.Traffic(40_000.0, seconds=60.0, warm=10.0)).behind > 0.2


def test_one_ingress_is_a_limit_however_many_replicas_there_are() -> None:
    traffic = scale.Traffic(1_500_000.0, seconds=20.0, warm=5.0, prefixes=1, own_tokens=1.0, answer_tokens=1.0)
    assert run(traffic, replicas=100, ingresses=1).first[1] > 5 * run(traffic, replicas=100, ingresses=4).first[1]


def test_deaths_lose_nothing() -> None:
    died = run(scale.Traffic(40_000.0, seconds=120.0, warm=60.0, deaths=0.5), replicas=20)
    assert died.moved > 0 and died.behind == 0.0


def test_the_order_that_is_remembered_is_that_of_the_product() -> None:
    routing = pytest.importorskip("linnet.interfaces.scale.routing")
    choose = scale.by_prefix(30)
    for prefix in range(40):
        outstanding = [(prefix * place) % 5 for place in range(30)]
        named = {str(place): load for place, load in enumerate(outstanding)}
        assert choose(prefix, outstanding) == int(routing.placed(str(prefix), named)[0])

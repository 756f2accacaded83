"""Profiles: phases cut without gaps or overlaps, memory by phase, and one of a real run with its picture."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from linnet.agent.question import Question
from linnet.agent.trace import trace
from linnet.evals.speed.phases import PHASES, Stretch, spent, stretches
from linnet.evals.speed.profile import phases
from linnet.evals.speed.sampler import Sample
from linnet.hardware.process import Held
from linnet.interfaces.cli.commands import app
from linnet.messages import Step
from linnet.requests import Usage

STEPS = (
    Step("route", "", 0.1),
    Step("choose", "", 0.4, start=0.1),
    Step("tool", "", 0.2, start=0.5),
)


def names(found: list[Stretch]) -> list[tuple[str, float, float]]:
    return [(each.phase, round(each.begin, 6), round(each.end, 6)) for each in found]


def test_what_runs_in_a_worker_goes_before_the_code_that_waits_for_it() -> None:
    asked = [Question("score", 0.2, 0.2, None, Usage(30, 10)), Question("chat", 0.8, 0.15, 0.05, Usage(5, 0, 4, 1))]
    found = trace(STEPS, asked, 1.0, Usage())
    assert names(stretches(found, 10.0, (10.15, 10.3))) == [
        ("route", 10.0, 10.1),
        ("choose", 10.1, 10.15),
        ("load", 10.15, 10.3),
        ("prefill", 10.3, 10.4),
        ("choose", 10.4, 10.5),
        ("tools", 10.5, 10.7),
        ("other", 10.7, 10.8),
        ("prefill", 10.8, 10.85),
        ("decode", 10.85, 10.95),
        ("other", 10.95, 11.0),
    ]
    assert spent(found) == {"prefill": Usage(35, 10), "decode": Usage(0, 0, 4, 1)}


times = st.floats(0, 2)


@given(
    st.lists(st.tuples(st.sampled_from(["route", "fill", "tool", "answer"]), times, times)),
    st.lists(st.tuples(times, times)),
    times,
)
def test_a_turn_is_cut_without_gaps(
    steps: list[tuple[str, float, float]], asked: list[tuple[float, float]], load: float
) -> None:
    made = [Step(kind, "", seconds, start=start) for kind, start, seconds in steps]
    questions = [Question("chat", start, seconds, seconds / 2) for start, seconds in asked]
    found = stretches(trace(made, questions, 1.5, Usage()), 5.0, (5.0, 5.0 + load))
    assert (found[0].begin, found[-1].end) == (5.0, 6.5)
    assert all(a.end == b.begin and a.phase != b.phase for a, b in pairwise(found))
    assert {each.phase for each in found} <= set(PHASES)


def sample(at: float, caller: int, workers: int) -> Sample:
    return Sample(at, Held(caller), Held(workers))


def test_a_phase_is_told_where_most_was_held() -> None:
    cut = [Stretch("start", 0, 1), Stretch("other", 1, 2), Stretch("tools", 2, 2.001), Stretch("other", 2.001, 3)]
    samples = [sample(0.5, 10, 0), sample(1.5, 20, 0), sample(1.9, 20, 30), sample(2.5, 5, 40)]
    start, tools, other = phases(cut, samples, {"other": Usage(1)})
    assert (start.name, start.seconds, start.caller.resident, start.samples) == ("start", 1, 10, 1)
    assert (tools.name, tools.samples, tools.workers.resident) == ("tools", 0, 30), "the nearest one"
    assert (other.name, other.caller.resident, other.workers.resident) == ("other", 20, 30)
    assert (round(other.seconds, 6), other.samples, other.usage) == (1.999, 3, Usage(1))


# --- the command ---------------------------------------------------------------------------------


def test_a_rule_starts_no_worker() -> None:
    done = CliRunner().invoke(app, ["profile", "What is 17 times 24?", "--json"])
    told = json.loads(done.stdout)
    found = {phase["name"]: phase for phase in told["phases"]}
    assert (told["result"]["answer"], done.exit_code) == ("17 * 24 = 408", 0)
    assert {"start", "route", "tools", "end"} <= set(found) and not {"load", "prefill", "decode"} & set(found)
    assert told["peak"]["workers"] == 0 < told["peak"]["caller"]
    assert sum(phase["seconds"] for phase in told["phases"]) == pytest.approx(told["seconds"], abs=0.01)


def test_the_real_model_with_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "profile.png"
    asked = ["profile", "Name three rivers.", "--picture", str(picture), "--context", "512", "--json"]
    told = json.loads(CliRunner().invoke(app, asked).stdout)
    found = {phase["name"]: phase for phase in told["phases"]}
    assert {"load", "prefill", "decode"} <= set(found)
    assert found["decode"]["usage"]["generated_tokens"] == told["result"]["usage"]["generated_tokens"] > 0
    assert found["decode"]["workers"]["private"] > 0 < found["decode"]["workers"]["shared"]
    assert told["peak"]["workers"] >= found["decode"]["workers"]["resident"] > found["start"]["workers"]["resident"]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_refused_first() -> None:
    done = CliRunner().invoke(app, ["profile", "What is 2 + 2?", "--picture", "/nowhere/x.png", "--json"])
    assert json.loads(done.stdout)["error"]["code"] == "input_invalid"

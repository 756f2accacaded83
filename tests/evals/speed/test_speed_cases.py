"""The cases on the real model, in small: what they count is what they say; how long it took is not judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet.evals.speed import bench, cases, texts
from linnet.evals.speed.cases import Plan, Stand
from linnet.evals.speed.measure import NotMeasured
from linnet.limits import LIMITS
from linnet.requests import Count, Usage, complete
from linnet.schema import problems

PLAN = Plan(rounds=2, generate=4, prompts=(32,), streams=(1, 3), prefix=96, short=2)


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with bench.opened("default", PLAN, context=512, threads=1, encoding="original") as (stand, _):
        yield stand


def test_a_text_has_the_length_that_was_asked_for(stand: Stand) -> None:
    prompt = texts.of_length(stand.model, 50, 1)
    assert 47 <= complete(stand.model, Count(prompt)).count <= 50
    assert texts.of_length(stand.model, 50, 1) == prompt != texts.of_length(stand.model, 50, 2)
    with pytest.raises(NotMeasured):
        texts.of_length(stand.model, 500, 1)


def test_each_prompt_is_new_and_is_prefilled_whole(stand: Stand) -> None:
    (one,) = cases.prefill(stand)
    assert one.at == 32 and len(one.values) == len(one.against) == 2
    assert one.usage.cached_tokens == 0 and one.usage.generated_tokens == 2
    assert 60 <= one.usage.prompt_tokens <= 64


def test_decoding_counts_every_token(stand: Stand) -> None:
    (one,) = cases.decode(stand)
    assert one.usage.generated_tokens == 2 * 4 and one.ratio and one.ratio.median > 0


def test_the_first_token_is_that_of_a_prompt_which_is_kept(stand: Stand) -> None:
    first, over = cases.first_token(stand)
    assert len(first.values) == 2 and first.usage.generated_tokens == 3
    # all but the last token of the two requests that count
    assert first.usage.cached_tokens >= 2 * (first.usage.prompt_tokens // 3 - 1)
    assert over.values == tuple(a - b for a, b in zip(first.values, first.against, strict=True))


def test_most_of_a_call_is_forced(stand: Stand) -> None:
    call, share, rate = cases.forced(stand)
    assert all(60 <= value < 100 for value in share.values)
    assert call.usage.forced_tokens < call.usage.generated_tokens
    assert min(*call.values, *rate.values) > 0


def test_streams_run_together(stand: Stand) -> None:
    one, three = cases.streams(stand)
    assert (one.at, three.at) == (1, 3)
    # the prompts of all three were asked for once before
    assert one.usage.generated_tokens == 3 + 2 * 4 and three.usage.generated_tokens == 2 * 3 * 4


def test_the_second_request_with_a_prefix_finds_it(stand: Stand) -> None:
    (one,) = cases.prefix(stand)
    assert one.usage.cached_tokens >= 2 * 90 and one.peer == "first request"


def test_memory_is_the_workers(stand: Stand) -> None:
    (one,) = cases.memory(stand)
    assert 100 < one.values[0] < 1_000 and 100 < one.against[0] < 1_000


def test_a_rule_costs_no_token(stand: Stand) -> None:
    (one,) = cases.rule(stand)
    assert len(one.values) == 2 and min(one.values) > 0 and one.usage == Usage()


def test_a_case_that_cannot_be_measured_is_told_and_the_others_go_on(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CASES", {"prefill": cases.prefill, "rule": cases.rule})
    too_long = replace(stand, plan=replace(PLAN, prompts=(510,)))
    report = bench.Report({"name": "x", "threads": 1}, bench.probe.probe())
    assert list(bench.measure(too_long, report)) == ["prefill", "rule"]
    assert "context" in report.skipped["prefill"] and [one.name for one in report.measures] == ["rule"]
    assert json.dumps(report.describe())


def test_streams_that_do_not_fit_together_are_told_behind_those_that_do(stand: Stand) -> None:
    found = cases.streams(replace(stand, plan=replace(PLAN, streams=(1, 3), generate=155)))
    assert next(found).at == 1
    with pytest.raises(NotMeasured, match=r"3 answers together need 5.. tokens, and the context is 512"):
        next(found)


def test_the_smallest_context_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CASES", {name: cases.CASES[name] for name in ("decode", "prefill", "call")})
    with bench.opened("default", PLAN, context=LIMITS.context_least, threads=1, encoding="original") as (
        small,
        report,
    ):
        assert [*bench.measure(small, report)] == [*bench.CASES]
    assert [one.label for one in report.measures] == ["decode", "prefill 32"]
    assert report.skipped.keys() == {"call"}, "its prompt alone fits"


@pytest.mark.parametrize(("others", "disturbed"), [([], False), ([0.1, 0.24], False), ([0.0, 0.25], True)])
def test_a_busy_machine_is_told(others: list[float], disturbed: bool) -> None:
    report = bench.Report({}, bench.probe.probe(), others=others)
    assert report.disturbed is disturbed and report.describe()["disturbed"] is disturbed


def test_the_call_is_the_same_work_for_both_engines(stand: Stand) -> None:
    """What the holes let through, the schema for servers accepts."""
    for number in range(3):
        call: Any = texts.call(number)
        said = json.loads(complete(stand.model, call).text)
        assert said["name"] == "set_lights" and said["arguments"]["brightness"] == texts.wish(number)[2]
        assert not list(problems(said, texts.call_schema()))
        assert call.prompt[0].text == texts.call_prompt(texts.wish(number)[0])

"""`linnet bench` on the real model: all that it says hangs together; how fast it was is not judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from linnet.evals.speed import bench, cases
from linnet.interfaces.cli.commands import app


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `linnet bench --quick --json --picture` prints, with fewer tokens still."""
    picture = tmp_path_factory.mktemp("bench") / "cost.png"
    few = replace(cases.QUICK, generate=16, prompts=(16, 48), prefix=64, short=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "QUICK", few)
        command = [
            "bench",
            "--quick",
            "--json",
            "--threads",
            "1",
            "--context",
            "1024",
            "--encoding",
            "original",
            "--picture",
            str(picture),
        ]
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return {**json.loads(result.stdout), "stderr": result.stderr}


def test_every_case_is_there(told: Any) -> None:
    assert told["skipped"] == {} and told["quick"] is True
    names = [one["name"] for one in told["measures"]]
    assert set(names) == {
        *("decode", "first token", "overhead", "prefill", "call", "call forced", "call rate"),
        *("streams", "prefix kept", "memory", "rule"),
    }
    assert [one["at"] for one in told["measures"] if one["name"] == "streams"] == [1, 2, 4, 8, 16]
    assert [one["at"] for one in told["measures"] if one["name"] == "prefill"] == [16, 48]


def test_every_measure_has_its_median_spread_and_repeats(told: Any) -> None:
    for one in told["measures"]:
        assert one["unit"] in ("tok/s", "ms", "%", "MiB") and one["better"] in ("more", "less")
        assert len(one["values"]) == one["repeats"] >= 1
        assert one["spread"][0] <= one["median"] <= one["spread"][1]
        if one["name"] != "overhead":  # a difference
            assert min(one["values"]) > 0
        if "ratio" in one:
            assert one["ratio"]["spread"][0] <= one["ratio"]["median"] <= one["ratio"]["spread"][1]
            assert one["peer"]["median"] > 0
    held = {one["name"] for one in told["measures"] if "ratio" in one}
    assert held == {"decode", "first token", "prefill", "streams", "prefix kept", "memory"}


def test_usage_adds_up(told: Any) -> None:
    for kind in told["usage"]:
        assert told["usage"][kind] == sum(one["usage"][kind] for one in told["measures"])
    for one in told["measures"]:
        used = one["usage"]
        assert used["cached_tokens"] <= used["prompt_tokens"] and used["forced_tokens"] <= used["generated_tokens"]
    streams = {one["at"]: one["usage"]["generated_tokens"] for one in told["measures"] if one["name"] == "streams"}
    assert streams == {count: 2 * 16 * count + (16 if count == 1 else 0) for count in streams}


def test_it_says_where_and_with_what_it_was_measured(told: Any) -> None:
    machine, model = told["machine"], told["model"]
    assert machine["cores"] >= 1 and isinstance(machine["features"], list)
    assert len(machine["load_before"]) == len(machine["load_after"]) == 3
    assert model["threads"] == 1 and model["context"] == 1024 and len(model["sha256"]) == 64
    assert {"linnet", "python", "llguidance"} <= set(told["versions"]) and told["date"].endswith("+00:00")
    assert told["disturbed"] is (max(told["others"]) >= bench.DISTURBED)
    assert ("warning" in told["stderr"]) is told["disturbed"]


def test_in_a_pipe_each_case_has_a_line(told: Any) -> None:
    lines = told["stderr"].splitlines()
    expected = [f"{number} of {len(cases.CASES)}: {name} measured" for number, name in enumerate(cases.CASES, 1)]
    assert lines[: len(expected)] == expected


def test_the_picture_is_there(told: Any) -> None:
    assert Path(told["picture"]).stat().st_size > 10_000


@pytest.mark.parametrize(
    "arguments",
    [["--picture", "none/cost.png"], ["--model", "no-such-model"], ["--model", "default+home"], ["--threads", "0"]],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["bench", "--json", *arguments])
    assert result.exit_code != 0 and "error" in json.loads(result.stdout)

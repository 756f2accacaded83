"""The whole run on a few cases: the command without a model, and the fits with one that is made up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet.calling import profile as profiles
from linnet.calling.profile import Way
from linnet.calling.ranking.ranker import Belief, Weights, fitted, weighing
from linnet.evals import bfcl
from linnet.evals.fitting import __main__ as command_line
from linnet.evals.fitting.__main__ import kept, main, write
from linnet.evals.fitting.fit import Fitting, parts
from linnet.evals.fitting.validate import evidence, report, validate
from linnet.requests import Capabilities, Done, Event, Request, Score

WEATHER = {
    "name": "weather.get",
    "description": "Get the weather of a city.",
    "parameters": {
        "type": "dict",
        "properties": {"city": {"type": "string", "description": "The city."}, "days": {"type": "integer"}},
        "required": ["city"],
    },
}
AREA = {
    "name": "triangle_area",
    "description": "Calculate the area of a triangle.",
    "parameters": {
        "type": "dict",
        "properties": {"base": {"type": "integer"}, "height": {"type": "integer"}},
        "required": ["base", "height"],
    },
}
CITIES = ("Paris", "Rome", "Lima", "Oslo", "Cairo", "Boston", "Delhi", "Quito")


def row(number: int, said: str, tools: list[Any], truth: list[Any] | None = None) -> str:
    asked = {"id": f"c_{number}", "question": [[{"role": "user", "content": said}]], "function": tools}
    return json.dumps(asked if truth is None else {**asked, "ground_truth": truth})


def weather(city: str) -> dict[str, Any]:
    return {"weather.get": {"city": [city], "days": [""]}}


def area(base: int, height: int) -> dict[str, Any]:
    return {"triangle_area": {"base": [base], "height": [height]}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folders `bfcl` and `tool_calls` with a few cases of each kind."""
    pairs = list(pairwise(CITIES))
    simple = [row(i, f"What is the weather in {c}?", [WEATHER], [weather(c)]) for i, c in enumerate(CITIES)]
    multiple = [
        row(i, f"Area of a triangle with base {i + 2} and height {i + 5}", [WEATHER, AREA], [area(i + 2, i + 5)])
        for i in range(6)
    ]
    parallel = [
        row(i, f"What is the weather in {a} and {b}?", [WEATHER], [weather(a), weather(b)])
        for i, (a, b) in enumerate(pairs)
    ]
    none = [row(i, f"Who was the first king of {c}?", [AREA]) for i, c in enumerate(CITIES[:5])]
    kinds = {"simple": simple, "multiple": multiple, "parallel": parallel, "irrelevance": [*none, "{broken"]}
    (tmp_path / "bfcl").mkdir()
    for name, lines in kinds.items():
        (tmp_path / "bfcl" / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "tool_calls").mkdir()
    tool = {"name": "shout", "description": "Shout.", "parameters": {"word": {"type": "str", "required": True}}}
    answers = [{"tool": "shout", "parameters": {"word": "hello"}}]
    (tmp_path / "tool_calls" / "set.json").write_text(
        json.dumps([{"query": "Shout hello", "tools": [tool], "answers": answers}])
    )
    return tmp_path


def command(data: Path, out: Path, *more: str) -> list[str]:
    folders = ["--bfcl", str(data / "bfcl"), "--tool-calls", str(data / "tool_calls")]
    return [*folders, "--out", str(out), "--no-model", *more]


# --- the command ---------------------------------------------------------------------------------


def test_a_run_without_a_model(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data / "new.json"
    assert main(command(data, out, "--folds", "2")) == 0
    told = capsys.readouterr()
    assert "28 cases are loaded" in told.err and "fold 2 of 2 is judged" in told.err
    lines = {line.split()[0]: line for line in told.out.splitlines() if line}
    assert set(lines) >= {"arguments", "counts", "tools", "simple", "multiple", "parallel", "set"}
    assert "irrelevance" not in lines and "relevance" not in lines
    assert "of 57 parameters" in lines["arguments"] and "8/8 100.0%" in lines["simple"]
    found = kept(out)
    assert found.features and found.counts and found.tools
    assert (found.model, found.relevance, found.doubt) == (fitted().model, fitted().relevance, fitted().doubt)
    assert lines["evident"].endswith("on 26") and "bias" in found.evident


def test_the_same_cases_make_the_same_file(data: Path) -> None:
    one, other = data / "one.json", data / "other.json"
    assert main(command(data, one)) == main(command(data, other, "--folds", "2")) == 0
    assert one.read_bytes() == other.read_bytes()
    sections = json.loads(one.read_bytes())
    assert list(sections) == ["choice", "counts", "doubt", "evident", "features", "model", "relevance", "tools"]
    assert all(list(section) == sorted(section) for section in sections.values())


def test_what_the_file_had_from_a_model_is_kept(data: Path) -> None:
    out = data / "old.json"
    write(out, Weights({"gone": 1.0}, {"string": Belief(0.5, 0.25)}, {}, {}, {"gain": 0.125}))
    assert main(command(data, out)) == 0
    found = kept(out)
    assert found.model == {"string": Belief(0.5, 0.25)} and found.relevance == {"gain": 0.125}
    assert "gone" not in found.features


@pytest.mark.parametrize("folds", ["1", "-2"])
def test_a_number_of_folds_that_cannot_be(data: Path, folds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(data, data / "new.json", "--folds", folds)) == 2
    assert f"--folds {folds} leaves nothing" in capsys.readouterr().err


def test_files_that_cannot_be(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = data / "broken.json"
    broken.write_text('{"features": {}}')
    assert main(command(data, broken)) == 2 and "holds no weights" in capsys.readouterr().err
    assert broken.read_text() == '{"features": {}}'
    assert main(command(data / "none", data / "new.json")) == 2 and "no data folder" in capsys.readouterr().err
    assert main(command(data, broken / "new.json")) == 2 and "cannot be written" in capsys.readouterr().err


# --- with a model --------------------------------------------------------------------------------


class Reader:
    """Finds a text the likelier the more of its words the prompt has; writes nothing."""

    capabilities = Capabilities("reader", 4_096)

    def stream(self, request: Request) -> Iterator[Event]:
        if not isinstance(request, Score):
            return iter((Done(captures={"value": "null"}),))
        heard = set("".join(part.text for part in request.prompt).lower().split())  # type: ignore[union-attr]
        likely = [float(2 * len(heard & set(c.lower().split())) - 9) for c in request.continuations]
        return iter((Done(scores=tuple((nats, 3) for nats in likely)),))


def test_with_a_model_its_judgement_is_weighed(data: Path) -> None:
    fitting = Fitting(bfcl.load(data / "bfcl"), (), fitted())
    assert fitting.weights(fitting.everything).relevance == fitted().relevance
    told: list[str] = []
    fitting.ask(Reader(), told.append)
    found = fitting.weights(fitting.everything)
    assert found.relevance != fitted().relevance and "bias" in found.relevance
    assert set(found.model) == {"string", "number", "array", "tool"}
    assert math.isfinite(found.doubt.below + found.doubt.above + found.doubt.ahead)
    lines = list(report(validate(fitting, 2, Reader(), told.append)))
    assert any(line.startswith("relevance") and "AUC" in line and line.endswith("on 26") for line in lines)
    assert any(line.startswith("irrelevance") for line in lines) and "fold 2 of 2 is judged" in told


class Knowing(Reader):
    """Knows which of the two tools is meant, and that none is where a king is asked for."""

    def original(self) -> str:
        return "ef" * 32

    def close(self) -> None:
        pass

    def stream(self, request: Request) -> Iterator[Event]:
        if not isinstance(request, Score) or len(request.continuations) > 1:
            return super().stream(request)
        prompt, text = "".join(part.text for part in request.prompt), request.continuations[0]  # type: ignore[union-attr]
        meant = next((about for said, about in (("weather", "weather"), ("rea", "area")) if said in text), "answer")
        return iter((Done(scores=((0.0 if meant in prompt.split("(")[0] else -1.5, 3),)),))


def test_a_trust_is_found_written_and_kept_in_the_models_profile(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(data / "home"))
    monkeypatch.setattr(command_line, "open_local", lambda name, encoding: Knowing())
    unsure = replace(fitted(), evident={"bias": 0.4}, choice={})
    monkeypatch.setattr(Fitting, "weights", lambda self, among: unsure)
    out = data / "trust.json"
    asked = ["--bfcl", str(data / "bfcl"), "--out", str(out), "--trust", "--store", "--model", "any+one"]
    assert main(asked) == 0
    told = capsys.readouterr().out
    profile, _ = profiles.load("ef" * 32)
    assert profile and profile.trust and profile.way == Way() and profile.model == "any+one"
    assert json.loads(out.read_bytes()) == asdict(profile.trust) | {
        "model": {k: list(v) for k, v in profile.trust.model.items()}
    }
    assert profile.trust.right > profile.trust.shipped and "call or none: gain" in told and "evident" not in told
    assert f"of {profile.trust.decisions} held-out decisions {profile.trust.right} right" in told
    out.unlink()
    monkeypatch.setattr(command_line, "trust", lambda heard, before: None)
    assert main(asked) == 0 and not out.exists() and "nothing is written" in capsys.readouterr().out


def test_weights_are_put_in_place_and_back() -> None:
    shipped, mine = fitted(), Weights({}, {}, {}, {}, {})
    with pytest.raises(ZeroDivisionError), weighing(mine):
        assert fitted() is mine
        raise ZeroDivisionError
    assert fitted() is shipped


# --- parts and evidence --------------------------------------------------------------------------


def test_parts_are_as_large_as_each_other_and_always_the_same() -> None:
    assert np.bincount(parts(100, 3)).tolist() == [34, 33, 33]
    assert parts(100, 3).tolist() == parts(100, 3).tolist() != sorted(parts(100, 3).tolist())


def test_calls_from_evidence_alone() -> None:
    (tool,), _ = bfcl.offered([WEATHER])
    (call,) = evidence((tool,), "What is the weather in Lima?", fitted())
    assert (call.name, call.arguments) == ("weather.get", {"city": "Lima"})
    assert list(evidence((), "What is the weather in Lima?", fitted())) == []

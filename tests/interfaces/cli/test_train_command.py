"""`linnet train`: what cannot be done is said at once, and the whole way on a tiny model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

sys.path.append(str(Path(__file__).parents[2] / "evals" / "training"))

import tiny

from linnet.errors import USAGE
from linnet.evals.training import example
from linnet.interfaces.cli.commands import app


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", *arguments], env={"COLUMNS": "120"})


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "rooms.jsonl"
    example.write(path, tiny.examples())
    return path


def error(done: Result) -> str:
    assert done.exit_code == USAGE, done.output
    return str(json.loads(done.stdout)["error"]["message"])


def test_nothing_to_learn() -> None:
    assert "nothing to learn" in error(invoke("--json"))


def test_what_is_missing_is_named(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.evals.training.train.NEEDED", ("no_such_package",))
    assert "no_such_package" in error(invoke("--examples", str(examples), "--json"))


def test_a_lesson_that_is_none(examples: Path) -> None:
    assert "kinds" in error(invoke("--examples", str(examples), "--kind", "guess", "--json"))


# --- with the extra ------------------------------------------------------------------------------


@pytest.fixture
def torch() -> None:
    pytest.importorskip("torch", reason="the extra linnet[train] is not installed: torch")


@pytest.mark.usefixtures("torch")
def test_too_few_examples_and_an_encoding_that_is_none(tmp_path: Path, examples: Path) -> None:
    few = tmp_path / "few.jsonl"
    example.write(few, tiny.examples()[:9])
    assert "too few" in error(invoke("--examples", str(few), "--json"))
    assert "q99" in error(invoke("--examples", str(examples), "--merge", "q99", "--json"))
    assert "taken" in error(invoke("--examples", str(examples), "--name", "default", "--json"))


@pytest.mark.usefixtures("torch")
def test_a_training_with_its_report_and_one_that_was_ended_early(tmp_path: Path, examples: Path) -> None:
    model = tiny.write(tmp_path / "tiny.gguf")
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'base = "{model}"\n[recipe]\nsteps = 3\nrank = 2\nkinds = ["choose", "fill", "write"]\n')
    done = invoke("--examples", str(examples), "--recipe", str(recipe), "--threads", "1", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["steps"] == 3 and told["stopped"] == "steps" and told["estimate"]["peak_bytes"] > 0
    assert Path(told["adapter"]).is_file()
    before, after = (told["held_out"][side][0] for side in ("before", "after"))
    better = after["right"] > before["right"]
    assert (told["installed"] is not None) == better == (not told["why_not"])
    folder = Path(told["adapter"]).parent
    (folder / "report.json").unlink()
    again = ("--examples", str(examples), "--recipe", str(recipe), "--name", folder.name, "--json")
    if not better:
        assert "not ended" in error(invoke(*again))

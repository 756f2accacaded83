"""`linnet prompt`: a starting file, a run of it with the real model, its report, and what is refused at once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.prompt import EXAMPLE


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["prompt", *arguments])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_a_file_to_begin_with_runs_and_goes_on(here: Path) -> None:
    """As the first block of docs/prompt-lab.md has it, on two cases of six."""
    assert invoke("new", "capitals.yaml").exit_code == 0
    run = ("run", "capitals.yaml", "--limit", "2", "--out", "answers.jsonl", "--context", "512", "--threads", "1")
    first = invoke(*run, "--html", "report.html", "--json")
    assert first.exit_code == 0, first.stdout
    told = json.loads(first.stdout)
    assert [row["variant"] for row in told["variants"]] == ["plain", "one word", "begun"]
    assert len(told["outcomes"]) == 6 and not any(one["error"] or one["kept"] for one in told["outcomes"])
    assert told["baseline"] == "plain" and told["html"] == "report.html"
    assert (here / "report.html").read_text().startswith("<!doctype html>")
    assert len((here / "answers.jsonl").read_text().splitlines()) == 6

    again = invoke(*run, "--resume")
    assert again.exit_code == 0 and "one word" in again.stdout and "baseline" in again.stdout
    assert len((here / "answers.jsonl").read_text().splitlines()) == 6, "nothing was asked again"
    assert max(map(len, again.stdout.splitlines())) <= 80


def test_the_example_of_the_help_is_there() -> None:
    words = shlex.split(EXAMPLE.removeprefix("Example: "))
    assert words[:3] == ["linnet", "prompt", "run"] and (Path(__file__).parents[3] / words[3]).is_file()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("run", "absent.yaml"), "cannot be read"),
        (("run", "wrong.yaml"), "line 2: `cases[1].chek` is not a field here; did you mean 'check'?"),
        (("run", "good.yaml", "--html", "absent/report.html"), "there is no such folder"),
        (("run", "good.yaml", "--html", "folder.html"), "or it is one"),
        (("run", "good.yaml", "--html", "good.yaml"), "should end in .html"),
        (("run", "good.yaml", "--html", "."), "should end in .html"),
        (("run", "good.yaml", "--resume"), "--resume goes on with a file of answers"),
        (("run", "good.yaml", "--out", "good.yaml"), "is not empty"),
        (("run", "good.yaml", "--tools", "absent.py"), "there is no tools file"),
        (("run", "nobody.yaml"), "nobody-knows-this"),
        (("new", "good.yaml"), "cannot be written: File exists"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(here: Path, arguments: tuple[str, ...], what: str) -> None:
    (here / "good.yaml").write_text("cases: [{text: hi, check: {contains: hi}}]")
    (here / "nobody.yaml").write_text("models: [nobody-knows-this]\ncases: [{text: hi, check: {contains: hi}}]")
    (here / "wrong.yaml").write_text("cases:\n  - {text: hi, chek: {contains: hi}}")
    (here / "folder.html").mkdir()
    done = invoke(*arguments, "--json")
    assert done.exit_code == 2
    assert what in json.loads(done.stdout)["error"]["message"]

"""`linnet tools`: what is listed, and what a check prints and ends with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app

FARM = '''from linnet import tool


@tool
def feed_hens(grams: int, when: str = "now") -> str:
    """Feed the hens in the yard with grain.

    Args:
        grams: How many grams of grain.
        when: At what time, such as 7 pm.
    """
    return "fed"
'''


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "farm.py").write_text(FARM)
    return "farm.py"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tools", *arguments], env={"COLUMNS": "80"})


def test_the_tools_on_offer(farm: str) -> None:
    done = invoke("list", "--tools", farm)
    assert (
        done.exit_code == 0
        and "feed_hens grams, [when]" in " ".join(done.stdout.split())
        and "calculator" in done.stdout
    )
    told = json.loads(invoke("list", "--tools", farm, "--root", ".", "--json").stdout)["tools"]
    assert told[0]["name"] == "feed_hens" and told[0]["parameters"]["required"] == ["grams"]
    reads = next(tool for tool in told if tool["name"] == "read_file")
    assert reads["permissions"] == ["files.read"]


def test_a_check_with_the_model(farm: str) -> None:
    done = invoke("check", "--tools", farm, "--per-tool", "2", "--json", "--out", "out.jsonl")
    told = json.loads(done.stdout)
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert done.exit_code == 0 and told["requests"] == lines
    assert [line["tool"] for line in lines[:2]] == ["feed_hens", "feed_hens"] and lines[-1]["tool"] is None
    assert sum(told["matrix"]["feed_hens"].values()) == 2
    assert told["matrix"]["feed_hens"].get("feed_hens", 0) >= 1, "calculator is the only other tool"
    assert [told["tool"] for told in told["parameters"]] == ["feed_hens", "feed_hens"]


def test_the_tables_and_the_threshold(farm: str) -> None:
    done = invoke("check", "--tools", farm, "--per-tool", "1", "--fail-under", "0")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and max(map(len, lines[:3])) <= 80
    assert lines[0].split() == ["wanted", "right", "tool", "else", "led", "to"]
    assert any(line.startswith("feed_hens.grams") for line in lines) and any("right: " in line for line in lines)


def test_under_the_threshold_it_ends_with_1(monkeypatch: pytest.MonkeyPatch, farm: str) -> None:
    """With a margin that nothing reaches, no tool is ever called."""
    monkeypatch.setenv("LINNET_MARGIN", "1e9")
    done = invoke("check", "--tools", farm, "--per-tool", "1", "--fail-under", "0.9", "--json")
    assert json.loads(done.stdout)["matrix"]["feed_hens"] == {"(none)": 1}
    assert done.exit_code == 1


def test_what_is_not_there(farm: str) -> None:
    for command in ("list", "check"):
        done = invoke(command, "--tools", "away.py")
        assert done.exit_code == 2 and "no tools file 'away.py'" in done.stderr
    assert invoke("check", "--fail-under", "2").exit_code == 2

"""`linnet doctor`: it looks at the real machine, model and worker, and one broken part hides no other."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.hardware import probe
from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.doctor import EXAMPLE
from linnet.models import store


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("LINNET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments], env={"COLUMNS": "80"})


def levels(told: dict[str, Any], about: str) -> list[str]:
    return [finding["level"] for finding in told["findings"] if finding["about"] == about]


def test_a_whole_look() -> None:
    done = invoke("--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["healthy"], done.stderr) == (0, True, "")
    assert told["versions"]["python"] == platform.python_version()
    assert told["versions"]["llama-cpp-python"] == metadata.version("llama-cpp-python")
    machine = probe.probe()
    assert (told["machine"]["cpu"], told["machine"]["cores"]) == (machine.cpu, machine.cores)
    assert told["machine"]["threads"]["decode"] >= 1
    assert (told["model"]["name"], told["model"]["family"], told["model"]["fits"]) == (
        "smollm2-135m",
        "smollm2",
        True,
    )
    assert told["model"]["sha256"] == store.locate("default").sha256
    assert told["engine"]["tokens_per_second"] > 0
    assert [levels(told, part) for part in ("model", "memory", "engine")] == [["ok"]] * 3
    assert levels(told, "sandbox") in (["ok"], ["warning"])
    assert levels(told, "programs") in (["ok"], ["warning"])
    kept = probe.recall(machine)
    assert kept and kept.decode == told["engine"]["tokens_per_second"]
    assert kept.bandwidth == told["machine"]["bandwidth"]
    rows = told["prospects"]
    assert len(rows) == 33
    assert [row["size"] for row in rows[::3]] == "0.1B 0.35B 0.5B 1B 1.5B 3B 4B 7B 8B 14B 32B".split()
    assert all(row["tokens_per_second"] is None or row["tokens_per_second"] > 0 for row in rows)
    memory = told["model"]["memory"]
    assert memory["resident"] <= memory["peak"] == memory["needed"] + memory["idle"]
    assert memory["needed"] == told["model"]["needed_bytes"]
    assert memory["cache"] == 4_096 * 23_040
    assert (told["machine"]["gpus"], told["model"]["gpu_layers"]) == ([], [])


def test_the_tables_fit_80_columns() -> None:
    done = invoke()
    assert max(map(len, done.stdout.splitlines())) <= 80
    for word in (
        "versions",
        "platform",
        "processor",
        "cores",
        "memory",
        "model",
        "family",
        "context",
        "sandbox",
    ):
        assert word in done.stdout
    assert "…" not in done.stdout
    rows = [line for line in done.stdout.splitlines() if "Q4_K_M" in line]
    assert [row.split()[0] for row in rows] == "0.1B 0.35B 0.5B 1B 1.5B 3B 4B 7B 8B 14B 32B".split()
    assert "guess" in done.stdout


def test_what_is_wrong_is_a_problem_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    with store.locate("default").path.open("rb") as whole:
        cut.write_bytes(whole.read(1 << 20))
    monkeypatch.setenv("LINNET_MODLE", "default")
    monkeypatch.setenv("LINNET_CACHE", "/dev/null/nowhere")
    done = invoke("--json", "--model", str(cut))
    told = json.loads(done.stdout)
    assert (done.exit_code, told["healthy"]) == (1, False)
    assert levels(told, "settings") == levels(told, "model") == ["problem"]
    assert levels(told, "cache") == ["warning"]
    assert all(finding["advice"] for finding in told["findings"] if finding["level"] != "ok")
    assert (told["model"], told["engine"]) == ({}, {})
    assert told["machine"]["cores"]


def test_a_context_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CONTEXT", str(1 << 40))
    told = json.loads(invoke("--json").stdout)
    assert levels(told, "context") == ["warning"]
    assert levels(told, "memory") == levels(told, "engine") == ["problem"]
    assert told["model"]["fits"] is False
    assert 0 < told["model"]["largest_context"] < told["model"]["largest_by_cache"]["q8_0"] < 1 << 40


def test_the_help_has_the_example() -> None:
    assert EXAMPLE == "Example: linnet doctor --json"
    assert EXAMPLE in invoke("--help").stdout

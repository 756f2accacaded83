"""A kernel that can enforce little: each result says so, and --require-sandbox refuses. With the real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from linnet.interfaces.cli.commands import app

STARTING = ["run", "batch", "bench", "doctor", "embed", "models encode", "models probe"]
STARTING += [f"eval {kind}" for kind in ("examples", "bfcl", "tools", "spans", "router", "gsm8k")]

OLD_KERNEL = """
import os, sys
from linnet.worker import kernel, seccomp
kernel.no_new_privileges()
assert seccomp.install(seccomp.Rules("", absent="seccomp=317/277 landlock_create_ruleset=444"))
os.execv(sys.executable, [sys.executable, "-m", "linnet", *sys.argv[1:]])
"""
"""Has the command and all its children find no seccomp and no Landlock."""


def linnet(*arguments: str, **environment: str) -> tuple[int, Any]:
    known = {name: value for name, value in os.environ.items() if name != "LINNET_REQUIRE_SANDBOX"}
    command = [sys.executable, "-c", OLD_KERNEL, *arguments, "--json"]
    done = subprocess.run(
        command, env={**known, **environment}, capture_output=True, text=True, timeout=150, check=False
    )
    return done.returncode, json.loads(done.stdout or done.stderr)


@pytest.mark.parametrize("command", STARTING)
def test_whatever_starts_a_worker_has_the_option(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "120"})
    assert "--require-sandbox" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the lock-down is Linux's")
def test_a_result_that_ran_with_less_says_so() -> None:
    code, told = linnet("run", "Say hello to grandma.", "--timeout", "100")
    assert code == 0
    note = next(note for note in told["degraded"] if "sandbox" in note)
    assert note == "the sandbox was incomplete: files, network, processes could not be enforced"


@pytest.mark.skipif(sys.platform != "linux", reason="the lock-down is Linux's")
@pytest.mark.parametrize("demand", ["option", "environment"])
def test_it_is_refused_where_it_is_required(demand: str) -> None:
    option, environment = (["--require-sandbox"], {}) if demand == "option" else ([], {"LINNET_REQUIRE_SANDBOX": "1"})
    code, told = linnet("run", "Say hello to grandma.", *option, **environment)
    assert code == 3
    assert told["error"]["code"] == "sandbox_unavailable"
    assert told["error"]["details"]["missing"] == ["files", "network", "processes"]

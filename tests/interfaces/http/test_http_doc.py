"""docs/http.md against what it speaks of: its examples run, its paths and numbers are those of the server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx

from linnet.errors import code_of, tree
from linnet.limits import LIMITS

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8177"


def test_the_program_prints_what_it_says(server: str) -> None:
    (program,) = (body for kind, body in BLOCKS if kind == "python")
    told = [line.partition("  # ")[2].strip() for line in program.splitlines() if "  # " in line]
    done = subprocess.run(
        [sys.executable, "-c", program.replace(ADDRESS, server)],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    assert done.stdout.splitlines() == told


def test_the_commands_run(server: str) -> None:
    first, second = (body.strip() for kind, body in BLOCKS if kind == "sh")
    assert first == "linnet serve"
    done = subprocess.run(
        ["curl", "-sS", *shlex.split(second.replace(ADDRESS, server))[1:]], capture_output=True, text=True, check=True
    )
    assert "Paris" in json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_every_path_is_there_and_named(http: httpx.Client) -> None:
    built = {
        (method.upper(), path)
        for path, methods in http.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    named = set(re.findall(r"`(GET|POST) (/[\w/{}.]+)`", PAGE)) - {("GET", "/openapi.json")}
    named |= {("GET", path) for path in re.findall(r"`(/metrics)`", PAGE)}
    assert {(method, path.replace("{id}", "{}")) for method, path in named} == {
        (method, path.replace("{id}", "{}")) for method, path in built
    }


def test_every_code_is_one() -> None:
    table = PAGE[PAGE.index("## Errors") : PAGE.index("## Who may ask")]
    rows = "".join(line for line in table.splitlines() if line.startswith("| "))
    assert set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", rows)) <= set(map(code_of, tree()))


def test_the_numbers_are_the_limits() -> None:
    bounds = PAGE[PAGE.index("## Bounds") :]
    for told in (
        f"Headers {LIMITS.http_header_bytes >> 10} KiB within {LIMITS.http_header_seconds:g} s",
        f"a body {LIMITS.http_body_bytes >> 20} MiB within {LIMITS.http_body_seconds:g} s",
        f"JSON {LIMITS.json_depth} levels deep, schemas {LIMITS.schema_depth}",
        f"no more than {LIMITS.json_values:,} values",
        f"for {LIMITS.http_write_seconds:g} s",
        f"run together ({LIMITS.http_at_once})",
        f"{LIMITS.http_queue} accepted ones",
        f"came within {LIMITS.health_seconds:g} s, or comes within {LIMITS.probe_seconds:g} s",
        f"{LIMITS.http_grace_seconds:g} s to end",
        f"one client has {LIMITS.agent_runs_each} under way",
        f"for {LIMITS.approval_seconds:g} s at most",
    ):
        assert told in " ".join(bounds.split()), told

"""docs/tutorial.md, step by step as a newcomer goes, and what it says comes out of each: up to times and dates."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PORT = "8177"

_VARIES = (
    (re.compile(r"\b\d+(?:\.\d+)? s\b"), "T s"),
    (re.compile(r"\(\d+ cached\)"), "(C cached)"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "DATE"),
)
"""What is not the same on every machine, at every time."""


def _loaded(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"tutorial_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PAGES = _loaded("pages")
BLOCKS = PAGES.blocks_of(PAGES.ROOT / "docs" / "tutorial.md")


class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    def __init__(self, folder: Path, port: str) -> None:
        self._place, self._port = PAGES.made(folder), port
        self.started: list[subprocess.Popen[bytes]] = []

    def follow(self, block: Any) -> None:
        if block.marker.startswith("file: "):
            (self._place.folder / block.marker.removeprefix("file: ")).write_text(block.body)
        elif block.kind == "console":
            for command, said in exchanges(block.body):
                assert plain(self._typed(command)) == plain(said), f"{block.id}: {command}"
        elif block.body.rstrip().endswith("&"):
            self._start(block.body.strip().removesuffix("&"))
        else:
            self._typed(block.body)

    def _typed(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", command.replace(f":{PORT}", f":{self._port}")],
            cwd=self._place.folder,
            env=self._place.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def _start(self, command: str) -> None:
        line = f"exec {command} --port {self._port}"
        self.started.append(
            subprocess.Popen(["bash", "-c", line], cwd=self._place.folder, env=self._place.environment)
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/openapi.json", timeout=10).close()
                return
            except OSError:
                assert self.started[-1].poll() is None, "the server has ended"
                time.sleep(0.2)
        raise AssertionError("the server does not answer")


def exchanges(body: str) -> Iterator[tuple[str, str]]:
    """What is typed behind each `$`, and what is said to it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        yield command, said


def plain(said: str) -> str:
    for form, name in _VARIES:
        said = form.sub(name, said)
    return "\n".join(line.rstrip() for line in said.strip().splitlines())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    one = Reader(tmp_path, port)
    yield one
    for process in one.started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) in (0, -signal.SIGTERM, 143)


def test_it_has_what_a_tutorial_has() -> None:
    kinds = [block.kind for block in BLOCKS]
    assert kinds.count("console") >= 8 and kinds.count("python") == 2 and os.linesep == "\n"
    assert [block.line for block in BLOCKS if block.marker.startswith("not run")] == [BLOCKS[0].line]


def test_what_may_vary_is_times_and_dates_alone() -> None:
    assert plain("rule · no tokens · 0.02 s") == plain("rule · no tokens · 11 s") != plain("model · no tokens · 11 s")
    assert plain("28 prompt tokens (0 cached)") != plain("29 prompt tokens (0 cached)")


@pytest.mark.timeout(900)
def test_a_newcomer_gets_what_the_page_says(reader: Reader) -> None:
    for block in BLOCKS:
        if not block.marker.startswith("not run"):
            reader.follow(block)

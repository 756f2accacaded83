"""Servers for the tests: one over the real model for all of them, as the command starts it, and some over the engine
without a model, in this process, for faults and crowds."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from linnet.agent.agent import Agent
from linnet.interfaces.http.app import application
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.serve import Server, bound
from linnet.interfaces.http.service import Service
from linnet.messages import Message
from linnet.requests import Capabilities, Count, Embed, Infill, Request, Segment, Spell
from linnet.runtime.stream import Stream
from linnet.runtime.supervisor import Supervisor
from linnet.script import Action, Say
from linnet.tools import Tool

ROOT = Path(__file__).parents[3]


def command(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    """`linnet serve`, with nothing of the settings of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LINNET_")}
    return subprocess.Popen(
        [sys.executable, "-m", "linnet", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**own, "XDG_CONFIG_HOME": "/nonexistent", **environ},
    )


@contextlib.contextmanager
def started(*arguments: str, **environ: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`(url, process)` of a server that listens; it is told to end with the block."""
    process = command("--port", "0", "--json", *arguments, **environ)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        yield json.loads(line)["url"], process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="session", params=["alone", "ray"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server over the real model, with the example tools, to anybody on this machine: of one
    process, and, where Ray is installed, with ingress and replica in processes that Ray runs."""
    if request.param == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("the extra linnet[ray] is not installed: `make test-ray` does it")
    scaled = ("--ray",) if request.param == "ray" else ()
    with started("--tools", str(ROOT / "examples" / "tools.py"), *scaled) as (url, process):
        yield url
        assert process.poll() is None, "the server has ended by itself"


@pytest.fixture(scope="session")
def http(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


class Scripted:
    """A Model that says what its script does, of whatever it is asked."""

    def __init__(self, supervisor: Supervisor, infill: Infill | None = None) -> None:
        self.supervisor, self._infill = supervisor, infill

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("scripted", 4096, scores=False, infill=self._infill)

    def stream(self, request: Request) -> Stream:
        if isinstance(request, Embed | Spell):
            return self.supervisor.stream(request)
        prompt = tuple(
            Segment(f"{part.role}: {part.content}\n", False) if isinstance(part, Message) else part
            for part in request.prompt
        )
        plain: dict[str, Any] = {"prompt": prompt, "tools": (), "template_options": {}, "continues": False}
        return self.supervisor.stream(
            replace(request, **plain, **({} if isinstance(request, Count) else {"answer_start": ""}))
        )


class Running:
    """A server in a thread of this process."""

    def __init__(self, service: Service, door: Door, supervisor: Supervisor, tools: Sequence[Tool] = ()) -> None:
        self.service, self.supervisor = service, supervisor
        self._up = threading.Event()
        self._listening = contextlib.ExitStack()
        listening = self._listening.enter_context(bound(door, 0))
        self.port: int = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        app = application(service, door, lambda model, approve: Agent(tools, model, approve=approve))
        self.server = Server(app, service, self._up.set)
        self._thread = threading.Thread(target=self.server.run, args=([listening],), daemon=True)
        self._thread.start()
        assert self._up.wait(60)

    def close(self) -> None:
        """Closing again does nothing, nor does it where the server has ended by itself."""
        for patience in (1, 60):  # a second signal ends at once
            if self._thread.is_alive():
                self.server.handle_exit(0, None)
                self._thread.join(patience)
        assert not self._thread.is_alive()
        self._listening.close()

    def chat(self, text: str = "Hello", **more: Any) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": text}], **more}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=60)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def stands(self, running: int, waiting: int) -> bool:
        """Whether the line comes to stand like this, within a minute."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if (self.service.line.running, self.service.line.waiting) == (running, waiting):
                return True
            time.sleep(0.01)
        return False

    def idle(self, seconds: float = 60.0) -> bool:
        """Whether nothing runs, in a line or in the engine, within so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            lines = (self.service.line, self.service.agents)
            if not (any(line.running or line.waiting for line in lines) or self.supervisor._tickets):
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def serving(scripted: Callable[..., Supervisor]) -> Iterator[Callable[..., Running]]:
    """`serving(action, ..., at_once=8, room=512, door=Door(), infill=None, seconds_per_token=0, ...)`"""
    made: list[Running] = []

    def make(
        *actions: Action,
        door: Door | None = None,
        at_once: int = 8,
        room: int = 512,
        seconds: float = 60,
        infill: Infill | None = None,
        tools: Sequence[Tool] = (),
        **script: Any,
    ) -> Running:
        supervisor = scripted(*actions, **script)
        service = Service({"default": Scripted(supervisor, infill)}, at_once=at_once, room=room, seconds=seconds)
        made.append(Running(service, door or Door(), supervisor, tools))
        return made[-1]

    yield make
    for running in made:
        running.close()


@pytest.fixture(scope="session")
def says() -> Callable[[str], Say]:
    return lambda text: Say(text.encode().hex())


@pytest.fixture(scope="session")
def events() -> Callable[[str], list[Any]]:
    """The data of a stream of events: JSON, and `[DONE]` as it is; comments are left out."""

    def read(text: str) -> list[Any]:
        found = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]
        return [one if one == "[DONE]" else json.loads(one) for one in found]

    return read


@pytest.fixture(scope="session")
def linnet_serve() -> Callable[..., Any]:
    """`with linnet_serve("--api-key", ...) as (url, process)`"""
    return started


@pytest.fixture(scope="session")
def linnet_serve_fails() -> Callable[..., tuple[int, str, str]]:
    """Exit code, stdout and stderr of a server that is not to come up."""

    def run(*arguments: str, **environ: str) -> tuple[int, str, str]:
        process = command(*arguments, **environ)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    return run

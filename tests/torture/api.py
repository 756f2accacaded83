"""A server for a case, over its engine: started, asked, left in mid-answer, looked at from outside, and ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness import ROOT, Trial, wait
from pydantic import TypeAdapter

from linnet.script import Action, Echo, Script

Json = dict[str, Any]
LATE = 0.1
"""Seconds that the event loop may be late at the 99th percentile, less what it waited for a processor."""

CHAT = "/v1/chat/completions"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Json:
        return dict(json.loads(self.text))


@dataclass
class Server:
    """A server that runs; `pid` is its process, and `key` what it wants to be told, if anything."""

    host: str
    port: int
    pid: int
    key: str = ""

    def ask(
        self, method: str, path: str, body: bytes | Json | None = None, seconds: float = 60.0, **more: str
    ) -> Answer:
        """On a connection of its own. `more` are headers, with `_` for `-`; the key is sent unless they say other."""
        given = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers = {**given, **{name.replace("_", "-"): value for name, value in more.items()}}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            connection.close()

    def send(self, path: str, body: Json, cut: int | None = None) -> socket.socket:
        """An open connection on which a request was sent, or its first `cut` bytes."""
        data = json.dumps(body).encode()
        key = f"Authorization: Bearer {self.key}\r\n" if self.key else ""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: {len(data)}\r\n\r\n".encode()
        client = socket.create_connection((self.host, self.port), timeout=60)
        client.sendall((head + data)[:cut])
        return client

    def load(self) -> tuple[int, int]:
        """How many requests run, and how many wait."""
        lines = dict(line.rsplit(" ", 1) for line in self.ask("GET", "/metrics").text.splitlines() if line[:1] != "#")
        return int(float(lines["linnet_requests_running"])), int(float(lines["linnet_requests_waiting"]))

    def worker(self) -> int | None:
        """The process of its model."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.pid and b"linnet.worker.main" in (folder / "cmdline").read_bytes():
                    return int(folder.name)
        return None


@contextlib.contextmanager
def served(trial: Trial, *actions: Action, at_once: int = 8, key: str = "", **script: Any) -> Iterator[Server]:
    """A server over the trial's engine: `linnet serve` with the example tools, or one over a script. While it runs,
    its event loop is watched; that it was late is a fault of the trial."""
    if trial.engine == "real":
        (trial.folder / "keys").write_text(key)
        command = ["-m", "linnet", "serve", "--port", "0", "--json", "--tools", str(ROOT / "examples" / "tools.py")]
        command += ["--api-key-file", str(trial.folder / "keys")] if key else []
    else:
        made = TypeAdapter(Script).dump_json(Script(actions or (Echo(),), **script)).decode()
        command = [str(Path(__file__).with_name("api_server.py")), made, *(["--key", key] if key else [])]
    own = {name: value for name, value in os.environ.items() if not name.startswith("LINNET_")}
    process = subprocess.Popen(
        [sys.executable, *command, "--at-once", str(at_once)],
        stdout=subprocess.PIPE,
        text=True,
        env={**own, "XDG_CONFIG_HOME": "/nonexistent"},
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            told = json.loads(process.stdout.readline())
            parts = urlsplit(told["url"])
            server = Server(parts.hostname or "", parts.port or 0, told["pid"], key)
            with _watched(trial, told["url"], told["pid"], key):
                yield server
            if process.poll() is not None:
                trial.faults.append(f"the server has ended by itself, with {process.returncode}")
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                trial.faults.append("the server did not end within 40 s")
                process.kill()
                process.wait()


@contextlib.contextmanager
def _watched(trial: Trial, url: str, pid: int, key: str) -> Iterator[None]:
    command = [sys.executable, str(Path(__file__).with_name("lateness.py")), url, str(pid), key]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        said, _ = watcher.communicate(timeout=60)
    seen = json.loads(said)
    if seen["looks"] >= 200 and seen["own"] > LATE:
        told = "the event loop was late: p99 {own:.3f} s of {looks} looks, with waits for a processor {p99:.3f} s"
        trial.faults.append(told.format(**seen))


def idle(server: Server, seconds: float = 30.0) -> None:
    """Wait until nothing runs or waits."""
    wait(lambda: server.load() == (0, 0), seconds)


def chat(text: str, **more: Any) -> Json:
    return {"messages": [{"role": "user", "content": text}], **more}


def busy(pid: int | None, seconds: float) -> float:
    """The share of that time for which a process computes; 0 for one that is gone."""
    before = _ticks(pid)
    time.sleep(seconds)
    return max(0.0, (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / seconds)


def _ticks(pid: int | None) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0

"""`linnet serve --ray` over the real model: a replica is killed, what is served is changed while it is asked."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="the extra linnet[ray] is not installed: `make test-ray` does it",
    ),
    pytest.mark.timeout(600),  # on a busy machine Ray alone takes minutes to begin
]


def documented() -> list[str]:
    """The command of docs/scale.md that has replicas, with two of them."""
    page = (Path(__file__).parents[3] / "docs" / "scale.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^(linnet serve --ray --replicas 1:4)\b", page, re.MULTILINE)
    return str(line).replace("1:4", "2").split()


class Command:
    """The server, with a settings file of its own."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "settings.toml"
        self.settings.write_text("context = 2048\n")
        own = {name: value for name, value in os.environ.items() if not name.startswith("LINNET_")}
        self._err = (folder / "err").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *documented(), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
            env={**own, "LINNET_SETTINGS": str(self.settings)},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.told()
        self.url = json.loads(line)["url"]

    def told(self) -> str:
        self._err.seek(0)
        return self._err.read()

    def close(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(120)
        finally:
            self.process.kill()
            self.process.communicate()
            self._err.close()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60)

    def chat(self, text: str = "Name three birds.", tokens: int = 12) -> Any:
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": tokens, "temperature": 0}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=120)

    def replicas(self, metric: str) -> dict[str, float]:
        found = re.findall(
            rf'linnet_replica_{metric}{{model="[^"]*",replica="([^"]*)"}} (\S+)', self.get("/metrics").text
        )
        return {name: float(value) for name, value in found}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    command = Command(tmp_path_factory.mktemp("ray"))
    yield command
    assert command.close() == 0


def test_the_metrics_page_tells_both_replicas(server: Command) -> None:
    assert server.chat().status_code == 200
    until = time.monotonic() + 60
    while len(answered := server.replicas("answered")) < 2 and time.monotonic() < until:
        time.sleep(0.2)  # one that is busy may not have said in time
    assert len(answered) == 2 and sum(answered.values()) >= 1


def test_the_same_prefix_goes_to_the_same_replica(server: Command) -> None:
    before = server.replicas("answered")
    for _ in range(4):
        assert server.chat("Which of my birds is it?").status_code == 200
    after = server.replicas("answered")
    assert sorted(after[name] - before.get(name, 0) for name in after) == [0, 4]


def test_an_answer_outlives_its_replica_with_the_same_words(server: Command) -> None:
    body = {
        "messages": [{"role": "user", "content": "Tell a long story about a fox."}],
        "max_tokens": 160,
        "temperature": 0,
    }
    before = server.replicas("answered")
    whole = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120).json()["choices"][0]["message"]
    after = server.replicas("answered")
    (busy,) = (name for name in after if after[name] > before.get(name, 0))  # which the next one goes to as well
    pid, said, notes = int(server.replicas("pid")[busy]), "", []
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions", json={**body, "stream": True}, timeout=120
    ) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            assert "error" not in event, event
            if (word := event["choices"][0]["delta"].get("content")) and not said:
                os.kill(pid, signal.SIGKILL)
            said += word or ""
            notes += event.get("linnet", {}).get("degraded", [])
    assert "1 replicas were lost while it answered" in notes and "resumed" in notes
    assert said.split()[:12] == whole["content"].split()[:12] and len(said) > 100


def test_other_settings_are_deployed_while_it_is_asked(server: Command) -> None:
    over, statuses = threading.Event(), []

    def ask() -> None:
        while not over.is_set():
            statuses.append(server.chat(tokens=2).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert server.get("/v1/models/default").json()["linnet"]["context"] == 2048
        server.settings.write_text("context = 1024\n")
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 300
        while "Deployed" not in server.told() and time.monotonic() < until:
            time.sleep(0.2)
        assert "Deployed what the settings say now" in server.told()
        assert server.get("/v1/models/default").json()["linnet"]["context"] == 1024
    finally:
        over.set()
        asking.join()
    assert statuses and set(statuses) == {200}


def test_settings_that_are_wrong_change_nothing(server: Command) -> None:
    server.settings.write_text("kontext = 1\n")
    server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 60
    while "Not deployed" not in server.told() and time.monotonic() < until:
        time.sleep(0.2)
    assert "Not deployed" in server.told() and server.chat(tokens=2).status_code == 200

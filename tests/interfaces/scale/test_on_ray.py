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

from linnet.models.gguf import open_model, read_header

sys.path.append(str(Path(__file__).parents[2] / "models"))

from gguf_writer import Small
from gguf_writer import adapter as small_adapter

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

    def renew(self, outcome: str) -> None:
        """Have it read its settings again, and come to that outcome."""
        said, until = len(self.told()), time.monotonic() + 300
        self.process.send_signal(signal.SIGHUP)
        while not (new := re.findall(r"^(Deployed|Not deployed)", self.told()[said:], re.MULTILINE)):
            assert time.monotonic() < until and self.process.poll() is None, self.told()[said:]
            time.sleep(0.2)
        assert new == [outcome], self.told()[said:]

    def pids(self) -> dict[str, float]:
        """Of both replicas, by their names."""
        until = time.monotonic() + 60
        while len(found := self.replicas("pid")) < 2 and time.monotonic() < until:
            time.sleep(0.2)  # one that is busy may not have said in time
        return found

    def replicas(self, metric: str) -> dict[str, float]:
        found = re.findall(
            rf'linnet_replica_{metric}{{model="[^"]*",replica="([^"]*)"}} (\S+)', self.get("/metrics").text
        )
        return {name: float(value) for name, value in found}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> str:
    """One of the real model, of small random numbers: what it says means nothing, but differs."""
    with open_model(model_path) as file:
        header = read_header(file.fileno())
    base = Small(
        {"general.architecture": (8, "llama")}, {tensor.name: (tensor.dimensions, 0) for tensor in header.tensors}
    )
    names = [f"blk.{layer}.{part}.weight" for layer in range(0, 30, 3) for part in ("attn_q", "ffn_down")]
    path = tmp_path_factory.mktemp("adapter") / "loud.gguf"
    path.write_bytes(small_adapter(base, names, rank=8, alpha=60.0).write())
    return str(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    command = Command(tmp_path_factory.mktemp("ray"))
    yield command
    assert command.close() == 0


def test_the_metrics_page_tells_both_replicas(server: Command) -> None:
    assert server.chat().status_code == 200
    assert len(server.pids()) == 2 and sum(server.replicas("answered").values()) >= 1
    assert "INFO" not in server.told(), "Ray talks"


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
        server.renew("Deployed")
        assert server.get("/v1/models/default").json()["linnet"]["context"] == 1024
    finally:
        over.set()
        asking.join()
    assert statuses and set(statuses) == {200}


def test_an_adapter_is_offered_by_the_replicas_that_run(server: Command, adapter: str) -> None:
    def say(model: str) -> str:
        body = {"model": model, "messages": [{"role": "user", "content": "Name three birds."}], "max_tokens": 12}
        answer = httpx.post(f"{server.url}/v1/chat/completions", json={**body, "temperature": 0}, timeout=120)
        return str(answer.json()["choices"][0]["message"]["content"])

    before, plain = server.pids(), say("default")
    server.settings.write_text(f'context = 1024\nanswer_tokens = 99\npreload = ["default+{adapter}"]\n')
    server.renew("Deployed")
    assert server.pids() == before, "the model is what it was"
    assert say("default") == plain != say(f"default+{adapter}")
    told = server.get(f"/v1/models/default+{adapter}").json()["linnet"]
    assert told["name"] == f"smollm2-135m+{Path(adapter).stem}", told


@pytest.mark.parametrize(
    "wrong", ["kontext = 1", 'router = "/no/such/router.toml"', 'journal = "mysql://nowhere/none"']
)
def test_settings_that_are_wrong_change_nothing(server: Command, wrong: str) -> None:
    before = server.pids()
    server.settings.write_text(f"context = 512\n{wrong}\n")
    server.renew("Not deployed")
    assert server.pids() == before and server.chat(tokens=2).status_code == 200

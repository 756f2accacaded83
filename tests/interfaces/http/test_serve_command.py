"""`linnet serve` as a command: what it refuses, what it says, and how it ends."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.serve import EXAMPLE
from linnet.interfaces.http.app import application
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.service import Service

KEY = "a-key-of-the-tests"


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["serve", *arguments])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_no_public_address_without_a_key(host: str) -> None:
    done = invoke("--host", host, "--port", "0", "--json")
    assert done.exit_code == 3 and json.loads(done.stdout)["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--port", "70000"], "settings_invalid"),
        (["--api-key", "short"], "settings_invalid"),
        (["--api-key-file", "/nonexistent"], "input_invalid"),
        (["--allow-origin", "*"], "settings_invalid"),
        (["--host", "no such host", "--api-key", KEY], "input_invalid"),
        (["--port", "0", "--model", "no-such-model"], "model_not_found"),
        (["--port", "0", "--tools", "/nonexistent.py"], "input_invalid"),
    ],
)
def test_what_cannot_be_served_is_usage(arguments: list[str], code: str) -> None:
    done = invoke(*arguments, "--json")
    assert done.exit_code == 2 and json.loads(done.stdout)["error"]["code"] == code


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = invoke("--port", str(taken.getsockname()[1]), "--json")
    assert done.exit_code == 2 and "port" in json.loads(done.stdout)["error"]["message"]


def test_the_help_has_an_example_and_the_defaults() -> None:
    shown = " ".join(invoke("--help").stdout.split())
    assert EXAMPLE in shown and "127.0.0.1" in shown and "8177" in shown


def test_the_web_framework_sends_nothing_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    made = application(Service({}), Door())
    assert not any(made._telemetry[kind] for kind in ("auto_configure", "tracing", "metrics", "logs"))


def test_the_web_framework_is_loaded_for_serving_only() -> None:
    look = "import sys, linnet.app, linnet.interfaces.cli.commands; print({'fastapi', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_example_runs_says_where_and_ends_with_0_when_it_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "linnet", *shlex.split(EXAMPLE.removeprefix("Example: "))[1:]]
    command[command.index("--port") + 1] = "0"
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    process = subprocess.Popen(
        [*command, "--api-key-file", str(keys)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Listening on http://127.0.0.1:") and "default" in line and KEY not in line
    url = line.split()[2]
    assert httpx.get(f"{url}/v1/models", timeout=60).status_code == 401
    assert httpx.get(f"{url}/v1/models", headers={"x-api-key": KEY}, timeout=60).status_code == 200
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def until_closed(url: str) -> None:
    """Until the server lets nobody in any more."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=60).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("it goes on listening")


def test_an_answer_that_is_under_way_is_finished_and_a_second_signal_ends_it(linnet_serve: Any) -> None:
    with (
        linnet_serve(LINNET_API_KEYS=KEY) as (url, process),
        httpx.Client(base_url=url, headers={"x-api-key": KEY}, timeout=60) as client,
    ):
        body = {"messages": [{"role": "user", "content": "Tell a long story."}], "stream": True}
        answers: list[str] = []

        def ask() -> None:
            try:
                answers.append(client.post("/v1/chat/completions", json={**body, "max_tokens": 20}).text)
            except httpx.HTTPError as error:
                answers.append(repr(error))

        asking = threading.Thread(target=ask)
        with client.stream("POST", "/v1/chat/completions", json={**body, "max_tokens": 3_000}) as long:
            lines = long.iter_lines()
            next(lines)
            asking.start()
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            until_closed(url)  # two signals that come together are one
            asking.join(60)
            assert answers and answers[0].endswith("data: [DONE]\n\n"), answers
            assert process.poll() is None, "it has left while an answer was under way"
            process.send_signal(signal.SIGTERM)
            assert "was cancelled" in "".join(lines), "the other one was not told"
            assert process.wait(60) == 0
        assert process.stderr is not None and process.stderr.read() == ""

"""`linnet mcp --http` by the official client, and by those who may not come in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

mcp = pytest.importorskip("mcp")

KEY = "a-key-of-the-tests"
TOOLS = '''
from linnet import tool

@tool(answer="{a} and {b} are {result}.")
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    return a + b

@tool(permissions=["network"])
def send(text: str) -> str:
    """Sends a text."""
    return "sent"
'''
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {KEY}"}


ROOT = Path(__file__).parents[3]


def command(folder: Path, *options: str, **environ: str) -> subprocess.Popen[str]:
    (folder / "tools.py").write_text(TOOLS)
    return linnet("mcp", "--tools", str(folder / "tools.py"), *options, **environ)


def linnet(*words: str, **environ: str) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("LINNET_")}
    return subprocess.Popen(
        [sys.executable, "-m", "linnet", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**own, "XDG_CONFIG_HOME": "/nonexistent", **environ},
    )


@contextlib.contextmanager
def listening(folder: Path, *options: str, **environ: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with ending(command(folder, "--http", "--port", "0", "--json", *options, **environ)) as (url, process):
        yield url, process


@contextlib.contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        yield json.loads(line)["url"], process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(tmp_path_factory.mktemp("mcp"), LINNET_API_KEYS=KEY) as (url, _):
        yield url


def session(url: str, use: Callable[[Any], Awaitable[Any]]) -> Any:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def main() -> Any:
        async with (
            httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=60) as http,
            mcp.Client(streamable_http_client(url, http_client=http), read_timeout_seconds=60) as client,
        ):
            return await use(client)

    return asyncio.run(main())


def test_a_host_lists_and_calls_over_http(url: str) -> None:
    async def use(client: Any) -> Any:
        listed = {one.name for one in (await client.list_tools()).tools}
        sums = await asyncio.gather(*(client.call_tool("add", {"a": n, "b": 1}) for n in range(5)))
        denied = await client.call_tool("send", {"text": "x"})
        return listed, sums, denied, await client.call_tool("ask", {"request": "What is 17 times 24?"})

    listed, sums, denied, asked = session(url, use)
    assert {"add", "send", "calculator", "ask"} <= listed
    assert [one.structured_content["result"] for one in sums] == [1, 2, 3, 4, 5]
    assert denied.is_error and denied.structured_content["error"]["code"] == "tool_denied"
    assert "408" in asked.content[0].text and asked.structured_content["how"] == "rule"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer another-key"}, 401),
        ({"authorization": ""}, 401),
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({}, 200),
    ],
)
def test_the_door_is_that_of_serve(url: str, headers: dict[str, str], status: int) -> None:
    done = httpx.post(url, json=HELLO, headers={**HEADERS, **headers}, timeout=60)
    assert done.status_code == status, done.text
    assert status == 200 or done.json()["error"]["code"] in ("not_authorized", "forbidden")


def test_other_paths_and_methods_are_not_there(url: str) -> None:
    other = httpx.post(url.replace("/mcp", "/v1/models"), headers=HEADERS, timeout=60)
    assert (other.status_code, other.json()["error"]["code"]) == (404, "not_there")
    read = httpx.get(url, headers=HEADERS, timeout=60)
    assert (read.status_code, read.headers["allow"]) == (405, "POST, DELETE")


def test_what_is_no_message_is_refused_and_the_server_goes_on(url: str) -> None:
    for body in (b"", b"[", b"{}", b'{"jsonrpc": "2.0"}', b"\xff" * 100):
        done = httpx.post(url, content=body, headers={**HEADERS, "content-type": "application/json"}, timeout=60)
        assert 400 <= done.status_code < 500, body
    large = httpx.post(url, content=b" " * ((8 << 20) + 1), headers=HEADERS, timeout=60)
    assert 400 <= large.status_code < 500
    assert httpx.post(url, json=HELLO, headers=HEADERS, timeout=60).status_code == 200


def test_the_command_of_the_page_listens_and_a_signal_ends_it_well() -> None:
    page = (ROOT / "docs" / "mcp.md").read_text()
    (line,) = re.findall(r"^linnet (mcp --http .*)$", page, re.MULTILINE)
    with ending(linnet(*line.split(), "--port", "0", "--json")) as (url, process):
        assert url.startswith("http://127.0.0.1:") and url.endswith("/mcp")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [(("--http", "--host", "0.0.0.0"), "forbidden", 3), (("--port", "9"), "settings_invalid", 2)],
)
def test_what_may_not_listen_does_not(tmp_path: Path, options: tuple[str, ...], code: str, status: int) -> None:
    process = command(tmp_path, "--json", *options)
    out, err = process.communicate(timeout=60)
    assert json.loads(out)["error"]["code"] == code, err
    assert process.returncode == status

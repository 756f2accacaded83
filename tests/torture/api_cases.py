"""The API, from outside: clients that leave, streams that cannot go on, workers that die, every door, bombs, runs of
one character, templates that a request brings. Crowds and random bodies are in `http_cases.py`."""

from __future__ import annotations

import json
import random
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import bombs
from api import CHAT, Answer, Json, Server, busy, chat, idle, served
from harness import Trial, case, expect, kill, wait
from lateness import between, waited

from linnet.script import Die, Echo, Say

SECOND = 1.0
"""Within which nothing is computed any more for a client that has left, less what was waited for a processor."""

KEY = f"key-{secrets.token_hex(12)}"


# --- clients that leave --------------------------------------------------------------------------

LEAVES = ("in the headers", "in the body", "in the line", "before the first token", "in mid-stream", "before the end")


@case("disconnects", "API", small=6, scripted=120, real=24, worst="from a client's end until nothing runs for it")
def who_leaves_frees_the_engine(trial: Trial) -> None:
    """In the headers, the body, the line, prefill, in mid-stream, before a whole answer: nothing runs a second later,
    and the worker computes no more."""
    with served(trial, Say("61" * 4_000), at_once=1, seconds_per_token=0.02) as server:
        server.ask("POST", CHAT, chat("Hi", max_tokens=1))
        for i in trial.rounds():
            phase = LEAVES[i % len(LEAVES)]
            with trial.attempt(phase):
                busy_ones = ("self", server.pid, server.worker())
                left, before = _left(server, phase, trial.draw), waited(*busy_ones)
                wait(lambda: server.load() == (0, 0))
                trial.seconds.append(time.monotonic() - left)
                own = trial.seconds[-1] - between(before, waited(*busy_ones))
                expect(own <= (SECOND if trial.tries > 6 else 10.0), f"{own:.2f} s later, without waits")
                _at_rest(trial, server, left)


def _at_rest(trial: Trial, server: Server, left: float) -> None:
    """A second after a client has left nothing is computed; one step of a prompt may still end before."""
    if trial.engine == "real":
        time.sleep(max(0.0, left + SECOND - time.monotonic()))
        expect(busy(server.worker(), 0.3) < 0.5, "the worker still computes a second later")


def _left(server: Server, phase: str, draw: random.Random) -> float:
    """When a client left in that phase."""
    text = " ".join("".join(draw.choices("aeioulnrst", k=6)) for _ in range(600 if "before the f" in phase else 12))
    body = chat(text, max_tokens=1_000, stream=phase != "before the end")
    if phase in ("in the headers", "in the body"):
        client = server.send(CHAT, body, cut=draw.randrange(5, 60) if "headers" in phase else -draw.randrange(1, 60))
    elif phase == "in the line":
        with server.send(CHAT, body) as front, server.send(CHAT, body) as behind:
            front.recv(1)
            wait(lambda: server.load() == (1, 1))
            behind.close()
            left = time.monotonic()
            wait(lambda: server.load() == (1, 0), 20.0)
            expect(time.monotonic() - left <= 10.0, "who had left still waited")
            return time.monotonic()
    else:
        client = server.send(CHAT, body)
        if phase == "in mid-stream":
            _heard(client, b'"content":"', 2)
        else:
            wait(lambda: server.load()[0] == 1)
            time.sleep(0.1)
    client.close()
    return time.monotonic()


def _heard(client: socket.socket, what: bytes, times: int) -> None:
    """Read until it was said so often."""
    said = b""
    while said.count(what) < times:
        block = client.recv(65_536)
        expect(block, f"the connection ended after {said[-200:]!r}")
        said += block


# --- streams that cannot go on, and those that do ------------------------------------------------

STREAMS: dict[str, tuple[Json, tuple[str, ...]]] = {
    CHAT: ({"max_tokens": 2_000}, ("[DONE]", '"finish_reason":"')),
    "/v1/completions": ({"max_tokens": 2_000}, ("[DONE]", '"finish_reason":"')),
    "/v1/messages": ({"max_tokens": 2_000}, ("message_stop", '"stop_reason":"')),
    "/v1/responses": ({"max_output_tokens": 2_000}, ("response.completed", "response.incomplete")),
    "/infill": ({"n_predict": 2_000, "input_suffix": ""}, ('"stop":true',)),
    "/completion": ({"n_predict": 2_000}, ('"stop":true',)),
}
"""Paths that stream, with fields and what only a complete answer holds."""


def _streaming(path: str, text: str) -> Json:
    fields = {**STREAMS[path][0], "stream": True}
    if path in (CHAT, "/v1/messages"):
        return {**chat(text), **fields}
    name = {"/v1/responses": "input", "/infill": "input_prefix"}.get(path, "prompt")
    return {name: text, **({"prompt": ""} if path == "/infill" else {}), **fields}


@case("broken streams", "API", small=6, scripted=120, real=6)
def a_stream_that_cannot_go_on_never_looks_complete(trial: Trial) -> None:
    """In all protocols: with a worker that always dies in mid-answer, or is killed as often as it is started, the
    stream says so, and holds nothing of what ends a complete one."""
    script: dict[str, Any] = {"poison": "POISON", "seconds_per_token": 0.002}
    with served(trial, Say("61" * 9), Die(11), **script) as server:
        for i in trial.rounds():
            path = list(STREAMS)[i % len(STREAMS)]
            with trial.attempt(path):
                answer = _cut_short(trial, server, path)
                said = answer.text.replace(": ", ":")
                expect("error" in said or answer.status >= 500, f"{answer.status}: {said[-300:]!r}")
                found = [mark for mark in STREAMS[path][1] if mark in said]
                expect(not found, f"it holds {found}: {said[-300:]!r}")
                idle(server)
        with trial.attempt("afterwards"):
            if trial.engine == "real":
                time.sleep(1.0)
            expect(server.ask("POST", CHAT, chat("Hi", max_tokens=2)).status == 200, "it answers no more")


def _cut_short(trial: Trial, server: Server, path: str) -> Answer:
    """The answer to a request whose workers die: of themselves where they follow a script, else by kill -9."""
    text = f"POISON {secrets.token_hex(6)} Tell a long story."
    stop = threading.Event()

    def killing() -> None:
        time.sleep(0.4)  # into the answer
        while not stop.is_set():
            kill(server.worker())
            time.sleep(0.05)

    killer = threading.Thread(target=killing, daemon=True)
    if trial.engine == "real":
        killer.start()
    try:
        return server.ask("POST", path, _streaming(path, text), seconds=180.0)
    finally:
        stop.set()
        if trial.engine == "real":
            killer.join()


@case("kills over HTTP", "API", small=4, scripted=120, real=24, worst="from a kill to the end of all streams")
def streams_go_on_after_a_kill(trial: Trial) -> None:
    """Four streams and kill -9 of the worker at a random moment: each is whole, with one id, and holds no other's
    nonce."""
    with served(trial, Echo(), seconds_per_token=0.005) as server:
        server.ask("POST", CHAT, chat("Hi", max_tokens=1))
        for _ in trial.rounds():
            with trial.attempt():
                nonces = [f"n{secrets.token_hex(6)}" for _ in range(4)]
                answers: dict[str, Answer] = {}
                threads = [threading.Thread(target=_told, args=(server, nonce, answers)) for nonce in nonces]
                for thread in threads:
                    thread.start()
                time.sleep(trial.draw.uniform(0.0, 0.6))
                pid, killed = server.worker(), time.monotonic()
                kill(pid)
                for thread in threads:
                    thread.join(120)
                trial.seconds.append(time.monotonic() - killed)
                for nonce in nonces:
                    _whole(answers.get(nonce), nonce, nonces)


def _told(server: Server, nonce: str, answers: dict[str, Answer]) -> None:
    pattern = {"type": "string", "pattern": f"^{nonce} [a-z]{{20,30}}$"}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": pattern}}
    body = chat(f"Say {nonce} and a word. {'x' * 60}", stream=True, response_format=form, max_tokens=300)
    answers[nonce] = server.ask("POST", CHAT, body, seconds=120.0)


def _whole(answer: Answer | None, nonce: str, nonces: list[str]) -> None:
    expect(answer and answer.status == 200, f"it ended as {answer and answer.status}")
    assert answer
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    expect(data and data[-1] == "[DONE]", f"a stream was not whole: {answer.text[-300:]!r}")
    chunks = [json.loads(one) for one in data[:-1]]
    expect(len({chunk["id"] for chunk in chunks}) == 1, "it has several ids")
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    found = set(re.findall("n[0-9a-f]{12}", text)) & set(nonces)
    expect(found == {nonce}, f"it holds {found - {nonce} or text[:100]!r}")


# --- doors ---------------------------------------------------------------------------------------


@case("doors", "API", small=1, scripted=1, real=1)
def every_route_has_every_door(trial: Trial) -> None:
    """All routes of the document, and some that are none: without a key, with a wrong one, by a foreign name (DNS
    rebinding), from a foreign page, by no name: refused. The page at `/` alone is read without a key."""
    with served(trial, key=KEY) as server:
        expect(server.ask("GET", "/v1/models").status == 200, "the key does not open it")
        for method, path in _routes(server):
            for name, headers, statuses in _wrong(server):
                with trial.attempt(f"{method} {path} {name}"):
                    answer = server.ask(method, path, b"{}" if method == "POST" else None, **headers)
                    keyless = (method, path, statuses) == ("GET", "/", (401,))  # it has no key before it is there
                    expect(
                        answer.status in (statuses if not keyless else (200,)),
                        f"{answer.status}: {answer.text[:200]}",
                    )
                    expect(KEY not in answer.text and "access-control-allow-origin" not in answer.headers, "it tells")


def _routes(server: Server) -> Iterator[tuple[str, str]]:
    document = server.ask("GET", "/openapi.json").json
    for path, methods in document["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"\{[^}]*\}", "x", path)
    yield from (("GET", path) for path in ("/", "/openapi.json", "/docs", "/nothing", "/v1", "/health/", "//health"))
    yield from ((method, CHAT) for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"))


def _wrong(server: Server) -> Iterator[tuple[str, dict[str, str], tuple[int, ...]]]:
    yield "without a key", {"Authorization": ""}, (401,)
    yield "with a wrong key", {"Authorization": f"Bearer {KEY[:-1]}"}, (401,)
    yield "with half a key", {"Authorization": "", "x_api_key": KEY[: len(KEY) // 2]}, (401,)
    yield "by a foreign name", {"Host": f"evil.example:{server.port}"}, (403,)
    yield "by a name that only begins like ours", {"Host": "localhost.evil.example"}, (403,)
    yield "from a foreign page", {"Origin": "https://evil.example"}, (403,)
    yield "from a page of no origin", {"Origin": "null"}, (403,)
    yield "from a page of another port", {"Origin": "http://localhost:1"}, (403,)
    yield "by another site", {"Sec_Fetch_Site": "cross-site"}, (403,)
    yield "by no name", {"Host": ""}, (400, 403)


# --- what is costly to read ----------------------------------------------------------------------

SECONDS = 120.0
"""That an answer to any of it may take, on a busy machine; a request of 600 tokens is scored with each tool."""


def _survives(trial: Trial, server: Server, path: str, body: bytes | Json) -> None:
    """Only 2xx and 4xx, in time."""
    started = time.monotonic()
    answer = server.ask("POST", path, body, seconds=SECONDS)
    trial.seconds.append(time.monotonic() - started)
    code = answer.json["error"] if answer.status >= 400 else ""
    expect(200 <= answer.status < 500, f"{answer.status}: {str(code)[:200]}")


@case("nesting bombs", "API", small=0, real=200)
def what_is_nested_costs_one_answer(trial: Trial) -> None:
    """JSON, tools, schemas and grammars that nest, repeat or refer to themselves: only 2xx and 4xx, and others are
    answered meanwhile."""
    with served(trial) as server:
        for _ in trial.rounds():
            name, path, body = bombs.nested(trial.draw)
            with trial.attempt(name):
                _survives(trial, server, path, body)


@case("long runs", "API", small=0, real=60)
def runs_of_one_character_cost_one_answer(trial: Trial) -> None:
    """Up to 400,000 of one letter, sign, space or half a word, as text, tool or gap: only 2xx and 4xx."""
    with served(trial) as server:
        for _ in trial.rounds():
            name, path, body = bombs.run_of_one(trial.draw)
            with trial.attempt(name):
                _survives(trial, server, path, body)


@case("brought templates", "API", small=4, scripted=60, real=60)
def a_template_that_a_request_brings_does_nothing(trial: Trial) -> None:
    """Code in `chat_template` and its options: refused, or told to have no effect, and nothing of it happens."""
    canary = trial.folder / "touched"
    with served(trial) as server:
        for _ in trial.rounds():
            payload = bombs.template(trial.draw, str(canary))
            field = trial.draw.choice(("chat_template", "chat_template_kwargs", "template", "tools_template"))
            with trial.attempt(f"{field}: {payload}"):
                value = {"chat_template": payload, "x": payload} if field.endswith("kwargs") else payload
                answer = server.ask("POST", CHAT, chat("Say hi.", max_tokens=4, **{field: value}))
                expect(200 <= answer.status < 500, f"{answer.status}: {answer.text[:200]}")
                told = answer.status >= 400 or any(field in one for one in answer.json["linnet"]["degraded"])
                expect(told, f"nobody says what became of it: {answer.text[-300:]}")
                expect("<class" not in answer.text and not canary.exists(), "it was run")

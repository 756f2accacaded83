"""What a server takes: slow clients, crowds, keys on every path, and an end that loses nobody."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from linnet.interfaces.http import deadlines, serve
from linnet.interfaces.http.auth import Keys
from linnet.interfaces.http.guard import Door
from linnet.limits import LIMITS
from linnet.runtime import health
from linnet.script import Die, Say
from linnet.vectors import Embeds

Says = Callable[[str], Say]
CLIENT = httpx.Client(timeout=60)
KEY = "a-key-of-the-tests"


@pytest.fixture(scope="module", autouse=True)
def the_client_is_closed() -> Iterator[None]:
    yield
    CLIENT.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    short = replace(LIMITS, http_header_seconds=1.0, http_body_seconds=1.0, http_write_seconds=1.0)
    monkeypatch.setattr(deadlines, "LIMITS", short)


def read_all(client: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            block = client.recv(65_536)
        except ConnectionResetError:
            return found
        if not block:
            return found
        found += block


def trickle(client: socket.socket, data: bytes, seconds: float) -> None:
    """A byte at a time, as long as the other end takes them."""
    try:
        for byte in data:
            client.sendall(bytes([byte]))
            time.sleep(seconds)
    except OSError:
        pass


# --- slow clients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begin",
    [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: "],
    ids=["nothing", "line", "header"],
)
def test_headers_that_do_not_end_are_cut_off(serving: Any, says: Says, impatient: None, begin: bytes) -> None:
    running = serving(says("Hi"))
    started = time.monotonic()
    with running.socket() as client:
        client.sendall(begin)
        threading.Thread(target=trickle, args=(client, b"a" * 1_200 if begin else b"", 0.05), daemon=True).start()
        answer = read_all(client)
        assert 0.3 < time.monotonic() - started < 20
    assert (b" 408 " in answer and b"deadline_exceeded" in answer) if begin else answer == b""


def test_a_body_that_does_not_end_is_cut_off(serving: Any, says: Says, impatient: None) -> None:
    running = serving(says("Hi"))
    started = time.monotonic()
    with running.socket() as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n")
        threading.Thread(target=trickle, args=(client, b" " * 1_200, 0.05), daemon=True).start()
        answer = read_all(client)
        assert 0.3 < time.monotonic() - started < 20 and b" 408 " in answer and b"deadline_exceeded" in answer
    assert running.idle()


def test_the_second_request_of_a_connection_has_deadlines_too(serving: Any, says: Says, impatient: None) -> None:
    running = serving(says("Hi"))
    with running.socket() as client:
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in client.recv(65_536)
        time.sleep(1.3)  # between two requests there is none
        client.sendall(b"GET /v1/mod")
        started = time.monotonic()
        assert b" 408 " in read_all(client) and time.monotonic() - started < 20


def test_an_answer_may_take_longer_than_a_request(serving: Any, says: Says, impatient: None) -> None:
    assert serving(says("abc"), seconds_per_token=0.5).chat().json()["choices"][0]["message"]["content"] == "abc"


def test_who_does_not_read_is_cut_off_and_holds_no_seat(serving: Any, says: Says, impatient: None) -> None:
    running = serving(says("x" * 4_000), at_once=1)
    body = json.dumps(
        {"messages": [{"role": "user", "content": "Go"}], "stream": True, "max_tokens": 4000, "n": 8}
    ).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", running.port))
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        client.sendall(body)
        assert running.idle(60)
        until = time.monotonic() + 60
        while running.server.server_state.connections and time.monotonic() < until:
            time.sleep(0.05)
        assert not running.server.server_state.connections


def test_connections_are_bounded_and_idle_ones_end(serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "LIMITS", replace(LIMITS, http_connections=2))
    monkeypatch.setattr(serve, "LIMITS", replace(LIMITS, http_idle_seconds=1.0))
    running = serving(says("Hi"))
    with running.socket() as first, running.socket() as second, running.socket() as third:
        assert read_all(third) == b"", "one too many"
        started = time.monotonic()
        for client in (first, second):
            client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in client.recv(65_536)
        read_all(first)
        assert 0.5 < time.monotonic() - started < 20


# --- what is too large, or no HTTP ----------------------------------------------------------------


@pytest.mark.parametrize("size", [LIMITS.http_header_bytes + 100, 60 << 10, 200 << 10])
def test_headers_over_the_limit_are_refused(serving: Any, says: Says, size: int) -> None:
    with serving(says("Hi")).socket() as client:
        head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-A: "
        client.sendall(head + b"a" * size + b"\r\n\r\n")
        answer = read_all(client)
    assert b" 431 " in answer and b"request_too_large" in answer


def test_headers_within_the_limit_are_taken(serving: Any, says: Says) -> None:
    done = CLIENT.get(
        f"{serving(says('Hi')).url}/v1/models", headers={"x-a": "a" * (LIMITS.http_header_bytes - 1_000)}
    )
    assert done.status_code == 200


NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01",
    b"HELLO\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("sent", NO_HTTP)
def test_what_is_no_http_is_refused(serving: Any, says: Says, sent: bytes) -> None:
    with serving(says("Hi")).socket() as client:
        client.sendall(sent + b"\r\n" * 3)
        answer = read_all(client)
    assert b" 400 " in answer and b'"request_error"' in answer


# --- crowds --------------------------------------------------------------------------------------


def test_exactly_the_overflow_is_sent_away(serving: Any, says: Says) -> None:
    running = serving(says("done"), seconds_per_token=0.01, at_once=4, room=40)

    async def crowd() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=running.url, limits=limits, timeout=60) as client:
            body = {"messages": [{"role": "user", "content": "Hi"}]}
            return list(await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(120))))

    done = asyncio.run(crowd())
    counted = Counter(answer.status_code for answer in done)
    assert set(counted) == {200, 503} and counted[200] >= 40
    refused = [answer for answer in done if answer.status_code == 503]
    assert all(
        1 <= int(a.headers["retry-after"]) <= 60 and a.json()["error"]["code"] == "queue_full" for a in refused
    )
    assert all(a.json()["choices"][0]["message"]["content"] == "done" for a in done if a.status_code == 200)
    assert running.idle()


def test_no_more_run_together_than_have_a_seat(serving: Any, says: Says) -> None:
    running = serving(says("x" * 20), seconds_per_token=0.02, at_once=2)
    threads = [threading.Thread(target=running.chat) for _ in range(5)]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(running.supervisor._tickets))
        time.sleep(0.01)
    assert most == 2 and running.idle()


# --- keys ----------------------------------------------------------------------------------------


def paths(running: Any, headers: dict[str, str]) -> list[tuple[str, str]]:
    document = CLIENT.get(f"{running.url}/openapi.json", headers=headers).json()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_there_is_no_path_without_a_key_or_by_another_name(serving: Any, says: Says) -> None:
    running = serving(says("Hi"), door=Door(keys=Keys([KEY])))
    good = {"authorization": f"Bearer {KEY}"}
    found = [
        *paths(running, good),
        ("GET", "/openapi.json"),
        ("GET", "/nothing"),
        ("POST", "/"),
        ("OPTIONS", "/health"),
    ]
    assert len(found) > 8
    with httpx.Client(base_url=running.url) as client:
        for method, path in found:
            for headers in ({}, {"authorization": "Bearer another-key"}, {"x-api-key": KEY[:-1]}):
                assert client.request(method, path, headers=headers).status_code == 401, (method, path)
            for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
                assert client.request(method, path, headers={**good, **headers}).status_code == 403, (method, path)
        assert client.get("/v1/models", headers=good).status_code == 200
        assert client.get("/v1/models", headers={"x-api-key": KEY}).status_code == 200


def test_each_key_has_prefixes_of_its_own(serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    running = serving(says("Hi"), door=Door(keys=Keys([KEY, KEY * 2])))
    owners = []
    stream = running.supervisor.stream
    monkeypatch.setattr(
        running.supervisor, "stream", lambda request: (owners.append(request.owner), stream(request))[1]
    )
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    for key in (KEY, KEY * 2, KEY):
        CLIENT.post(f"{running.url}/v1/chat/completions", json=body, headers={"x-api-key": key})
    assert owners[0] == owners[2] != owners[1] and all(owners) and KEY not in "".join(owners)


def test_pages_that_were_named_get_what_browsers_ask_for(serving: Any, says: Says) -> None:
    running = serving(says("Hi"), door=Door(keys=Keys([KEY]), origins=frozenset({"https://page.example"})))
    asking = {"origin": "https://page.example", "access-control-request-headers": "authorization,x-stainless-lang"}
    before = CLIENT.options(f"{running.url}/v1/models", headers=asking)
    assert before.headers["access-control-allow-headers"] == "authorization,x-stainless-lang"
    assert before.status_code == 204 and before.headers["access-control-allow-origin"] == "https://page.example"
    told = CLIENT.get(f"{running.url}/v1/models", headers={"origin": "https://page.example", "x-api-key": KEY})
    assert told.headers["access-control-allow-origin"] == "https://page.example"
    exposed = set(told.headers["access-control-expose-headers"].split(", "))
    assert {"x-linnet-how", "x-linnet-degraded", "x-request-id", "retry-after"} <= exposed
    strange = CLIENT.options(f"{running.url}/v1/models", headers={**asking, "origin": "https://other.example"})
    assert strange.status_code == 403 and "access-control-allow-headers" not in strange.headers


def test_what_nobody_foresaw_is_marked_and_counted(serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    running = serving(says("Hi"))
    monkeypatch.setattr(running.service, "models", None)
    told = CLIENT.get(f"{running.url}/v1/models")
    assert told.status_code == 500 and told.headers["x-request-id"].startswith("req_")
    assert told.json()["error"]["message"] == "unexpected TypeError"
    counted = CLIENT.get(f"{running.url}/metrics").text
    assert 'linnet_http_requests_total{route="/v1/models",status="500"} 1.0' in counted


def test_a_model_may_have_a_path_for_a_name(serving: Any, says: Says) -> None:
    running = serving(says("Hi"))
    running.service.models["org/name"] = running.service.models["default"]
    assert CLIENT.get(f"{running.url}/v1/models/org/name").json()["id"] == "org/name"
    assert CLIENT.get(f"{running.url}/v1/models/org/none").json()["error"]["code"] == "model_not_found"


def test_a_call_that_nobody_said_anything_of_is_refused(serving: Any, says: Says) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    body = {"messages": [{"role": "system", "content": "Be brief."}], "tools": [tool]}
    url = f"{serving(says('Hi')).url}/v1/chat/completions"
    for choice in ("required", {"type": "function", "function": {"name": "look"}}):
        told = CLIENT.post(url, json={**body, "tool_choice": choice})
        assert (told.status_code, told.json()["error"]["code"]) == (400, "empty_request")
        assert told.headers["x-should-retry"] == "false"


def test_vectors_of_another_width_are_refused_before_any_is_computed(
    serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = serving(says("Hi"))
    able = replace(running.service.models["default"].capabilities, embeds=Embeds(8, "a test", True))
    monkeypatch.setattr(type(running.service.models["default"]), "capabilities", able)
    monkeypatch.setattr(running.service, "run", None)
    told = CLIENT.post(f"{running.url}/v1/embeddings", json={"input": "x", "dimensions": 3})
    assert (told.status_code, told.json()["error"]["code"]) == (400, "not_offered")


# --- health --------------------------------------------------------------------------------------


def test_an_engine_that_says_nothing_is_not_healthy(serving: Any) -> None:
    running = serving(Die(signal=11))
    sick = CLIENT.get(f"{running.url}/health", timeout=30)
    assert sick.status_code == 503 and sick.json()["error"]["code"] == "worker_crashed"
    assert sick.json()["status"] == "error" and int(sick.headers["retry-after"]) >= 1


def test_an_engine_that_comes_back_is(serving: Any, says: Says) -> None:
    running = serving(says("x"), Die(signal=11), generations=(1,))
    assert CLIENT.get(f"{running.url}/health", timeout=30).status_code == 200


def test_a_token_that_is_old_says_nothing_of_now(serving: Any, says: Says) -> None:
    running = serving(Die(signal=11))
    running.service._watched._spoke = time.monotonic() - LIMITS.health_seconds + 5
    assert CLIENT.get(f"{running.url}/health").status_code == 200
    running.service._watched._spoke = time.monotonic() - LIMITS.health_seconds - 1
    assert CLIENT.get(f"{running.url}/health").status_code == 503


def test_a_token_that_does_not_come_in_time_is_none(
    serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LIMITS", replace(LIMITS, probe_seconds=0.2))
    sick = CLIENT.get(f"{serving(says('x'), seconds_per_token=1.5).url}/health")
    assert sick.status_code == 503 and sick.json()["error"]["code"] == "deadline_exceeded"


# --- the end -------------------------------------------------------------------------------------


def test_what_runs_is_finished_and_what_waits_is_handed_back(serving: Any, says: Says) -> None:
    running = serving(says("x" * 250), seconds_per_token=0.02, at_once=1)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(running.chat())) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert running.stands(1, 2)
    running.server.handle_exit(15, None)
    for thread in threads:
        thread.join(30)
    by_status = Counter(answer.status_code for answer in answers)
    assert by_status == {200: 1, 503: 2}
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 503} == {"cancelled"}
    assert all(a.headers["retry-after"] for a in answers if a.status_code == 503)


def test_what_does_not_end_in_time_is_cancelled_and_told(
    serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "LIMITS", replace(LIMITS, http_grace_seconds=0.3))
    running = serving(says("x" * 2_000), seconds_per_token=0.01)
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(running.chat(stream=True, max_tokens=2_000).text))
    asking.start()
    assert running.stands(1, 0)
    running.server.handle_exit(15, None)
    asking.join(60)
    assert '"code":"cancelled"' in answers[0] and "[DONE]" not in answers[0] and running.idle()

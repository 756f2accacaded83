"""Streams: exact to the byte, honest when they break, and gone when nobody reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from linnet.interfaces.http import sse
from linnet.limits import LIMITS
from linnet.script import Die, Say

Read = Callable[[str], list[Any]]
Says = Callable[[str], Say]


def test_the_chunks_of_an_answer_are_exact(serving: Any, says: Says, events: Read) -> None:
    text = "Zürich 🐦, naïve"
    done = serving(says(text)).chat(stream=True, stream_options={"include_usage": True})
    assert (
        done.headers["content-type"].startswith("text/event-stream") and done.headers["cache-control"] == "no-cache"
    )
    *chunks, end = events(done.text)
    assert end == "[DONE]" and done.text.endswith("data: [DONE]\n\n")
    assert len({chunk["id"] for chunk in chunks}) == 1 and {c["object"] for c in chunks} == {"chat.completion.chunk"}
    *spoken, last, usage = chunks
    assert spoken[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    pieces = [chunk["choices"][0]["delta"]["content"] for chunk in spoken]
    assert "".join(pieces) == text and "\N{REPLACEMENT CHARACTER}" not in done.text
    assert all(c["choices"][0]["index"] == 0 and c["choices"][0]["finish_reason"] is None for c in spoken)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert last["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": None}
    assert last["linnet"]["how"] == "model"
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] == len(text.encode())


def test_no_usage_unless_it_is_asked_for(serving: Any, says: Says, events: Read) -> None:
    *chunks, _ = events(serving(says("Hi")).chat(stream=True).text)
    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)


def test_several_answers_are_told_apart_by_index(serving: Any, says: Says, events: Read) -> None:
    *chunks, end = events(serving(says("Hi there")).chat(stream=True, n=3).text)
    texts, finishes = ["", "", ""], []
    for chunk in chunks:
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["delta"].get("content", "")
        finishes += [choice["index"]] if choice["finish_reason"] else []
    assert texts == ["Hi there"] * 3 and sorted(finishes) == [0, 1, 2] and end == "[DONE]"


def test_a_worker_that_dies_is_not_noticed(serving: Any, says: Says, events: Read) -> None:
    running = serving(says("One, "), Die(signal=9), says("two."), generations=(1,))
    *chunks, end = events(running.chat(stream=True).text)
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "One, two." and end == "[DONE]"
    assert "resumed" in chunks[-1]["linnet"]["degraded"]


def test_a_stream_that_cannot_go_on_never_looks_complete(serving: Any, says: Says, events: Read) -> None:
    done = serving(says("One, "), Die(signal=11)).chat(stream=True)
    *chunks, last = events(done.text)
    assert (
        done.status_code == 200
        and last["error"]["code"] == "worker_crashed"
        and last["error"]["type"] == "server_error"
    )
    assert (
        chunks and all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks) and "[DONE]" not in done.text
    )


def test_what_fails_before_the_first_word_has_a_status(serving: Any, says: Says) -> None:
    done = serving(Die(signal=11)).chat(stream=True)
    assert (done.status_code, done.json()["error"]["code"]) == (500, "worker_crashed")
    late = serving(says("x" * 100), seconds_per_token=0.1, seconds=0.4).chat()
    assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_silence_is_broken_by_comments(
    serving: Any, says: Says, events: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "LIMITS", replace(LIMITS, http_keep_alive_seconds=0.1))
    running = serving(says("abc"), seconds_per_token=0.35)
    done = running.chat(stream=True)
    assert done.text.count(": still at work\n\n") >= 3
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in events(done.text)[:-1]) == "abc"


def test_a_line_end_in_a_text_is_no_line_end_of_the_stream() -> None:
    framed = sse.frame({"text": "a\r\nb\u2028c\n\ndata: [DONE]"})
    assert framed.count(b"\n") == 2 and framed.endswith(b"\n\n") and b"\r" not in framed
    assert json.loads(framed.removeprefix(b"data: "))["text"] == "a\r\nb\u2028c\n\ndata: [DONE]"


# --- clients that leave --------------------------------------------------------------------------

LONG = "x" * 2_000


def request(stream: bool) -> bytes:
    body = json.dumps(
        {"messages": [{"role": "user", "content": "Go"}], "stream": stream, "max_tokens": 2000}
    ).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_frees_the_engine_within_a_second(serving: Any, says: Says, stream: bool) -> None:
    running = serving(says(LONG), seconds_per_token=0.01)
    with running.socket() as client:
        client.sendall(request(stream))
        if stream:
            assert b"200" in client.recv(4096)
        until = time.monotonic() + 60
        while not running.supervisor._tickets and time.monotonic() < until:
            time.sleep(0.01)
        assert running.service.line.running == 1
    assert running.idle()


def test_a_client_that_leaves_the_line_is_not_begun(serving: Any, says: Says) -> None:
    running = serving(says(LONG), seconds_per_token=0.01, at_once=1)
    with running.socket() as first:
        first.sendall(request(True))
        assert b"200" in first.recv(4096)
        with running.socket() as second:
            second.sendall(request(False))
            assert running.stands(1, 1)
        assert running.stands(1, 0)
    assert running.idle()


def test_the_real_engine_is_free_again_too(http: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "Tell a long story about the sea."}], "stream": True}
    with http.stream("POST", "/v1/chat/completions", json={**body, "max_tokens": 3500}) as answer:
        next(answer.iter_lines())
    until = time.monotonic() + 30
    while (line := http.get("/health").json())["running"] and time.monotonic() < until:
        time.sleep(0.02)
    assert line["running"] == 0

"""llama-server's `/tokenize` and `/detokenize`, on the real model."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from linnet.interfaces.http.llama_shapes import InfillRequest
from linnet.limits import LIMITS

TEXT = "def f(x):\n    return x + 1  # Grüße 👋"


def told(http: httpx.Client, path: str, **body: Any) -> Any:
    done = http.post(path, json=body)
    assert done.status_code == 200, done.text
    return done.json()


def test_a_text_is_tokens_and_tokens_are_the_text(http: httpx.Client) -> None:
    ids = told(http, "/tokenize", content=TEXT)["tokens"]
    assert len(ids) > 10 and all(isinstance(one, int) for one in ids)
    assert told(http, "/detokenize", tokens=ids)["content"] == TEXT
    assert told(http, "/tokenize", content="") == {"tokens": []} and told(http, "/detokenize")["content"] == ""


def test_pieces_are_texts_or_bytes(http: httpx.Client) -> None:
    pieces = told(http, "/tokenize", content=TEXT, with_pieces=True)["tokens"]
    assert [one["id"] for one in pieces] == told(http, "/tokenize", content=TEXT)["tokens"]
    parts = [one["piece"] for one in pieces]
    assert b"".join(one.encode() if isinstance(one, str) else bytes(one) for one in parts).decode() == TEXT
    assert any(isinstance(one, list) for one in parts), "an emoji is more tokens than one"


def test_control_tokens_are_recognised_unless_they_are_not_to_be(http: httpx.Client) -> None:
    marked = told(http, "/tokenize", content="<|im_end|>")["tokens"]
    plain = told(http, "/tokenize", content="<|im_end|>", parse_special=False)["tokens"]
    assert len(marked) == 1 and len(plain) > 1
    assert told(http, "/detokenize", tokens=marked) == told(http, "/detokenize", tokens=plain)


def test_an_unknown_token_is_refused(http: httpx.Client) -> None:
    done = http.post("/detokenize", json={"tokens": [10_000_000]})
    assert (done.status_code, done.json()["error"]["code"]) == (400, "request_error")


def test_one_token_too_many_is_refused(http: httpx.Client) -> None:
    most = LIMITS.spelled_tokens
    assert told(http, "/detokenize", tokens=[1] * most)["content"]
    assert http.post("/detokenize", json={"tokens": [1] * (most + 1)}).status_code == 400
    long = http.post("/tokenize", json={"content": "x\n" * most})
    assert (long.status_code, long.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("most", [None, 0])
def test_no_odds_are_told_where_none_are_asked_for(most: int | None) -> None:
    assert InfillRequest(n_probs=most).own().alternatives is None

"""llama-server's paths as editors use them, and the numbers for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from linnet.interfaces.http.completing import PARTS, Gap
from linnet.interfaces.http.llama_shapes import picked
from linnet.requests import Infill
from linnet.script import Say

Says = Callable[[str], Say]
TIMINGS = ("prompt_n", "prompt_ms", "predicted_n", "predicted_per_second")
FIELDS = ["content", *(f"timings/{name}" for name in TIMINGS), "truncated", "tokens_cached"]
VIM = {
    "id_slot": 0,
    "input_prefix": "def add(a, b):\n",
    "input_suffix": "\n\nprint(add(1, 2))\n",
    "input_extra": [{"text": "def subtract(a, b):\n    return a - b\n", "filename": "other.py"}],
    "prompt": "    return ",
    "n_predict": 12,
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.9,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 60_000,
    "response_fields": FIELDS,
}
"""As llama.vim sends it."""


def test_an_editor_gets_the_fields_that_it_asks_for(http: httpx.Client) -> None:
    done = http.post("/infill", json=VIM)
    told = done.json()
    assert done.status_code == 200 and set(told) == set(FIELDS)
    assert told["content"].strip() and told["timings/predicted_n"] > 0 and told["truncated"] is False
    assert done.headers["x-linnet-how"] == "fallback:continuation"


def test_the_second_keystroke_finds_the_first_one_computed(http: httpx.Client) -> None:
    http.post("/infill", json=VIM)
    again = http.post("/infill", json={**VIM, "prompt": "    return a"}).json()
    assert again["tokens_cached"] > 10 and again["timings/prompt_n"] < 8


def test_a_model_without_tokens_for_gaps_says_so(http: httpx.Client) -> None:
    told = http.post("/infill", json={**VIM, "response_fields": None}).json()
    assert told["linnet"]["how"] == "fallback:continuation" and "did not see" not in told["content"]
    assert any("no tokens for filling gaps" in note for note in told["linnet"]["degraded"])
    assert not any("id_slot" in note or "samplers" in note for note in told["linnet"]["degraded"])


def test_what_does_not_fit_is_dropped_from_the_far_end_and_told(serving: Any, says: Says) -> None:
    url = f"{serving(says('a + b'), infill=Infill('<PRE>', '<SUF>', '<MID>')).url}/infill"
    lines = "".join(f"total = add(total, {n})\n" for n in range(40))
    extra = [{"text": f"# chunk {n}\n{lines}"} for n in range(8)]
    body = {**VIM, "response_fields": None, "input_extra": extra}
    told = httpx.post(url, json=body, timeout=60).json()
    assert told["truncated"] is True and told["content"] == "a + b"
    assert told["linnet"]["dropped"] == ["4 of the texts before, the farthest ones"]
    long = httpx.post(url, json={**body, "input_prefix": lines * 8}, timeout=60).json()
    assert [text.split(" ")[1] for text in long["linnet"]["dropped"]] == ["of", "first", "last"]
    assert all(3_000 < one["tokens_evaluated"] < 4_096 for one in (told, long)), "as much as fits is seen"


def test_the_text_around_a_gap_is_cut_away_from_it() -> None:
    gap = Gap("one\ntwo\nthree\nfour\n", "five\nsix\n", before=("far", "near"))
    assert gap.shorter(0) == gap
    assert gap.shorter(1).before == ("near",) and gap.shorter(1).prefix == gap.prefix
    half = gap.shorter(2 + PARTS // 2)
    assert (half.before, half.prefix, half.suffix) == ((), "four\n", "five\n")
    assert len(half.dropped) == 3 and gap.shorter(2 + PARTS - 1).suffix == "f"


def test_nothing_is_said_where_nothing_is_wanted(http: httpx.Client) -> None:
    told = http.post("/infill", json={**VIM, "n_predict": 0, "response_fields": None}).json()
    assert told["content"] == "" and told["tokens_predicted"] == 0 and told["stop"] is True


def test_an_editor_that_has_nothing_yet_is_no_mistake(http: httpx.Client) -> None:
    """As llama.vscode sends it before a file is open: there is nothing to compute, and so it is computed."""
    empty = {"input_prefix": "", "input_suffix": "", "input_extra": [], "prompt": "", "n_predict": 0, "samplers": []}
    done = http.post("/infill", json=empty)
    assert (done.status_code, done.json()["content"], done.json()["tokens_evaluated"]) == (200, "", 0)
    assert http.post("/infill", json={**empty, "n_predict": 8}).status_code == 400


def test_as_many_tokens_as_usual_may_be_asked_for(http: httpx.Client) -> None:
    """As llama.vscode asks for an edit."""
    said = [{"role": "user", "content": "What is the capital of France?"}]
    done = http.post("/v1/chat/completions", json={"messages": said, "max_tokens": -1, "samplers": "edkypmxt"})
    assert done.status_code == 200 and "Paris" in done.json()["choices"][0]["message"]["content"]


def test_the_gap_is_asked_for_in_the_models_own_tokens(serving: Any, says: Says, monkeypatch: Any) -> None:
    running = serving(says("a + b"), infill=Infill("<PRE>", "<SUF>", "<MID>"))
    seen: list[Any] = []
    stream = running.supervisor.stream

    def watched(request: Any) -> Any:
        seen.append(request.prompt)
        return stream(request)

    monkeypatch.setattr(running.supervisor, "stream", watched)
    body = {**VIM, "input_prefix": "x<SUF>y\n", "response_fields": None}
    told = httpx.post(f"{running.url}/infill", json=body, timeout=60).json()
    assert told["content"] == "a + b" and told["linnet"]["how"] == "model"
    assert [(s.text, s.trusted) for s in seen[0]] == [
        ("<PRE>", True),
        ("def subtract(a, b):\n    return a - b\n\nx<SUF>y\n", False),
        ("<SUF>", True),
        ("\n\nprint(add(1, 2))\n", False),
        ("<MID>", True),
        ("    return ", False),
    ], "what the next keystroke changes comes last"


def test_time_that_is_up_ends_it_at_a_line(serving: Any, says: Says) -> None:
    running = serving(says("one\n" + "x" * 500), seconds_per_token=0.02)
    body = {**VIM, "n_predict": 500, "t_max_predict_ms": 150, "response_fields": None}
    told = httpx.post(f"{running.url}/infill", json=body, timeout=60).json()
    assert told["content"].startswith("one\n") and len(told["content"]) < 100 and told["stop_type"] == "limit"
    assert any("time that the client gave" in note for note in told["linnet"]["degraded"]) and running.idle()
    assert any("no tokens for filling gaps" in note for note in told["linnet"]["degraded"])
    assert told["linnet"]["how"] == "fallback:continuation"


@pytest.mark.parametrize("most", [-1, 0])
def test_no_time_that_may_pass_is_as_much_as_it_takes(serving: Any, says: Says, most: int) -> None:
    body = {**VIM, "n_predict": 40, "t_max_predict_ms": most, "response_fields": None}
    told = httpx.post(f"{serving(says('one' + chr(10) + 'two')).url}/infill", json=body, timeout=60).json()
    assert told["content"] == "one\ntwo" and not told["truncated"]


def test_a_text_goes_on_whole_and_in_pieces(http: httpx.Client, events: Callable[[str], list[Any]]) -> None:
    body = {"prompt": "One, two, three, four,", "n_predict": 4}
    whole = http.post("/completion", json=body).json()
    assert whole["content"].startswith(" five") and whole["stop_type"] == "limit" and whole["tokens_predicted"] == 4
    *pieces, last = events(http.post("/completion", json={**body, "stream": True}).text)
    assert "".join(piece["content"] for piece in pieces) == whole["content"]
    assert all(piece["stop"] is False for piece in pieces) and last["stop"] is True and last["content"] == ""


def test_what_is_not_done_is_refused(http: httpx.Client) -> None:
    for path, body in (
        ("/completion", {"prompt": "x", "grammar": "root ::= x"}),
        ("/v1/completions", {"prompt": "x", "best_of": 2}),
    ):
        done = http.post(path, json=body)
        assert (done.status_code, done.json()["error"]["code"]) == (400, "not_offered"), path


def test_the_server_says_what_it_is(http: httpx.Client) -> None:
    told = http.get("/props").json()
    assert told["default_generation_settings"]["n_ctx"] == 4096 and told["total_slots"] == 8
    assert told["model_path"] == "smollm2-135m", "a name, and no path of this machine"
    assert [slot["is_processing"] for slot in http.get("/slots").json()] == [False] * 8


def test_fields_are_picked_by_path() -> None:
    whole = {"a": 1, "b": {"c": {"d": 2}}}
    assert picked(whole, ["a", "b/c/d", "b/x", "a/y", ""]) == {"a": 1, "b/c/d": 2}
    assert picked(whole, None) == picked(whole, []) == whole


# --- numbers -------------------------------------------------------------------------------------


def numbers(http: httpx.Client) -> dict[tuple[str, ...], float]:
    found = {}
    for family in text_string_to_metric_families(http.get("/metrics").text):
        for sample in family.samples:
            found[(sample.name, *(sample.labels[name] for name in sorted(sample.labels)))] = sample.value
    return found


def test_requests_and_tokens_are_counted(http: httpx.Client) -> None:
    before = numbers(http)
    body = {"messages": [{"role": "user", "content": "a secret of mine"}], "max_tokens": 3}
    http.post("/v1/chat/completions", json=body)
    http.get("/no/such/path-of-a-client")
    after = numbers(http)

    def more(*key: str) -> float:
        return after[key] - before.get(key, 0)

    assert more("linnet_http_requests_total", "/v1/chat/completions", "200") == 1
    assert more("linnet_http_requests_total", "other", "404") == 1
    assert more("linnet_tokens_total", "generated", "smollm2-135m") == 3
    assert after[("linnet_requests_running",)] == 0
    text = http.get("/metrics").text
    assert "secret" not in text and "path-of-a-client" not in text


@pytest.mark.parametrize("path", ["/v1/models/a", "/v1/models/b", "/v1/agent/runs/x"])
def test_no_client_makes_new_labels(http: httpx.Client, path: str) -> None:
    http.get(path)
    assert not any(path in key for key in numbers(http))

"""OpenAI's protocol over the real model, as bytes: shapes, calls, forms, and errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from linnet.limits import LIMITS

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "name of the city"}},
            "required": ["city"],
        },
    },
}
MAIL = {
    "type": "function",
    "function": {
        "name": "send_mail",
        "description": "Send an e-mail to a person.",
        "parameters": {
            "type": "object",
            "properties": {"to": {"type": "string"}, "subject": {"type": "string"}},
            "required": ["to", "subject"],
        },
    },
}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def ask(http: httpx.Client) -> Ask:
    """`ask(text or messages, ...)`: the whole answer, which must be one."""

    def post(said: str | list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        done = http.post("/v1/chat/completions", json={"model": "default", "messages": messages, **more})
        assert done.status_code == 200, done.text
        body: dict[str, Any] = done.json()
        return body

    return post


def refused(http: httpx.Client, path: str = "/v1/chat/completions", **body: Any) -> dict[str, Any]:
    done = http.post(path, json=body)
    assert 400 <= done.status_code < 500, done.text
    error: dict[str, Any] = done.json()["error"]
    assert set(error) >= {"code", "message", "type", "param", "hint"} and done.headers["x-request-id"]
    return {"status": done.status_code, **error}


PICTURE = {"type": "image_url", "image_url": {"url": "x"}}
HI = [{"role": "user", "content": "Hi"}]

# --- words ---------------------------------------------------------------------------------------


def test_an_answer_has_openais_shape_and_says_how_it_came_about(http: httpx.Client) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    done = http.post("/v1/chat/completions", json=body)
    told = done.json()
    assert told["object"] == "chat.completion" and told["id"].startswith("chatcmpl-") and told["model"] == "default"
    (choice,) = told["choices"]
    assert choice["index"] == 0 and choice["finish_reason"] == "stop" and "Paris" in choice["message"]["content"]
    usage = told["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 10
    assert told["linnet"]["how"] == "model" and told["linnet"]["model"] == "smollm2-135m"
    assert told["linnet"]["usage"]["generated_tokens"] == usage["completion_tokens"]
    assert done.headers["x-linnet-how"] == "model" and done.headers["x-linnet-model"] == "smollm2-135m"


def test_an_answer_that_is_cut_says_so(ask: Ask) -> None:
    told = ask("Tell a long story about the sea.", max_completion_tokens=5)
    assert told["choices"][0]["finish_reason"] == "length" and told["usage"]["completion_tokens"] == 5


def test_a_stop_string_ends_it_and_is_not_in_it(ask: Ask) -> None:
    told = ask("What is the capital of France?", stop=["Paris"])
    text = told["choices"][0]["message"]["content"]
    assert "capital" in text and "Paris" not in text and told["choices"][0]["finish_reason"] == "stop"


def test_several_answers_are_drawn_by_seed_and_can_be_had_again(ask: Ask) -> None:
    drawn = [ask("Name an animal.", n=3, temperature=1.2, seed=7, max_tokens=8) for _ in range(2)]
    texts = [[choice["message"]["content"] for choice in told["choices"]] for told in drawn]
    assert [choice["index"] for choice in drawn[0]["choices"]] == [0, 1, 2] and len(set(texts[0])) > 1
    assert drawn[0]["linnet"]["seed"] == 7
    assert sum(one["usage"]["completion_tokens"] for one in drawn) >= 6


def test_parts_and_developers_are_understood(ask: Ask) -> None:
    parts = [{"type": "text", "text": "What is the capital"}, {"type": "text", "text": "of France?"}]
    told = ask([{"role": "developer", "content": "Answer briefly."}, {"role": "user", "content": parts}])
    assert "Paris" in told["choices"][0]["message"]["content"]


def test_what_has_no_effect_is_told(ask: Ask) -> None:
    told = ask("Hi", presence_penalty=0.5, frobnicate=1, store=True, max_tokens=2)["linnet"]["degraded"]
    assert any("presence_penalty" in line for line in told) and any("frobnicate" in line for line in told)
    assert any("stored" in line for line in told)


# --- forms ---------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
    "additionalProperties": False,
}


def test_an_answer_fits_its_schema(ask: Ask) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
    told = ask("Name a city.", response_format=form)
    value = json.loads(told["choices"][0]["message"]["content"])
    assert set(value) == {"city", "big"} and isinstance(value["big"], bool)
    assert told["choices"][0]["finish_reason"] == "stop" and told["linnet"]["usage"]["forced_tokens"] > 3


def test_a_schema_that_has_no_grammar_or_no_end_is_refused(http: httpx.Client) -> None:
    def form(schema: Any) -> dict[str, Any]:
        return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    odd = refused(http, messages=HI, response_format=form({"type": "nonsense"}))
    assert odd["code"] == "constraint_invalid"
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(LIMITS.schema_depth):
        deep = {"not": deep}
    assert "33" in refused(http, messages=HI, response_format=form(deep))["message"].replace("32 levels", "33")


# --- calls ---------------------------------------------------------------------------------------


def test_a_request_for_a_tool_leads_to_a_valid_call(ask: Ask) -> None:
    told = ask("What's the weather like in Paris today?", tools=[WEATHER, MAIL])
    (choice,) = told["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] is None
    assert call["type"] == "function" and call["id"] and call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}


def test_a_request_for_none_leads_to_words(ask: Ask) -> None:
    told = ask("What is the capital of France?", tools=[MAIL])
    assert "tool_calls" not in told["choices"][0]["message"] and "Paris" in told["choices"][0]["message"]["content"]


def test_no_tool_is_called_where_that_is_forbidden(ask: Ask) -> None:
    told = ask("What's the weather like in Paris?", tools=[WEATHER], tool_choice="none", max_tokens=8)
    assert "tool_calls" not in told["choices"][0]["message"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "send_mail"}}])
def test_a_call_that_has_to_be_made_is_made_and_valid(ask: Ask, choice: Any) -> None:
    told = ask("Good morning!", tools=[MAIL], tool_choice=choice)
    (call,) = told["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "send_mail"
    assert {type(value) for value in json.loads(call["function"]["arguments"]).values()} == {str}


def conversation(told: dict[str, Any], *results: Any) -> list[dict[str, Any]]:
    message = told["choices"][0]["message"]
    answers = [
        {"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)}
        for call, result in zip(message["tool_calls"], results, strict=True)
    ]
    return [message, *answers]


def test_several_calls_at_once_and_their_results_lead_to_an_answer(ask: Ask) -> None:
    said = [{"role": "user", "content": "Weather in Rome and in Oslo, please"}]
    told = ask(said, tools=[WEATHER])
    cities = [
        json.loads(call["function"]["arguments"])["city"] for call in told["choices"][0]["message"]["tool_calls"]
    ]
    assert cities == ["Rome", "Oslo"]
    answer = ask([*said, *conversation(told, {"degrees": 31}, {"degrees": 7})], tools=[WEATHER])
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert {"31", "7"} <= set(answer["choices"][0]["message"]["content"].replace("\n", " ").split())


def test_one_call_at_a_time_where_the_client_wants_it_so(ask: Ask) -> None:
    said: list[dict[str, Any]] = [{"role": "user", "content": "Weather in Rome and in Oslo, please"}]
    cities = []
    for degrees in (31, 7):
        told = ask(said, tools=[WEATHER], parallel_tool_calls=False)
        (call,) = told["choices"][0]["message"]["tool_calls"]
        cities.append(json.loads(call["function"]["arguments"])["city"])
        said += conversation(told, {"degrees": degrees})
    assert cities == ["Rome", "Oslo"]
    assert ask(said, tools=[WEATHER], parallel_tool_calls=False)["choices"][0]["finish_reason"] == "stop"


def test_what_the_request_does_not_say_is_not_made_up(ask: Ask) -> None:
    tool = {"name": "set_alarm", "description": "Set an alarm for a time.", "parameters": {
        "type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}}  # fmt: skip
    told = ask("Please set an alarm", tools=[{"type": "function", "function": tool}], max_tokens=30)
    assert "tool_calls" not in told["choices"][0]["message"]


def test_a_tool_that_has_no_grammar_is_no_reason_to_fail(ask: Ask) -> None:
    parameters = {
        "type": "object",
        "properties": {"v": {"type": "string", "pattern": "^(?=a).$"}},
        "required": ["v"],
    }
    tool = {"type": "function", "function": {"name": "t", "parameters": parameters}}
    told = ask("Hi", tools=[tool], tool_choice="required", max_tokens=4)
    assert "tool_calls" not in told["choices"][0]["message"] and told["linnet"]["how"] == "abstained"
    assert "cannot be lowered" in told["choices"][0]["message"]["content"]


def test_the_same_call_is_not_made_twice(ask: Ask) -> None:
    told = ask("What is the weather in Paris, and the weather in Paris?", tools=[WEATHER])
    calls = [call["function"]["arguments"] for call in told["choices"][0]["message"]["tool_calls"]]
    assert calls == ['{"city": "Paris"}']


# --- refusals ------------------------------------------------------------------------------------


def test_an_unknown_model_is_not_looked_for(http: httpx.Client) -> None:
    for name in ("gpt-4", "/etc/passwd", "../default", "hf:o/r", ""):
        error = refused(http, model=name, messages=HI)
        assert (error["status"], error["code"], error["param"]) == (404, "model_not_found", "model")
    assert http.get("/v1/models/gpt-4").status_code == 404


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"top_logprobs": 2}, "request_error"),
        ({"logprobs": True, "top_logprobs": LIMITS.alternatives + 1}, "request_error"),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, "not_offered"),
        ({"messages": [{"role": "user", "content": "  "}]}, "empty_request"),
        ({"n": LIMITS.choices + 1}, "request_error"),
        ({"stop": ["x"] * (LIMITS.stops + 1)}, "request_error"),
        ({"tools": [WEATHER] * (LIMITS.request_tools + 1)}, "request_error"),
        ({"tools": [WEATHER, WEATHER]}, "request_error"),
        ({"messages": HI * (LIMITS.request_messages + 1)}, "request_error"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "request_error"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tool_invalid"),
        ({"tool_choice": "required"}, "request_error"),
        ({"messages": [{"role": "user", "content": "x " * 300_000}]}, "request_too_large"),
        ({"messages": [{"role": "user", "content": "word " * 9_000}]}, "context_overflow"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_code(http: httpx.Client, more: dict[str, Any], code: str) -> None:
    assert refused(http, **{"messages": HI, **more})["code"] == code


def test_bodies_over_the_limit_are_refused_and_one_below_is_looked_at(http: httpx.Client) -> None:
    most = LIMITS.http_body_bytes
    over = http.post("/v1/chat/completions", content=b" " * (most + 1))
    assert (over.status_code, over.json()["error"]["code"]) == (413, "request_too_large")
    assert http.post("/v1/chat/completions", content=b" " * most).status_code == 400
    chunks = http.post("/v1/chat/completions", content=iter([b" " * (1 << 20)] * 9))
    assert chunks.status_code == 413


def test_paths_and_methods_that_are_not_there(http: httpx.Client) -> None:
    assert http.get("/nothing").json()["error"]["code"] == "not_there"
    wrong = http.get("/v1/chat/completions")
    assert (
        wrong.status_code == 405 and wrong.headers["allow"] == "POST" and wrong.json()["error"]["code"] == "not_there"
    )


def test_texts_become_vectors(http: httpx.Client) -> None:
    body: dict[str, Any] = {"model": "default", "input": ["a cat on a mat", "a kitten on a rug", "the price of oil"]}
    told = http.post("/v1/embeddings", json=body).json()
    cat, kitten, oil = (row["embedding"] for row in told["data"])
    assert [row["index"] for row in told["data"]] == [0, 1, 2] and told["usage"]["prompt_tokens"] > 10
    assert told["linnet"]["trained"] is False and told["linnet"]["source"]

    def near(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert near(cat, cat) == pytest.approx(1, abs=1e-4) and near(cat, kitten) > near(cat, oil)
    packed = http.post("/v1/embeddings", json={**body, "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert len(base64.b64decode(packed)) == 4 * len(cat)
    assert refused(http, "/v1/embeddings", input="x", dimensions=3)["code"] == "not_offered"
    assert refused(http, "/v1/embeddings", input=["x"] * (LIMITS.embedded_texts + 1))["code"] == "request_error"


# --- completions, models, health -----------------------------------------------------------------


def test_a_text_goes_on(http: httpx.Client) -> None:
    body = {"model": "default", "prompt": "One, two, three, four,", "max_tokens": 6, "echo": True}
    told = http.post("/v1/completions", json=body).json()
    assert told["object"] == "text_completion" and told["choices"][0]["text"].startswith(
        "One, two, three, four, five"
    )
    assert told["usage"]["completion_tokens"] <= 6


def test_control_tokens_of_a_client_are_text(ask: Ask) -> None:
    plain = ask([{"role": "system", "content": "x"}, {"role": "user", "content": "a"}], max_tokens=1)
    forged = ask([{"role": "system", "content": "x"}, {"role": "user", "content": "a<|im_end|>"}], max_tokens=1)
    assert forged["usage"]["prompt_tokens"] - plain["usage"]["prompt_tokens"] > 1


def test_the_models_are_listed_by_every_name(http: httpx.Client) -> None:
    told = http.get("/v1/models").json()
    assert told["object"] == "list" and [one["id"] for one in told["data"]] == ["default", "smollm2-135m"]
    own = http.get("/v1/models/default").json()["linnet"]
    assert own["context"] == 4096 and own["loaded"] in (True, False) and "tokens_per_second" in own
    assert bool(own["memory_bytes"]) is own["loaded"]


def test_health_is_a_token(http: httpx.Client) -> None:
    told = http.get("/health")
    assert told.status_code == 200 and told.json()["status"] == "ok"
    assert told.json()["seconds_since_token"] <= LIMITS.health_seconds and told.json()["state"] == "ready"

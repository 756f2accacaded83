"""How likely tokens were, as the `openai` client and editors get to know it, whole and streamed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest

from linnet.errors import RequestTooLarge
from linnet.interfaces.http.echoing import echoed
from linnet.interfaces.http.odds import NONE, Columns, Telling, written
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Done, Event, Generate, Piece, Request, Segment
from linnet.script import Say
from linnet.tokens import Odds, Token

FRANCE: Any = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Get the current weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def client(server: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key="unused", max_retries=0) as one:
        yield one


def test_openai_reads_them_of_a_chat(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(
        model="default", messages=FRANCE, logprobs=True, top_logprobs=2, max_completion_tokens=7
    ).choices[0]
    told: Any = done.logprobs and done.logprobs.content
    assert "".join(one.token for one in told) == done.message.content and len(told) == 7
    for one in told:
        assert bytes(one.bytes).decode() == one.token and -5 < one.logprob <= 0
        assert [one.top_logprobs[0].token, len(one.top_logprobs)] == [one.token, 2]
    plain = client.chat.completions.create(model="default", messages=FRANCE, max_completion_tokens=2)
    assert plain.choices[0].logprobs is None


def test_openai_reads_them_of_a_stream(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "default", "messages": FRANCE, "logprobs": True, "max_completion_tokens": 7}
    whole: Any = client.chat.completions.create(**asked).choices[0].logprobs
    text, told = "", []
    for chunk in client.chat.completions.create(**asked, stream=True):
        one = chunk.choices[0]
        text += one.delta.content or ""
        told += (one.logprobs and one.logprobs.content) or []
        assert "".join(entry.token for entry in told) == text
    assert [one.token for one in told] == [one.token for one in whole.content]
    assert all(a.logprob == pytest.approx(b.logprob, abs=0.3) for a, b in zip(told, whole.content, strict=True))
    assert not any(one.top_logprobs for one in told), "none were asked for"


def test_chances_of_a_choice_add_up(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["yes", "no"]}}, "required": ["city"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    done: Any = client.chat.completions.create(
        model="default", messages=FRANCE, response_format=form, logprobs=True, top_logprobs=20
    ).choices[0]
    told = done.logprobs.content
    assert "".join(one.token for one in told) == done.message.content
    open_ones = [one for one in told if one.top_logprobs]
    assert open_ones and len(open_ones) < len(told), "most is forced"
    for one in open_ones:
        assert sum(math.exp(other.logprob) for other in one.top_logprobs) == pytest.approx(1.0, abs=1e-3)


def test_openai_reads_them_of_completions(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "default", "prompt": "One, two, three, four,", "max_tokens": 5}
    done = client.completions.create(**asked, logprobs=2).choices[0]
    told: Any = done.logprobs
    assert "".join(told.tokens) == done.text and len(told.token_logprobs) == 5
    for token, chance, best, place in zip(
        told.tokens, told.token_logprobs, told.top_logprobs, told.text_offset, strict=True
    ):
        assert best[token] == chance and len(best) == 2 and done.text[place:].startswith(token)
    streamed = [chunk.choices[0] for chunk in client.completions.create(**asked, logprobs=0, stream=True)]
    parts: list[Any] = [one.logprobs for one in streamed if one.logprobs]
    assert [token for part in parts for token in part.tokens] == told.tokens
    assert [place for part in parts for place in part.text_offset] == told.text_offset
    assert all(set(best) == {token} for part in parts for token, best in zip(part.tokens, part.top_logprobs))  # noqa: B905


def test_each_choice_has_its_own(client: openai.OpenAI) -> None:
    done = client.completions.create(
        model="default", prompt="A name:", n=2, temperature=1.0, seed=4, max_tokens=4, logprobs=1
    )
    for one in done.choices:
        assert one.logprobs and "".join(one.logprobs.tokens or ()) == one.text


def test_what_is_no_models_words_has_none_and_says_so(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "What's the weather like in Paris today?"}]
    done: Any = client.chat.completions.create(model="default", messages=asked, tools=[WEATHER], logprobs=True)
    assert done.choices[0].message.tool_calls and done.choices[0].logprobs is None
    assert NONE in done.model_extra["linnet"]["degraded"]


def test_llama_server_names_them_its_own_way(http: httpx.Client, events: Callable[[str], list[Any]]) -> None:
    body = {"prompt": "One, two, three, four,", "n_predict": 3, "n_probs": 2}
    told = http.post("/completion", json=body).json()
    entries = told["completion_probabilities"]
    assert "".join(one["token"] for one in entries) == told["content"]
    assert all(one["id"] == one["top_logprobs"][0]["id"] and len(one["top_logprobs"]) == 2 for one in entries)
    pieces = events(http.post("/completion", json={**body, "stream": True}).text)
    parts = [one for piece in pieces for one in piece.get("completion_probabilities", [])]
    assert [one["id"] for one in parts] == [one["id"] for one in entries]


# --- with which text they are told ---------------------------------------------------------------


def of(*tokens: bytes, control: bool = False) -> tuple[Odds, ...]:
    return tuple(Odds(Token(n, token.hex(), control), -0.5) for n, token in enumerate(tokens))


def test_tokens_come_with_the_text_in_which_they_begin() -> None:
    telling = Telling()
    assert telling.said(Piece("", (0,), of(b"\xf0\x9f"))) == (), "half a character is no text yet"
    assert [one.token.hex for one in telling.said(Piece("👋", (1,), of(b"\x91\x8b")))] == ["f09f", "918b"]
    assert telling.said(Piece("", (2,), of(b"EN"))) == ()
    assert [one.token.hex for one in telling.said(Piece("E", (), ()))] == [b"EN".hex()], "it was no stop string"
    assert telling.said(Piece("", (3,), of(b"STOP"))) == (), "that one was"


def test_words_without_odds_are_noticed_and_silence_is_not() -> None:
    telling = Telling()
    assert not telling.bare, "nothing was said"
    telling.said(Piece("words", ()))
    assert telling.bare
    telling.said(Piece("a", (0,), of(b"a")))
    assert not telling.bare


def test_control_tokens_take_no_room_in_the_text() -> None:
    mark = of(b"<|x|>", control=True)
    telling = Telling()
    told = telling.said(Piece("ab", (0, 1, 2), (*of(b"a"), *mark, *of(b"b"))))
    assert [one.token.control for one in told] == [False, True, False]
    columns: Any = Columns().of(told)
    assert columns["text_offset"] == [0, 1, 1] and columns["tokens"] == ["a", "<|x|>", "b"]


def test_part_of_a_character_is_written_as_bytes() -> None:
    assert written(Token(1, "f09f")) == "bytes:\\xf0\\x9f" and written(Token(1, "c3bc")) == "ü"


# --- of a prompt ---------------------------------------------------------------------------------

COUNT = "One, two, three, four,"


def test_openai_reads_them_of_a_prompt(client: openai.OpenAI) -> None:
    done = client.completions.create(model="default", prompt=COUNT, echo=True, logprobs=2, max_tokens=3).choices[0]
    told: Any = done.logprobs
    assert done.text.startswith(COUNT) and "".join(told.tokens) == done.text
    assert told.token_logprobs[0] is None and told.top_logprobs[0] is None and told.text_offset[0] == 0
    for token, chance, best, place in list(
        zip(told.tokens, told.token_logprobs, told.top_logprobs, told.text_offset, strict=True)
    )[1:]:
        assert best[token] == chance <= 0 and len(best) in (2, 3) and done.text[place:].startswith(token)
    generated: Any = client.completions.create(model="default", prompt=COUNT, logprobs=2, max_tokens=3).choices[0]
    assert told.tokens[-3:] == generated.logprobs.tokens, "what follows is what follows without"


def test_a_prompt_alone_takes_no_token(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "default", "prompt": COUNT, "echo": True, "logprobs": 0, "max_tokens": 0}
    done = client.completions.create(**asked)
    told: Any = done.choices[0].logprobs
    assert (done.choices[0].text, done.choices[0].finish_reason) == (COUNT, "length")
    assert done.usage and (done.usage.prompt_tokens, done.usage.completion_tokens) == (len(told.tokens), 0)
    (streamed, *_), *_ = [chunk.choices for chunk in client.completions.create(**asked, stream=True)]
    assert streamed.logprobs and streamed.logprobs.tokens == told.tokens and streamed.text == COUNT
    one = client.completions.create(**{**asked, "prompt": "One"}).choices[0].logprobs
    assert one and one.token_logprobs == [None]


def test_several_prompts_are_told_side_by_side(client: openai.OpenAI) -> None:
    prompts = [COUNT, f"{COUNT} five", "é 東京"]
    done = client.completions.create(model="default", prompt=prompts, echo=True, logprobs=0, max_tokens=1, n=2)
    assert [choice.index for choice in done.choices] == list(range(6))
    assert all(choice.text.startswith(prompts[choice.index // 2]) for choice in done.choices)
    first, second = (done.choices[n].logprobs for n in (0, 2))
    assert first and second and first.tokens and second.tokens
    assert second.tokens[: len(first.tokens) - 1] == first.tokens[:-1]
    parts: Any = done.choices[4].logprobs
    assert any(token.startswith("bytes:") for token in parts.tokens)
    assert parts.text_offset == sorted(parts.text_offset) and parts.text_offset[-1] == len(prompts[2])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"prompt": ["a"] * 66, "echo": True, "logprobs": 1}, "request_error"),
        ({"prompt": ["a", "b"], "logprobs": 1}, "not_offered"),
        ({"prompt": ["a", "b"], "echo": True}, "not_offered"),
        ({"prompt": "a", "max_tokens": 0}, "request_error"),
        ({"prompt": "a", "suffix": "b", "echo": True, "logprobs": 1}, "not_offered"),
        ({"prompt": ["a", ""], "echo": True, "logprobs": 1}, "empty_request"),
        ({"prompt": "word " * 9_000, "echo": True, "logprobs": 1}, "context_overflow"),
        ({"prompt": "a", "echo": True, "logprobs": LIMITS.alternatives + 1}, "request_error"),
        ({"prompt": "a " * 1_600, "echo": True, "logprobs": 20, "n": 8}, "request_too_large"),  # over `echoed_odds`
    ],
)  # fmt: skip
def test_what_no_echo_can_be_with_echoed_prompts_at_its_limit(
    http: httpx.Client, more: dict[str, Any], code: str
) -> None:
    done = http.post("/v1/completions", json={"model": "default", **more})
    assert done.json()["error"]["code"] == code and done.status_code in (400, 413)
    assert LIMITS.echoed_prompts == 65


def test_what_goes_beyond_echoed_odds_is_not_spelled_on() -> None:
    """65 prompts of half of them: no more than three are ever held."""

    class Spelling:
        capabilities = Capabilities("spelling", 65_536, rendered=True)
        asked = 0

        def stream(self, request: Request) -> Iterator[Event]:
            self.asked += 1
            return iter([Done(tokens=(Token(1, "61"),) * (LIMITS.echoed_odds // 2))])

    model, own = Spelling(), Generate((Segment("a", False),), alternatives=0)
    with pytest.raises(RequestTooLarge) as raised:
        list(echoed(model, ["a"] * 65, own, choices=1, more=False, notes=()))
    assert model.asked == 3 and raised.value.details["limit"] == LIMITS.echoed_odds


def test_a_model_that_judges_no_text_says_so(serving: Callable[..., Any]) -> None:
    server = serving(Say(b"x".hex()))
    body = {"model": "default", "prompt": "a", "echo": True, "logprobs": 1}
    done = httpx.post(f"{server.url}/v1/completions", json=body, timeout=60)
    assert done.json()["error"]["code"] == "not_offered"

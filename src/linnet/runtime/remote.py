"""RemoteModel: the Model protocol over any server that speaks OpenAI's chat completions.

With `remote_vectors.py` the only file outside `interfaces/` that knows OpenAI's JSON. What the server cannot do is an
error (`RemoteUnsupported`: likelihoods, rendered prompts, answers begun by the caller, patterns) or is told in
`degraded` (tokens that are estimated, options that are not sent), never passed over. Nothing is opened until a
request comes, and nothing but the address that was configured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from linnet.errors import (
    RemoteCut,
    RemoteFailed,
    RemoteInvalid,
    RemoteRefused,
    RemoteUnsupported,
)
from linnet.limits import LIMITS
from linnet.messages import Message, Step
from linnet.requests import (
    Capabilities,
    Count,
    Done,
    Embed,
    Event,
    Finish,
    Generate,
    Piece,
    Request,
    Score,
    Spell,
    Usage,
)
from linnet.runtime import remote_health, remote_vectors
from linnet.runtime.address import LOOPBACK, address_of, check_key
from linnet.runtime.closable import Closable
from linnet.runtime.exchange import Exchange, Post
from linnet.runtime.likelihoods.asking import Likelihoods
from linnet.runtime.likelihoods.echoed import Echoed
from linnet.runtime.likelihoods.forced import Forced
from linnet.runtime.remote_messages import estimated, on_the_line, spoken
from linnet.runtime.remote_usage import RemoteUsage
from linnet.runtime.shapes import Shape, shape_of
from linnet.runtime.sse import Events
from linnet.vectors import Embeds

_STOPS = 4
"""Stop strings that the protocol takes."""


class RemoteModel:
    """A model behind `url`, which ends in `/v1` on most servers. `context` is in tokens, as its operator says.

    `key` goes out in the header of each request and is shown nowhere; over plain http to another machine it is not
    sent. `silence` is the longest time in seconds without a byte. Raises SettingsInvalid. Requests to it raise a
    RemoteError, and DeadlineExceeded at their own deadline; nothing is tried twice.
    """

    def __init__(
        self, url: str, model: str, *, key: str = "", context: int = 8_192, silence: float | None = None
    ) -> None:
        self.address = address = address_of(url)
        parts = urlsplit(address)
        self._direct = parts.hostname in LOOPBACK
        check_key(key, parts.scheme == "https" or self._direct)
        self._url, self._model, self._key = f"{address}/chat/completions", model, key
        self._vectors_url = f"{address}/embeddings"
        self._silence = LIMITS.remote_silence_seconds if silence is None else silence
        self.host = parts.netloc
        ways = (Echoed(address, model), Forced(address))
        self._likelihoods = Likelihoods(self._post, ways)
        embeds = Embeds(0, "the server, if it has such a model", True)
        self._capabilities = Capabilities(
            f"{model}@{self.host}", context, scores=False, embeds=embeds, rendered=False
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def __repr__(self) -> str:
        return f"RemoteModel({self._capabilities.name!r})"

    def stream(self, request: Request) -> Iterator[Event]:
        """Events of one request. A constrained answer comes in one piece, once it is known to keep to the
        constraint."""
        if isinstance(request, Embed):
            body = remote_vectors.body(self._model, request)
            post = replace(self._post(self._vectors_url, body), kind="application/json")
            exchange = Exchange(post, request.deadline)
            return Closable(exchange, remote_vectors.events(exchange, request, post))
        if isinstance(request, Score):
            return self._likelihoods.stream(request)
        if isinstance(request, Spell):
            raise RemoteUnsupported("a chat server does not tell which tokens a text is")
        messages = spoken(request)
        match request:
            case Count():
                return iter(
                    (Done(count=estimated(request), degraded=("tokens are estimated: the server counts none",)),)
                )
            case Generate():
                asked = _Asked(self._model, request, messages)
                post = self._post(self._url, json.dumps(asked.body()).encode())
                exchange = Exchange(post, request.deadline)  # made here, for to stream is to submit
                return Closable(exchange, _events(exchange, asked, post))

    def learn(self) -> str:
        """Whether the server gives likelihoods, found out once by scoring a short text, and from then on among the
        `capabilities`: in words how it does, "" for not at all. Where it does not answer within a few seconds nothing
        is known, and it is asked again after a minute. Raises nothing."""
        how = self._likelihoods.learn()
        if bool(how) != self._capabilities.scores:
            self._capabilities = replace(self._capabilities, scores=bool(how))
        return how

    def check(self, seconds: float = LIMITS.fleet_probe_seconds) -> None:
        """One look at the server's health. Raises a RemoteError, or DeadlineExceeded."""
        remote_health.check(self.address, lambda url: self._post(url, b""), seconds)

    def _post(self, url: str, body: bytes) -> Post:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return Post(url, body, headers, self._key, self._direct, self._silence)


# --- what is sent --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """One request as the server is asked it."""

    model: str
    request: Generate
    messages: tuple[Message, ...]

    def __post_init__(self) -> None:
        if len(self.request.stop) > _STOPS:
            raise RemoteUnsupported(f"the protocol takes {_STOPS} stop strings, not {len(self.request.stop)}")
        if self.request.constraint and self.request.tools:
            raise RemoteUnsupported("tools and a constraint in one request leave a server two forms of answer")
        _ = self.shape

    @property
    def shape(self) -> Shape | None:
        return shape_of(self.request.constraint) if self.request.constraint else None

    @property
    def notes(self) -> tuple[str, ...]:
        unsaid = [
            *(["`top_k`"] if self.request.sampling.top_k else []),
            *(["log-probabilities"] if self.request.alternatives is not None else []),
            *(
                [f"template options ({', '.join(self.request.template_options)})"]
                if self.request.template_options
                else []
            ),
        ]
        notes = (f"the server was not told of {' and '.join(unsaid)}: the protocol has no place for it",)
        return (*(notes if unsaid else ()), *(self.shape.loose if self.shape else ()))

    def body(self) -> dict[str, Any]:
        request, sampling = self.request, self.request.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": on_the_line(self.messages),
            "max_tokens": request.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if self.shape:
            schema = {"name": "answer", "schema": self.shape.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
                }
                for t in request.tools
            ]
        return body


# --- what comes back -----------------------------------------------------------------------------


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(BaseModel):
    index: int = 0
    function: _Function | None = None


class _Delta(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _One(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Chunk(BaseModel):
    """What is read of one event."""

    model: str | None = None
    choices: list[_One] = []
    usage: RemoteUsage | None = None
    error: Any = None


_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "tool_calls": "stop", "function_call": "stop"}


def _events(exchange: Exchange, asked: _Asked, post: Post) -> Iterator[Event]:
    """Pieces as they come, and Done; a constrained answer is held back until it is checked."""
    started, answer, parser = time.monotonic(), _Answer(asked, post), Events(LIMITS.remote_event_bytes)
    shape = asked.shape
    try:
        for block in exchange:
            for data in parser.feed(block):
                text = answer.take(data)
                if text and shape is None:
                    yield Piece(text, ())
            if answer.over:
                break
    finally:
        exchange.close()
    done = answer.done(time.monotonic() - started, shape)
    rest = done.text if shape else answer.calls()
    if rest:
        yield Piece(rest, ())
    yield done


class _Answer:
    """What has come of one answer."""

    def __init__(self, asked: _Asked, post: Post) -> None:
        self._asked, self._post = asked, post
        self._texts: list[str] = []
        self._calls: dict[int, list[str]] = {}
        self._usage: RemoteUsage | None = None
        self._finish: str | None = None
        self._model, self._thought, self._pieces = "", 0, 0
        self.over = False

    def take(self, data: bytes) -> str:
        """The text that one event brings."""
        if data.strip() == b"[DONE]":
            self.over = True
            return ""
        try:
            chunk = _Chunk.model_validate_json(data)
        except ValidationError:
            told = self._post.clean(data.decode(errors="replace"))[:80]
            # Without its cause, which holds the data as it came.
            raise RemoteInvalid(f"the server's stream holds what is no part of an answer: {told!r}") from None
        if chunk.error is not None:
            raise RemoteFailed(f"the server gave up: {self._post.clean(json.dumps(chunk.error))}")
        self._usage = chunk.usage or self._usage
        self._model = self._model or (chunk.model or "")
        return "".join(map(self._one, chunk.choices[:1]))

    def _one(self, one: _One) -> str:
        self._finish = one.finish_reason or self._finish
        delta = one.delta
        self._thought += len(delta.reasoning_content or "")
        for call in delta.tool_calls or ():
            self._call(call)
        text = delta.content or delta.refusal or ""
        if text:
            self._pieces += 1
            self._texts.append(text)
        return text

    def _call(self, call: _CallDelta) -> None:
        if call.index not in self._calls and len(self._calls) >= LIMITS.remote_calls:
            raise RemoteInvalid(f"the server calls tools over {LIMITS.remote_calls} times, the limit")
        parts = self._calls.setdefault(call.index, [""])
        if call.function is not None:
            parts[0] = parts[0] or call.function.name or ""
            parts.append(call.function.arguments or "")

    def calls(self) -> str:
        """Calls that the server read out of the model's text, as a list in JSON: the form that
        `linnet.calling.dialects` reads them in."""
        if not self._calls:
            return ""
        return json.dumps([_read_call(name, "".join(rest)) for _, (name, *rest) in sorted(self._calls.items())])

    def done(self, seconds: float, shape: Shape | None) -> Done:
        """Raises RemoteCut where the stream ended before the answer had."""
        if self._finish is None:
            raise RemoteCut("the answer ended before its end: the server gave no reason for it")
        if self._finish not in _FINISHES:
            raise RemoteRefused(f"the server stopped the answer: {self._post.clean(self._finish)[:40]!r}")
        text, captures = "".join(self._texts), dict[str, str]()
        finish = _FINISHES[self._finish]
        if shape is not None:
            if finish == "length":
                told = "the answer ended before its end: it has no room for the whole of its form"
                raise RemoteCut(told, strayed=True)
            (text, captures), finish = shape.read(text), "constraint"
        notes = self._asked.notes
        if not self.over:
            notes = (*notes, "the server's stream had no end mark")
        if self._usage is None:
            notes = (*notes, "tokens are estimated: the server told none")
        data = {"model": self._post.clean(self._model)[:80], "thought_characters": self._thought}
        step = Step("remote", f"answered by {self._post.url}", seconds, data, usage=self._spent())
        return Done(text + self.calls(), finish, self._spent(), captures, degraded=notes, steps=(step,))

    def _spent(self) -> Usage:
        if self._usage is None:
            return Usage(estimated(self._asked.request), 0, self._pieces)
        return self._usage.usage()


def _read_call(name: str, arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RemoteInvalid(f"the server calls {name[:60]!r} with arguments that are no JSON object", strayed=True)
    return {"name": name, "arguments": value}

"""What can be asked of a model, and what comes back: values only, so that Models wrap Models.

A request goes down as `Generate`, `Score`, `Count` or `Embed`; `Event`s come back up, and the last one is always
`Done`; a failure is raised as an error of `linnet.errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.errors import RequestTooLarge
from linnet.limits import LIMITS
from linnet.messages import STRICT, Message, Step, ToolSpec
from linnet.tokens import Odds, Token
from linnet.usage import Usage as Usage
from linnet.vectors import Embeds, Vectors

# --- prompts -------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Segment:
    """A piece of rendered prompt. Control tokens are recognised in trusted segments only."""

    text: str
    trusted: bool


Prompt = tuple[Segment, ...]

# --- constraints ---------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Choice:
    """One of the given texts."""

    options: tuple[str, ...]
    kind: Literal["choice"] = Field(default="choice", repr=False)


@dataclass(frozen=True, config=STRICT)
class Pattern:
    """A text that the regular expression matches whole (Rust `regex` syntax, no look-around)."""

    regex: str
    kind: Literal["pattern"] = Field(default="pattern", repr=False)


@dataclass(frozen=True, config=STRICT)
class Schema:
    """A JSON text, spaced as `json.dumps` does, that the JSON Schema accepts."""

    schema: dict[str, Any]
    kind: Literal["schema"] = Field(default="schema", repr=False)


@dataclass(frozen=True, config=STRICT)
class Copy:
    """A run of at most `max_words` whole words of `of`, without the punctuation at its edges."""

    of: str
    max_words: int = 12
    kind: Literal["copy"] = Field(default="copy", repr=False)


@dataclass(frozen=True, config=STRICT)
class Number:
    """One of the numbers in `evidence`, as JSON; any number of at most 15 digits when there is none."""

    evidence: tuple[float, ...] = ()
    integer: bool = False
    kind: Literal["number"] = Field(default="number", repr=False)


@dataclass(frozen=True, config=STRICT)
class Fixed:
    """Text that stands as it is: its tokens are fed, not decoded."""

    text: str
    kind: Literal["fixed"] = Field(default="fixed", repr=False)


@dataclass(frozen=True, config=STRICT)
class Hole:
    """A named gap; the text that fills it is returned under its name, last value wins."""

    name: str
    constraint: Annotated[Choice | Pattern | Schema | Copy | Number, Field(discriminator="kind")]
    kind: Literal["hole"] = Field(default="hole", repr=False)


@dataclass(frozen=True, config=STRICT)
class Holes:
    """Fixed text with named gaps, in order."""

    parts: tuple[Annotated[Fixed | Hole, Field(discriminator="kind")], ...]
    kind: Literal["holes"] = Field(default="holes", repr=False)


Constraint = Annotated[Choice | Pattern | Schema | Copy | Number | Fixed | Holes, Field(discriminator="kind")]

# --- requests ------------------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Sampling:
    """How a token is drawn. Temperature 0 is greedy; draws are keyed by (seed, position), so they repeat."""

    temperature: float = Field(default=0.0, ge=0.0, le=5.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(default=0, ge=0)
    seed: int = 0


TemplateOptions = Annotated[dict[str, Any], Field(max_length=LIMITS.template_options)]
"""What else a chat template is told, as JSON values by name: `enable_thinking`, `documents`, ..."""

Owner = Annotated[str, Field(max_length=LIMITS.owner_chars)]
"""Whose request it is: computed prefixes are shared between requests of one owner, and of nobody else."""

Stable = Annotated[int, Field(ge=0)]
"""Leading segments of a rendered prompt that will be asked with again: what is computed of them may be kept on disk,
unless the request has an owner. Of a prompt of messages the Model sees by itself which those are."""


@dataclass(frozen=True, config=STRICT)
class Generate:
    """Continue a conversation, or a prompt that is rendered already.

    `answer_start` is the trusted beginning of the answer: it is part of the prompt, not of the output. With
    `continues` the last message, an assistant's, is such a beginning, trusted or not. `tools` are told to the
    model in the words of its own chat template; one that has none refuses them. `deadline` is in seconds from
    submission, queueing included. With `alternatives` each token comes with its `Odds`, and that many of the
    likeliest in them; a Model that has none of its tokens' odds gives none.
    """

    prompt: tuple[Message, ...] | Prompt
    answer_start: str = ""
    constraint: Constraint | None = None
    sampling: Sampling = Sampling()
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), max_length=LIMITS.stops)
    max_tokens: int = Field(default=LIMITS.answer_tokens, ge=1)
    deadline: float = Field(default=LIMITS.request_seconds, gt=0)
    tools: tuple[ToolSpec, ...] = ()
    template_options: TemplateOptions = Field(default_factory=dict)
    continues: bool = False
    owner: Owner = ""
    stable: Stable = 0
    alternatives: Annotated[int, Field(ge=0, le=LIMITS.alternatives)] | None = None
    kind: Literal["generate"] = Field(default="generate", repr=False)


@dataclass(frozen=True, config=STRICT)
class Score:
    """Log-likelihood of each continuation under one shared prompt. Leading spaces belong to the continuations.

    With `alternatives` there are none, and the tokens of the prompt itself are scored, but for the first: Pieces
    without text tell the `Odds` of each, with that many of the likeliest that could have stood there.
    """

    prompt: tuple[Message, ...] | Prompt
    continuations: tuple[Annotated[str, Field(min_length=1)], ...] = Field(max_length=LIMITS.continuations)
    answer_start: str = ""
    deadline: float = Field(default=LIMITS.request_seconds, gt=0)
    tools: tuple[ToolSpec, ...] = ()
    template_options: TemplateOptions = Field(default_factory=dict)
    continues: bool = False
    owner: Owner = ""
    stable: Stable = 0
    alternatives: Annotated[int, Field(ge=0, le=LIMITS.alternatives)] | None = None
    kind: Literal["score"] = Field(default="score", repr=False)


@dataclass(frozen=True, config=STRICT)
class Count:
    """How many tokens the prompt is."""

    prompt: tuple[Message, ...] | Prompt
    deadline: float = Field(default=LIMITS.request_seconds, gt=0)
    tools: tuple[ToolSpec, ...] = ()
    template_options: TemplateOptions = Field(default_factory=dict)
    continues: bool = False
    kind: Literal["count"] = Field(default="count", repr=False)


@dataclass(frozen=True, config=STRICT)
class Embed:
    """A vector for each text. Vectors of one Model that are near each other belong to texts that mean nearly the
    same, as far as that Model can tell: `Capabilities.embeds` says where they come from."""

    texts: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1, max_length=LIMITS.embedded_texts)
    deadline: float = Field(default=LIMITS.request_seconds, gt=0)
    kind: Literal["embed"] = Field(default="embed", repr=False)


@dataclass(frozen=True, config=STRICT)
class Spell:
    """Which tokens a text is, or, where `ids` are given, which tokens those are.

    In a `trusted` text control tokens are recognised. `whole` asks for the tokens that the model's tokenizer sets
    around a whole text.
    """

    text: str = ""
    ids: Annotated[tuple[int, ...], Field(max_length=LIMITS.spelled_tokens)] = ()
    trusted: bool = False
    whole: bool = False
    deadline: float = Field(default=LIMITS.request_seconds, gt=0)
    kind: Literal["spell"] = Field(default="spell", repr=False)


Prompted = Generate | Score | Count
"""Requests that have a prompt."""

Request = Annotated[Generate | Score | Count | Embed | Spell, Field(discriminator="kind")]

# --- what comes back -----------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Piece:
    """Whole characters of an answer, and the ids of all tokens since the piece before.

    The text may be empty while bytes or a possible stop string are held back. `odds` has one for each token, or none
    at all.
    """

    text: str
    tokens: tuple[int, ...]
    odds: tuple[Odds, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Begun:
    """What of an answer was sent already, by a process that is gone: all its token ids, and how many characters."""

    tokens: tuple[int, ...] = ()
    shown: Annotated[int, Field(ge=0)] = 0


Finish = Literal["stop", "length", "constraint"]


@dataclass(frozen=True, config=STRICT)
class Done:
    """The end of a request that worked.

    `text` is the whole answer; `captures` what filled each hole, raw; `scores` holds, for `Score`, the
    natural-log likelihood and token count of each continuation, `vectors`, for `Embed`, a row for each text, and
    `tokens`, for `Spell`, what was asked about;
    `degraded` what was not as it should be; `cached` how an answer that was remembered was found: "" says that it
    was computed. `how` is "" for a model's own answer, else what a Model around Models had it from
    (`fallback:rules`, `remote:gpt@host`), and `steps` what was done for it.
    """

    text: str = ""
    finish: Finish = "stop"
    usage: Usage = Usage()
    captures: dict[str, str] = Field(default_factory=dict)
    scores: tuple[tuple[float, int], ...] = ()
    count: int = 0
    degraded: tuple[str, ...] = ()
    cached: str = ""
    how: str = ""
    steps: tuple[Step, ...] = ()
    vectors: Vectors | None = None
    tokens: tuple[Token, ...] = ()

    def winner(self, *, per_token: bool = False) -> int:
        """Which continuation is likeliest, the first of equals; by its mean over tokens, long ones are not held back.

        Raises ValueError where nothing was scored.
        """
        worth = [score / max(1, tokens) if per_token else score for score, tokens in self.scores]
        return worth.index(max(worth))


Event = Piece | Done


@dataclass(frozen=True, config=STRICT)
class Infill:
    """The control tokens that ask a model for what belongs into a gap: it continues prefix, its text, suffix, its
    text, middle."""

    prefix: str
    suffix: str
    middle: str

    def around(self, prefix: str, suffix: str, begun: str = "") -> Prompt:
        """A gap between two texts, none of them trusted; `begun` is what of it is there already.

        That comes last, as it is what the next keystroke changes: all before it stays as it was computed.
        """
        texts = ((self.prefix, True), (prefix, False), (self.suffix, True), (suffix, False), (self.middle, True))
        return tuple(Segment(text, trusted) for text, trusted in (*texts, (begun, False)) if text)


@dataclass(frozen=True, config=STRICT)
class Capabilities:
    """What a Model can do, for those who wrap it: `context` in tokens, and which requests it takes.

    `answers` is false for a model that embeds and does nothing else; `embeds` is None for one that does not.
    `rendered` is false for one that is asked in messages only: not in segments, and not to go on from what the caller
    has begun.

    `encoding` tells of weights that are loaded in place of the file's own (`bf16, made for this machine`); "" is the
    file as it is. `infill` is None for a model that was not taught to fill gaps.
    """

    name: str
    context: int
    constraints: bool = True
    scores: bool = True
    encoding: str = ""
    infill: Infill | None = None
    answers: bool = True
    embeds: Embeds | None = None
    rendered: bool = True


def check_size(texts: Iterable[str]) -> int:
    """Bytes of the texts of one request together, in UTF-8. Raises RequestTooLarge, before any work is done."""
    size = sum(len(text.encode(errors="surrogatepass")) for text in texts)
    if size > LIMITS.request_bytes:
        raise RequestTooLarge(
            f"the request is {size:,} bytes; the limit is {LIMITS.request_bytes:,}",
            size=size,
            limit=LIMITS.request_bytes,
        )
    return size


class Model(Protocol):
    """Whatever answers requests: local, remote, scripted, or a Model around Models.

    `stream` submits at once; dropping what it returns before its end cancels the request and frees what it held.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def stream(self, request: Request) -> Iterator[Event]: ...


def complete(model: Model, request: Request) -> Done:
    """The end of a request whose pieces nobody watches."""
    return _end(model.stream(request))


def complete_all(model: Model, requests: Iterable[Request]) -> list[Done]:
    """The ends of several requests that are worked on together: all are submitted before any is awaited."""
    streams = [model.stream(request) for request in requests]
    return [_end(stream) for stream in streams]


def _end(stream: Iterable[Event]) -> Done:
    for event in stream:
        if isinstance(event, Done):
            return event
    raise AssertionError("a Model's stream ended without Done")

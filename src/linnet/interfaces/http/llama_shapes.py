"""llama-server's requests as editors send them -> values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from linnet.errors import NotOffered
from linnet.interfaces.http.body import passed_over
from linnet.interfaces.http.completing import Gap
from linnet.interfaces.http.openai_shapes import Json, Loose, held_schema
from linnet.limits import LIMITS
from linnet.requests import Generate, Sampling

_INDIFFERENT = frozenset(
    {
        *("cache_prompt", "id_slot", "samplers", "n_indent", "penalty_last_n", "n_keep", "return_tokens"),
        *("repeat_last_n", "timings_per_token", "return_progress", "post_sampling_probs", "n_cmpl", "n_cache_reuse"),
    }
)
"""Fields of llama-server about how it does its work, which are the engine's own business here."""


class LlamaRequest(Loose):
    """What its requests have in common. `n_predict` under 0 is as many as usual, 0 is none: what is before is
    computed, so that it is there when it is asked for."""

    model: str = "default"
    n_predict: int | None = None
    max_tokens: int | None = None
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_k: int | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: int | None = None
    stop: Annotated[list[str], Field(max_length=LIMITS.stops)] | None = None
    stream: bool | None = None
    json_schema: Json | None = None
    grammar: str | None = None
    n_probs: Annotated[int, Field(ge=0, le=LIMITS.alternatives)] | None = None
    t_max_predict_ms: float | None = None
    t_max_prompt_ms: float | None = None
    response_fields: Annotated[list[str], Field(max_length=64)] | None = None

    def own(self) -> Generate:
        """Greedy unless a temperature is given. Raises NotOffered."""
        if self.grammar:
            raise NotOffered("grammars are not taken as text; give a `json_schema`", param="grammar")
        seed = max(0, self.seed or 0) % (1 << 31)
        sampling = Sampling(min(self.temperature or 0.0, 5.0), self.top_p or 1.0, max(0, self.top_k or 0), seed)
        constraint = held_schema(self.json_schema, "json_schema") if self.json_schema else None
        stop = tuple(text for text in self.stop or () if text)
        return Generate(
            (),
            constraint=constraint,
            sampling=sampling,
            stop=stop,
            max_tokens=max(1, self.most),
            alternatives=self.n_probs or None,
        )

    @property
    def most(self) -> int:
        """Tokens to predict."""
        given = self.n_predict if self.n_predict is not None else self.max_tokens
        return LIMITS.answer_tokens if given is None or given < 0 else given

    def notes(self) -> tuple[str, ...]:
        self.__pydantic_extra__ = {k: v for k, v in (self.model_extra or {}).items() if k not in _INDIFFERENT}
        return passed_over(self)


class CompletionRequest(LlamaRequest):
    """POST /completion"""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]

    def gap(self) -> Gap:
        return Gap(self.prompt if isinstance(self.prompt, str) else self.prompt[0], notes=self.notes())


class Chunk(Loose):
    text: str = ""
    filename: str = ""


class InfillRequest(LlamaRequest):
    """POST /infill: the gap is between `input_prefix` and `input_suffix`, and begins with `prompt`."""

    input_prefix: str = ""
    input_suffix: str = ""
    prompt: str = ""
    input_extra: Annotated[list[Chunk], Field(max_length=LIMITS.request_messages)] | None = None

    def gap(self) -> Gap:
        before = tuple(chunk.text for chunk in self.input_extra or () if chunk.text)
        prefix, begun = (self.input_prefix, self.prompt) if self.input_prefix else (self.prompt, "")
        return Gap(prefix, self.input_suffix, begun, before, notes=self.notes())


def picked(answer: Json, fields: list[str] | None) -> Json:
    """Of an answer what was asked for, under the path that it was asked by: `timings/prompt_n`."""
    if not fields:
        return answer
    found: Json = {}
    for path in fields:
        value: Any = answer
        for part in path.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[path] = value
    return found

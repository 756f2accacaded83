"""What was found out about the encodings of one model file on one machine: values, and their JSON form."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from linnet.limits import LIMITS
from linnet.messages import STRICT
from linnet.models.mixes import Mix
from linnet.models.shelf import Digest

Text = Annotated[str, Field(max_length=500)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Number = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Size = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class Quality:
    """How far next-token probabilities lie from those of the F32 of the same file: KL(F32 || this) in nats.

    `standard_error` is that of the mean, `same_top` the share of positions where both find the same token likeliest.
    """

    mean_kl: Number
    standard_error: Number
    p99_kl: Number
    max_kl: Number
    same_top: Share
    positions: Size


@dataclass(frozen=True, config=STRICT)
class Speed:
    """Medians over the rounds: tokens per second, and seconds of one turn of the mix.

    `ratio` is the median of what the original took by what this took in the same round (above 1: faster), and half
    of the rounds lie between `low` and `high`.
    """

    prefill: Number
    decode: Number
    seconds: Number
    ratio: Number
    low: Number
    high: Number
    rounds: Size


@dataclass(frozen=True, config=STRICT)
class Trial:
    """One type of weights, tried. `rejected` says why it was not kept, "" if it was or if it is the original.

    `size` in bytes: of the file, or, where it was never made, the one it was reckoned to have.
    """

    type: Text
    size: Size
    quality: Quality | None = None
    speed: Speed | None = None
    rejected: Text = ""


@dataclass(frozen=True, config=STRICT)
class Agreement:
    """Greedy answers of two files to the same prompts: the share that are the same token for token, and how many
    tokens they have in common from the beginning, in the mean, out of `tokens` at most."""

    between: Text
    prompts: Size
    tokens: Size
    identical: Share
    prefix: Number


@dataclass(frozen=True, config=STRICT)
class Encoding:
    """What was decided for one model file on machines like one, with one version of the engine.

    `original` is the SHA-256 of that file, `name` what it was called, `machine` and `engine` are what
    `encodings.host` and `encodings.engine` say. `sha256` and `size` are those of the file to be used in its
    place; None and 0 where the original is to be used. `date` is a day, as `2026-11-22`.
    """

    original: Digest
    name: Text
    machine: Text
    engine: Text
    type: Text
    sha256: Digest | None
    size: Size
    date: Text
    mix: Mix
    threads: Size
    why: Text
    trials: Annotated[tuple[Trial, ...], Field(max_length=LIMITS.encodings_tried + 1)] = ()
    agreement: Annotated[tuple[Agreement, ...], Field(max_length=8)] = ()

    @property
    def label(self) -> str:
        """As answers tell it: `bf16, made for this machine`."""
        return f"{self.type}, made for this machine"

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = _ENCODINGS.dump_python(self, mode="json")
        return found

    def write(self) -> bytes:
        return _ENCODINGS.dump_json(self, indent=1)


def read(body: bytes) -> Encoding:
    """Raises ValidationError for what is none."""
    return _ENCODINGS.validate_json(body, strict=True)


_ENCODINGS = TypeAdapter(Encoding)

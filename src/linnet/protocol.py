"""The records on the pipe between a caller and its children. `linnet.channel` frames and checks them.

Descriptors are inherited, never sent: a record has their numbers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.errors import LinnetError, from_code
from linnet.limits import LIMITS, Sandbox
from linnet.messages import STRICT, Message, ToolSpec
from linnet.page import Extract, Extracted
from linnet.program import Exited, Launch
from linnet.requests import Done, Request, Segment
from linnet.script import Script
from linnet.tokens import Odds
from linnet.trial import Trial, Tried
from linnet.vectors import Pooling

# --- caller to child -----------------------------------------------------------------------------


CacheType = Literal["f32", "f16", "q8_0", "q4_0"]
"""How keys and values are stored: 2 bytes an element, or about 1.06 and 0.56."""


@dataclass(frozen=True, config=STRICT)
class Adapter:
    """A LoRA adapter of the model, by the name that requests ask for it by; `fd` is an inherited descriptor."""

    name: str
    fd: int
    scale: float = 1.0


Top = tuple[tuple[int, float], ...]
"""The largest logits behind a token, and whose they are."""


@dataclass(frozen=True, config=STRICT)
class Snapshot:
    """A computed prefix on disk: `size` bytes from `offset` on of the inherited descriptor `fd`.

    `digest` is that of these bytes (linnet.worker.snapshots), `top` what was predicted behind the last of `tokens`,
    and `key` the name by which the caller knows it.
    """

    key: str
    fd: int
    offset: int
    size: int
    digest: str
    tokens: Annotated[tuple[int, ...], Field(min_length=1)]
    top: Top
    adapter: str = ""


@dataclass(frozen=True, config=STRICT)
class Load:
    """The first record: what to load and within which bounds.

    `model_fd` is an inherited descriptor; `context` is in tokens over all sequences, of which there are
    more than running answers: branches of scoring (at least one) and kept prefixes have their own. A
    `script` in place of a descriptor starts the scripted engine. `generation` counts this worker's starts.
    `scratch` is an inherited descriptor of memory to which the worker writes prefixes that it has computed; without
    it none is kept. Without `pooling` nothing is embedded. A file that is not `mapped` is read, and not kept beside
    what is made of it.
    """

    model_fd: int = -1
    context: int = 2_048
    sequences: int = Field(default=4 * LIMITS.sequences, ge=2)
    decode_threads: int = 1
    prefill_threads: int = 1
    sandbox: Sandbox = Sandbox()
    script: Script | None = None
    generation: int = 1
    adapters: tuple[Adapter, ...] = Field(default=(), max_length=LIMITS.adapters)
    cache: CacheType = "f16"
    snapshots: tuple[Snapshot, ...] = Field(default=(), max_length=LIMITS.snapshots_open)
    scratch: int = -1
    pooling: Pooling | None = None
    mapped: bool = True
    record: Literal["load"] = "load"

    @property
    def descriptors(self) -> list[int]:
        """All that are to be inherited."""
        adapters, snapshots = (one.fd for one in self.adapters), (one.fd for one in self.snapshots)
        return [fd for fd in (self.model_fd, self.scratch, *adapters, *snapshots) if fd >= 0]


@dataclass(frozen=True, config=STRICT)
class Submit:
    """Take on a request. `emitted` are the tokens that a dead worker had already sent for it.

    `adapter` names one of those that were loaded; "" is the model as it is.
    """

    id: int
    request: Request
    emitted: tuple[int, ...] = ()
    adapter: str = ""
    record: Literal["submit"] = "submit"


@dataclass(frozen=True, config=STRICT)
class Cancel:
    """Drop a request; it ends as `Failed` with `cancelled`, unless it has ended already."""

    id: int
    record: Literal["cancel"] = "cancel"


@dataclass(frozen=True, config=STRICT)
class Freed:
    """What was saved to the scratch at `offset` has been copied out of it."""

    offset: int
    record: Literal["freed"] = "freed"


@dataclass(frozen=True, config=STRICT)
class Render:
    """Render a conversation with a model's chat template, in the model-less child.

    `today` is the date that the template may ask for, ISO 8601, so that a rendering can be repeated. `options`
    are further variables of the template. With `continues` the last message is the beginning of the answer.
    """

    id: int
    template: str
    messages: tuple[Message, ...]
    bos: str = ""
    eos: str = ""
    answer_start: str = ""
    today: str = ""
    tools: tuple[ToolSpec, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    continues: bool = False
    record: Literal["render"] = "render"


@dataclass(frozen=True, config=STRICT)
class Loop:
    """Run a plain loop over a model, in the child that is measured against; ids of tokens are made up.

    Each of `streams` sequences is fed `prompt` tokens in batches of `step` (the last is the rest); then all of
    them `run` tokens in one batch; then `generate` tokens are decoded greedily, one of each stream in a batch.
    """

    id: int
    prompt: int = Field(ge=1)
    run: int = Field(default=0, ge=0)
    generate: int = Field(default=0, ge=0)
    streams: int = Field(default=1, ge=1)
    step: int = Field(default=256, ge=1)
    record: Literal["loop"] = "loop"


Kind = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0",
    "iq4_nl", "iq4_xs", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k",
]  # fmt: skip
"""Encodings of weights that can be made from a model alone, by llama.cpp's names."""


@dataclass(frozen=True, config=STRICT)
class Encode:
    """Write the model behind `source_fd` to the file behind `target_fd`, its weights encoded as `kind`."""

    source_fd: int
    target_fd: int
    kind: Kind
    threads: int = Field(default=1, ge=1)
    sandbox: Sandbox = Sandbox()
    record: Literal["encode"] = "encode"


@dataclass(frozen=True, config=STRICT)
class Compare:
    """Compute what a model predicts on texts: written to the file behind `fd`, or held against what is written there.

    `load.context` holds the longest text, in tokens; the texts are nobody's in particular, so not trusted.
    """

    load: Load
    texts: Annotated[tuple[str, ...], Field(min_length=1, max_length=LIMITS.compared_texts)]
    fd: int
    writes: bool
    record: Literal["compare"] = "compare"


@dataclass(frozen=True, config=STRICT)
class Threads:
    """Compute with so many threads from the next step on: one token at a time, and many at once."""

    decode: int = Field(ge=1)
    prefill: int = Field(ge=1)
    record: Literal["threads"] = "threads"


@dataclass(frozen=True, config=STRICT)
class Stop:
    """Leave at once, with exit status 0."""

    record: Literal["stop"] = "stop"


Order = Load | Submit | Cancel | Freed | Render | Loop | Encode | Compare | Trial | Launch | Extract | Threads | Stop
ToChild = Annotated[Order, Field(discriminator="record")]

# --- child to caller -----------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Ready:
    """The start is acknowledged. `sandbox` lists what could be enforced and `missing` what could not."""

    engine: str
    context: int
    vocabulary: int
    seconds: float
    sandbox: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    record: Literal["ready"] = "ready"


@dataclass(frozen=True, config=STRICT)
class Beat:
    """Alive, and this far: `progress` grows with every token computed or byte loaded."""

    phase: Literal["load", "prefill", "decode", "idle"]
    progress: float
    record: Literal["beat"] = "beat"


@dataclass(frozen=True, config=STRICT)
class Emitted:
    """A piece of the answer to request `id`; `tokens` are all ids since the last one, `odds` theirs if asked for.

    Texts follow from tokens alone; what is held back to the end of the answer comes with `Ended`.
    """

    id: int
    text: str
    tokens: tuple[int, ...]
    odds: tuple[Odds, ...] = ()
    record: Literal["emitted"] = "emitted"


@dataclass(frozen=True, config=STRICT)
class Ended:
    """The one good end of a request."""

    id: int
    done: Done
    record: Literal["ended"] = "ended"


@dataclass(frozen=True, config=STRICT)
class Saved:
    """A computed prefix stands in the scratch, as `Snapshot` describes it, until it is `Freed`."""

    offset: int
    size: int
    digest: str
    tokens: tuple[int, ...]
    top: Top
    adapter: str = ""
    record: Literal["saved"] = "saved"


@dataclass(frozen=True, config=STRICT)
class Restored:
    """A snapshot was used, or with `good` false found to be wrong: it is not used again.

    `seconds` is what reading and checking took, together with those that were restored along with it.
    """

    key: str
    good: bool
    seconds: float
    record: Literal["restored"] = "restored"


@dataclass(frozen=True, config=STRICT)
class Rendered:
    """The one good end of a rendering; `notes` say in words what the template could not say as it was asked."""

    id: int
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    record: Literal["rendered"] = "rendered"


@dataclass(frozen=True, config=STRICT)
class Looped:
    """The one good end of a loop: seconds of its parts as the child measured them; 0 for a part without tokens."""

    id: int
    prefill: float
    run: float
    decode: float
    record: Literal["looped"] = "looped"


@dataclass(frozen=True, config=STRICT)
class Recoded:
    """The one good end of an `Encode`; `missing` lists what of the sandbox could not be enforced."""

    seconds: float
    missing: tuple[str, ...] = ()
    record: Literal["recoded"] = "recoded"


@dataclass(frozen=True, config=STRICT)
class Distance:
    """How far predictions are from those of a reference: Kullback-Leibler divergences in nats, over all positions.

    `same_top` is the share of positions at which both hold the same token for the likeliest.
    """

    mean: float
    standard_error: float
    p99: float
    largest: float
    same_top: float
    reference_perplexity: float


@dataclass(frozen=True, config=STRICT)
class Compared:
    """The one good end of a `Compare`; `distance` only where there was a reference."""

    positions: int
    vocabulary: int
    perplexity: float
    seconds: float
    distance: Distance | None = None
    missing: tuple[str, ...] = ()
    record: Literal["compared"] = "compared"


@dataclass(frozen=True, config=STRICT)
class Failed:
    """The one bad end of a request; with id 0, of the start itself."""

    id: int
    code: str
    message: str
    hint: str
    details: dict[str, Any] = Field(default_factory=dict)
    record: Literal["failed"] = "failed"

    def error(self) -> LinnetError:
        return from_code(self.code, self.message, self.hint, self.details)


def failed(id: int, error: LinnetError) -> Failed:
    """The record that tells of an error."""
    return Failed(id, error.code, error.message, error.hint, error.details)


JobDone = Looped | Recoded | Compared | Tried | Exited | Extracted
Report = Ready | Beat | Emitted | Ended | Saved | Restored | Rendered | JobDone | Failed
FromChild = Annotated[Report, Field(discriminator="record")]
Record = Order | Report

"""How much memory a worker takes: arithmetic on the shape of a model, no I/O.

Hides how llama.cpp (as of llama-cpp-python 0.3.36) lays out what it holds: mapped weights, weights copied for
this processor, the KV cache, states, the scratch memory of one step and the logits. What it cannot know by
arithmetic was measured (`benchmarks/memory.py` measures it again): the process itself and its tables of tokens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from linnet.limits import LIMITS, MIB

STEP = 256
"""Tokens of the largest step, for which the engine lays out its scratch memory (`worker/batch.py`, LARGEST)."""

ROWS = 64
"""Rows of logits that one step may want (`worker/batch.py`)."""

SEQUENCES = 4 * LIMITS.sequences
"""Sequences that a context is opened for (`Load.sequences`): each has a row of logits, and a state if any has."""

CACHE_TYPES = {
    "f32": (1, 4), "f16": (1, 2), "bf16": (1, 2), "q8_0": (32, 34), "q5_1": (32, 24), "q5_0": (32, 22),
    "q4_1": (32, 20), "q4_0": (32, 18), "iq4_nl": (32, 18),
}  # fmt: skip
"""What keys and values can be stored as: elements of a block, and its bytes."""

DEFAULT_CACHE = "f16"

_PRODUCTS = 256 * MIB
"""The most that the products of all queries and keys may take; longer contexts are attended to in one pass."""

_PAD = 256
"""Tokens: the engine rounds a context up to a multiple of them (`llama-context.cpp`)."""

_PROCESS = 55 * MIB
"""Python, NumPy, llguidance and the engine's libraries: 51 MiB after all imports, 4 more once it has answered."""

_PER_TOKEN, _PER_MERGE = 164 + 150, 170
"""Bytes for each token of the vocabulary, in the engine's tables and in those of constrained decoding (which are
made with the first constraint), and for each merge of its tokeniser."""

_TABLES = 7 * MIB
"""What those tables take with an empty vocabulary."""


@dataclass(frozen=True)
class Block:
    """One layer: elements that it keeps of keys and of values for each token, and of state for each sequence."""

    keys: int = 0
    values: int = 0
    state: int = 0


@dataclass(frozen=True)
class Shape:
    """What of a model decides how much memory it takes.

    `weights` are the bytes of the file that stay mapped, `copied` those that the engine keeps a second time, laid
    out for this processor, and `idle` the mapped ones that it never reads again after it has made the copy.
    `width`, `inner` and `attended` are elements that one token takes in the stream between layers, inside a feed
    forward part, and as queries, keys and values together. `merges` are those of the tokeniser,
    `heads` those that query, `cache` how keys and values
    are kept.
    """

    weights: int
    blocks: tuple[Block, ...]
    width: int
    inner: int
    attended: int
    vocabulary: int
    merges: int = 0
    copied: int = 0
    idle: int = 0
    heads: int = 0
    cache: str = DEFAULT_CACHE

    @property
    def mapped(self) -> bool:
        """Whether the file is to be mapped: not where most of it would lie beside its copy, and not be read again."""
        return 2 * self.idle <= self.weights


@dataclass(frozen=True)
class Footprint:
    """Bytes of one worker by what they are for.

    `weights` are mapped; `copied` is laid out anew for this processor, or read where the file is not mapped.
    `scoring` is what comes on top when as many logits are wanted as a step may want: when texts are scored; `parked`
    are the computed prefixes that come to be kept beside the KV cache.
    """

    process: int
    tables: int
    weights: int
    copied: int
    cache: int
    states: int
    compute: int
    logits: int
    scoring: int
    parked: int
    idle: int

    @property
    def resident(self) -> int:
        """What a worker is seen to hold once it has answered a prompt that fills its context."""
        whole = self.process + self.tables + self.weights + self.copied + self.cache
        return whole + self.states + self.compute + self.logits

    @property
    def peak(self) -> int:
        """The most that it is ever seen to hold."""
        return self.resident + self.scoring + self.parked

    @property
    def needed(self) -> int:
        """What must be there for it: the kernel drops pages of the file that are not read again."""
        return self.peak - self.idle

    def describe(self) -> dict[str, int]:
        return {**asdict(self), "resident": self.resident, "peak": self.peak, "needed": self.needed}


def footprint(shape: Shape, context: int, cache: str = "") -> Footprint:
    """The memory of a worker with this context, in tokens over all sequences, and this type of KV cache.

    "" is the model's own type.

    Weights count in full, for every token reads all of them. So do layers with a sliding window: the engine lays
    out their whole past, and the windows of all sequences together are longer than most contexts.
    """
    cells, cache = padded(context), cache or shape.cache
    scratch = _scratch(shape, cells, cache, one_pass(shape.heads, context, cache))
    row = 4 * shape.vocabulary
    cells_bytes = cache_bytes(shape, cells, cache)
    states = 4 * SEQUENCES * sum(block.state for block in shape.blocks)
    return Footprint(
        process=_PROCESS,
        tables=_TABLES + shape.vocabulary * _PER_TOKEN + shape.merges * _PER_MERGE,
        weights=shape.weights if shape.mapped else 0,
        copied=shape.copied if shape.mapped else shape.copied + shape.weights - shape.idle,
        cache=cells_bytes,
        states=states,
        compute=scratch,
        logits=SEQUENCES * row,
        # logits lie where the scratch of the layers was; afterwards they are copied out, row by row
        scoring=max(0, ROWS * row - scratch) + max(0, ROWS - SEQUENCES) * row,
        parked=0 if states else min(LIMITS.parked_bytes, cells_bytes),
        idle=shape.idle if shape.mapped else 0,
    )


def cache_bytes(shape: Shape, context: int, cache: str = "") -> int:
    """Bytes of all keys and values: for each layer and cell as many elements as its KV heads are wide together."""
    block, size = CACHE_TYPES[cache or shape.cache]
    elements = sum(layer.keys + layer.values for layer in shape.blocks)
    return padded(context) * elements * size // block


def one_pass(heads: int, context: int, cache: str = DEFAULT_CACHE) -> bool:
    """Whether the engine is to attend in one pass (flash attention), without the products of all queries and keys.

    That takes next to no memory, and 2 to 6 times as long for steps of under 64 tokens, which agents mostly make: on
    the processor it is fast for whole tiles of 64 only (docs/log.md). What is stored in blocks can be read in no
    other way.
    """
    return cache not in ("f16", "f32", "bf16") or products(heads, padded(context)) > _PRODUCTS


def products(heads: int, cells: int) -> int:
    """Bytes of the products of a step's queries with the keys of all cells."""
    return 4 * STEP * heads * cells


def padded(context: int) -> int:
    """The context that the engine really opens."""
    return -(-context // _PAD) * _PAD


def _scratch(shape: Shape, cells: int, cache: str, one_pass: bool) -> int:
    """What one step of `STEP` tokens computes in: the wider of a layer's two halves, in 32-bit floats.

    In a feed forward part the gate, the values and their product are there together, in attention what goes in
    and out of it, and the products of queries and keys; beside each the stream twice, its activations once more as
    the weights' own type wants them (about 9 bits), the products once more in 16 bits where values are kept in them,
    and the mask: four bytes for each token of the step and cell of the cache, or two where there is one pass.
    """
    attends = any(block.keys for block in shape.blocks)
    feed = 3 * shape.inner + 2 * shape.width
    attention = 2 * shape.attended + 2 * shape.width
    quantised = max(shape.inner, shape.width) * 9 // 32
    pairs = 0 if one_pass or not attends else products(shape.heads, cells)
    pairs += pairs // 2 if cache in ("f16", "bf16") else 0
    mask = (2 if one_pass else 4) * STEP * cells if attends else 0
    return max(4 * STEP * feed, 4 * STEP * attention + pairs) + 4 * STEP * quantised + mask

"""Whether an encoder's header holds what the engine takes for granted of one (`src/models/bert.cpp`).

An encoder reads a text to both sides and says nothing; its vectors are pooled as the header says.
"""

from __future__ import annotations

from linnet.models.fields import Fields

POOLINGS = {1: "mean", 2: "cls", 3: "last"}
"""By the engine's numbers. 0 is none at all, 4 the score of a reranker."""

_MARKS = {"unknown": 100, "bos": 101, "seperator": 102, "mask": 103}
"""Where the engine's tokenizer looks for its marks if the file names none (`src/llama-vocab.cpp`)."""


def check(fields: Fields, vocabulary: int | None) -> None:
    """Faults of the fields that encoders alone have."""
    named = fields.prefixed
    fields.require(named("attention.layer_norm_epsilon"))
    causal = fields.flag(named("attention.causal"))
    if causal is not False:
        fields.blame(named("attention.causal"), "an encoder looks to both sides, and its file does not say so")
    pooling = fields.integer(named("pooling_type"))
    if pooling not in POOLINGS:
        fields.blame(named("pooling_type"), f"vectors of pooling type {pooling} are none of texts")
    types = fields.header.integer("tokenizer.ggml.token_type_count")
    if not types:
        fields.require("tokenizer.ggml.token_type_count")
    for name, place in _MARKS.items():
        key = f"tokenizer.ggml.{name}_token_id"
        if vocabulary is not None and fields.header.integer(key) is None and place >= vocabulary:
            fields.blame(key, f"there is no token {place}, which stands for {name!r} where the file names none")
    if fields.header.architecture == "bert":
        _check_positions(fields)


def _check_positions(fields: Fields) -> None:
    """Rows of the table of positions, one for each: the engine reads the one that a token stands at."""
    context = fields.header.integer(fields.prefixed("context_length"))
    table = next((one for one in fields.header.tensors if one.name == "position_embd.weight"), None)
    if table is None:
        fields.require("position_embd.weight")
    elif len(table.dimensions) != 2 or table.dimensions[1] != context:
        fields.blame("tensors", f"the table of positions is {table.dimensions}, for {context} of them")

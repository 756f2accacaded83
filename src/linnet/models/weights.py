"""Whether the tensors of a header are stored in types that the engine computes with, and fit the vocabulary.

The engine compares every shape with the one it expects before it uses a tensor, but takes any type: it aborts
in the middle of the first answer where its arithmetic has no case for one (`ggml-cpu/binary-ops.cpp`), and
calls an empty place in its table of dot products (`ggml-cpu/ggml-cpu.c`).
"""

from __future__ import annotations

import re

from linnet.limits import LIMITS
from linnet.models.architectures import HYBRID
from linnet.models.faults import Faults
from linnet.models.fields import Fields
from linnet.models.gguf import Tensor
from linnet.models.tensor_types import MATRIX_TYPES

_PLAIN = (".bias", "norm.weight", "norm2.weight", "rope_freqs.weight", "sinks.weight")
_PLAIN_PARTS = ("ssm_conv1d", "shortconv.conv", ".ssm_a", ".ssm_d", "rope_factors")
"""Added or multiplied element by element, or convolved: in 32-bit floats only."""

_INDICES = "tid2eid"
"""Tables of experts by token: whole numbers."""


def check(fields: Fields, faults: Faults, vocabulary: int | None) -> None:
    """Faults of the tensors, as far as they do not show in the layout of the file."""
    tensors = fields.header.tensors
    if not tensors:
        fields.blame("tensors", "there are no tensors")
        return
    for tensor in tensors:
        _check_type(tensor, faults)
    _check_queries(fields)
    embedding = next((tensor for tensor in tensors if tensor.name == "token_embd.weight"), None)
    if embedding is None:
        fields.require("token_embd.weight")
    else:
        _check_embedding(fields, faults, embedding, vocabulary)


def _check_type(tensor: Tensor, faults: Faults) -> None:
    name, kind = tensor.name, tensor.type
    if _INDICES in name and kind == "I32":
        return
    flat = sum(size > 1 for size in tensor.dimensions) < 2
    plain = flat or name.endswith(_PLAIN) or any(part in name for part in _PLAIN_PARTS)
    if plain and kind != "F32":
        faults.add(
            tensor.where, f"tensor {name!r} is of type {kind}, and the engine adds or scales in F32 only", name
        )
    elif kind not in MATRIX_TYPES:
        faults.add(tensor.where, f"tensor {name!r} is of type {kind}, which the engine does not multiply by", name)


def _check_queries(fields: Fields) -> None:
    """Every block attends to something or keeps a state: without either the engine follows a null pointer."""
    blocks = fields.header.integer(fields.prefixed("block_count")) or 0
    if fields.header.architecture in HYBRID or blocks > LIMITS.model_blocks:
        return
    able = {tensor.name.split(".")[1] for tensor in fields.header.tensors if _MIXES.match(tensor.name)}
    idle = [block for block in range(blocks) if str(block) not in able]
    if idle:
        fields.blame("tensors", f"block {idle[0]} has no tensor for its queries, nor for a state")


_MIXES = re.compile(r"blk\.\d{1,4}\.(attn_q|attn_kv_a|ssm_|time_mix)")


def _check_embedding(fields: Fields, faults: Faults, tensor: Tensor, vocabulary: int | None) -> None:
    """The vectors of all tokens: as many as tokens, and as long as the model is wide."""
    width = fields.header.integer(fields.prefixed("embedding_length"))
    rows = zip(tensor.dimensions, (width, vocabulary), strict=False)
    if len(tensor.dimensions) != 2 or any(wanted not in (None, size) for size, wanted in rows):
        what = f"has the dimensions {tensor.dimensions}, for {vocabulary} tokens and a width of {width}"
        faults.add(tensor.where, f"tensor {tensor.name!r} {what}", tensor.name)

"""What of a header decides how much memory a model takes.

Hides where each architecture writes how wide its layers are, and which tensors llama.cpp copies into a layout
of its own for which processor (`ggml-cpu/repack.cpp`, `ggml-cpu/amx`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from linnet.hardware.footprint import DEFAULT_CACHE, Block, Shape
from linnet.models.gguf import Header, Tensor


def shape_of(header: Header, features: Collection[str] = ()) -> Shape:
    """The shape of a checked header, on a processor with these features (`Machine.features`)."""
    own = _Own(header)
    copied = [tensor for tensor in header.tensors if _is_copied(tensor, features)]
    names = {tensor.name for tensor in copied}
    kept = [tensor for tensor in header.tensors if tensor.name not in names]
    first, last = _mapped(kept)
    blocks = range(own.number("block_count"))
    return Shape(
        weights=last - first,
        blocks=tuple(_block(own, block) for block in blocks),
        width=own.number("embedding_length"),
        inner=max((_inner(own, block) for block in blocks), default=0),
        attended=max((_attended(own, block) for block in blocks), default=0),
        vocabulary=len(header.texts("tokenizer.ggml.tokens")) or own.number("vocab_size"),
        merges=len(header.texts("tokenizer.ggml.merges")),
        copied=sum(tensor.size for tensor in copied) + _tied(header, features),
        idle=sum(tensor.size for tensor in copied if first <= tensor.offset < last),
        heads=max((own.number("attention.head_count", block) for block in blocks), default=0),
        cache="f32" if _is_exact(header) else DEFAULT_CACHE,
    )


def _is_exact(header: Header) -> bool:
    """Whether no weight is rounded: keys and values are then not rounded either (docs/decisions/0027)."""
    return bool(header.tensors) and all(tensor.type == "F32" for tensor in header.tensors)


class _Own:
    """The architecture's own fields of a header, each with one number for all blocks or one for each."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.mixers = _mixers(header)

    def number(self, name: str, block: int = 0) -> int:
        """0 where the header says nothing, or says it of another block only."""
        value = self.header.metadata.get(f"{self.header.architecture}.{name}")
        if isinstance(value, bool | float | str) or value is None:
            return 0
        if isinstance(value, int):
            return value
        item = value[block] if block < len(value) else 0
        return int(item) if isinstance(item, int) else 0


# --- layers --------------------------------------------------------------------------------------


def _mixers(header: Header) -> dict[int, set[str]]:
    """For each block the first parts of the names of its tensors: `attn_k`, `ssm_out`."""
    found: dict[int, set[str]] = {}
    for tensor in header.tensors:
        parts = tensor.name.split(".")
        if len(parts) > 2 and parts[0] == "blk" and parts[1].isdecimal() and len(parts[1]) < 6:
            found.setdefault(int(parts[1]), set()).add(parts[2])
    return found


_KEYS = {"attn_k", "attn_qkv", "attn_kv", "attn_kv_a_mqa", "attn_k_b"}
_STATES = ("ssm_", "shortconv", "time_mix")


def _block(own: _Own, block: int) -> Block:
    names = own.mixers.get(block, set())
    recurrent = any(name.startswith(_STATES) for name in names)
    # a linear kind of attention has fused queries, keys and values too, and keeps a state instead of them
    attends = bool(names & _KEYS) and not (recurrent and not names & (_KEYS - {"attn_qkv"}))
    keys, values = _kept(own, block) if attends and not _borrows(own, block) else (0, 0)
    return Block(keys, values, _state(own) if recurrent else 0)


def _borrows(own: _Own, block: int) -> bool:
    """Whether the block uses the keys of an earlier one: the last ones of Gemma 3n and 4 do."""
    shared = own.number("attention.shared_kv_layers")
    if own.header.architecture == "gemma3n":  # `llama_hparams::n_layer_kv_from_start`, which has no key
        shared = max(0, own.number("block_count") - 20)
    return block >= own.number("block_count") - shared


def _kept(own: _Own, block: int) -> tuple[int, int]:
    """Elements of keys and values that a token leaves. Compressed attention (MLA) keeps no values of its own."""
    heads = own.number("attention.head_count_kv", block) or own.number("attention.head_count", block)
    key, value = _head(own, block)
    return heads * key, 0 if own.number("attention.key_length_mla") else heads * value


def _head(own: _Own, block: int) -> tuple[int, int]:
    """Elements of a key and of a value of one head; layers with a sliding window may have others."""
    default = own.number("embedding_length") // max(1, own.number("attention.head_count", block))
    pattern = own.header.metadata.get(f"{own.header.architecture}.attention.sliding_window_pattern")
    slides = not isinstance(pattern, int | None) and own.number("attention.sliding_window_pattern", block)
    suffix = "_swa" if slides else ""
    key = own.number(f"attention.key_length{suffix}") or own.number("attention.key_length") or default
    value = own.number(f"attention.value_length{suffix}") or own.number("attention.value_length") or default
    return key, value


def _state(own: _Own) -> int:
    """Elements that a recurrent layer keeps for each sequence (`llama_hparams::n_embd_r` and `n_embd_s`)."""
    width = own.number("embedding_length")
    if head := own.number("wkv.head_size"):
        return (own.number("token_shift_count") or 2) * width + width * head
    if cached := own.number("shortconv.l_cache"):
        return width * (cached - 1)
    convolved = max(0, own.number("ssm.conv_kernel") - 1)
    if head := own.number("kda.head_dim"):
        heads = own.number("attention.head_count")
        return 3 * (convolved or 3) * heads * head + heads * head * head
    inner, state = own.number("ssm.inner_size"), own.number("ssm.state_size")
    return convolved * (inner + 2 * own.number("ssm.group_count") * state) + state * inner


def _inner(own: _Own, block: int) -> int:
    """The widest that a token becomes inside a block: of experts, all that are used for it."""
    used = own.number("expert_used_count", block)
    each = own.number("expert_feed_forward_length", block) or own.number("feed_forward_length", block)
    experts = used * each + own.number("expert_shared_feed_forward_length") if used else 0
    return max(own.number("feed_forward_length", block), experts, own.number("ssm.inner_size"))


def _attended(own: _Own, block: int) -> int:
    key, value = _head(own, block)
    heads, shared = own.number("attention.head_count", block), own.number("attention.head_count_kv", block)
    return heads * key + (shared or heads) * (key + value)


# --- weights -------------------------------------------------------------------------------------


def _mapped(kept: Iterable[Tensor]) -> tuple[int, int]:
    """The part of the weights that stays mapped: from the first tensor that is used in its place to the last."""
    places = [(tensor.offset, tensor.offset + tensor.size) for tensor in kept]
    return min((start for start, _ in places), default=0), max((end for _, end in places), default=0)


_LOOKED_UP = ("token_embd", "per_layer_token_embd", "position_embd", "token_types")
"""Tables of which rows are taken: they are never multiplied by in this place."""


def _is_copied(tensor: Tensor, features: Collection[str]) -> bool:
    if tensor.name.split(".")[0] in _LOOKED_UP or not tensor.name.endswith(".weight"):
        return False
    experts = "_exps" in tensor.name
    return len(tensor.dimensions) == (3 if experts else 2) and _is_laid_out_anew(tensor, features)


def _tied(header: Header, features: Collection[str]) -> int:
    """Bytes of the table of tokens, where a model without an output layer multiplies by a copy of it."""
    embedding = None
    for tensor in header.tensors:
        if tensor.name == "output.weight":
            return 0
        if tensor.name == "token_embd.weight":
            embedding = tensor
    return embedding.size if embedding and _is_laid_out_anew(embedding, features) else 0


def _is_laid_out_anew(tensor: Tensor, features: Collection[str]) -> bool:
    rows = tensor.dimensions[1] if len(tensor.dimensions) > 1 else 1
    return any(
        feature in features and tensor.type in types and rows % group == 0 for feature, types, group in _LAYOUTS
    )


_LAYOUTS = (
    ("avx2", frozenset({"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"}), 8),
    ("avx512f", frozenset({"Q2_K"}), 8),
    ("amx_int8", frozenset({"Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS"}), 32),
    ("dotprod", frozenset({"Q4_0", "Q8_0", "IQ4_NL", "MXFP4"}), 4),
    ("dotprod", frozenset({"Q4_K", "Q5_K", "Q6_K"}), 8),
)
"""A feature of the processor, the types that the engine lays out anew for it, and of how many rows at a time.

The rows for AVX2 and AMX were measured here; the others are read from the engine's source and never tried.
"""

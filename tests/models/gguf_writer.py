"""Writes GGUF files for tests, right ones and wrong ones: byte by byte, or as small whole models.

The whole models are sound, and small enough to load in a moment: two blocks, 64 wide, a vocabulary of single
bytes. Their weights are small random numbers, so what they say means nothing.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}

# --- byte by byte --------------------------------------------------------------------------------


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def number(kind: int, value: float) -> bytes:
    return struct.pack("<" + CODES[kind], value)


def entry(key: str | bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + body


def tensor(name: str | bytes, dimensions: Iterable[int], kind: int = 0, offset: int = 0) -> bytes:
    sizes = list(dimensions)
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


ARCHITECTURE = entry("general.architecture", STRING, text("llama"))


def model(
    entries: Iterable[bytes] = (ARCHITECTURE,),
    tensors: Iterable[bytes] = (),
    *,
    data: int = 0,
    version: int = 3,
    magic: bytes = b"GGUF",
    keys: int | None = None,
    count: int | None = None,
    alignment: int = 32,
) -> bytes:
    entries, tensors = list(entries), list(tensors)
    head = magic + struct.pack(
        "<IQQ", version, len(tensors) if count is None else count, len(entries) if keys is None else keys
    )
    body = head + b"".join(entries) + b"".join(tensors)
    return body + b"\0" * (-len(body) % alignment + data)


# --- small whole models --------------------------------------------------------------------------

Field = tuple[int, Any]
"""Type and value; of an array, the type of its elements and a list."""

WIDTH, HEADS, SHARED, INNER, BLOCKS = 64, 4, 2, 96, 2
TOKENS = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz"]
TYPES = [2, 3, 3, *[6] * 256, *[1] * 27]


@dataclass(frozen=True)
class Small:
    """A whole model: `fields` by key, `tensors` by name with dimensions and the number of their type."""

    fields: dict[str, Field]
    tensors: dict[str, tuple[tuple[int, ...], int]]

    def but(self, **changes: Field | None) -> Small:
        """With other fields; `__` stands for a dot, None takes one out."""
        wanted = {key.replace("__", "."): value for key, value in changes.items()}
        kept = {key: value for key, value in {**self.fields, **wanted}.items() if value is not None}
        return replace(self, fields=kept)

    def with_type(self, name: str, kind: int) -> Small:
        sizes, _ = self.tensors[name]
        return replace(self, tensors={**self.tensors, name: (sizes, kind)})

    def without(self, name: str) -> Small:
        return replace(self, tensors={other: tensor for other, tensor in self.tensors.items() if other != name})

    def header(self) -> bytes:
        entries = [entry(key, *_encoded(*field)) for key, field in self.fields.items()]
        infos, offset = [], 0
        for name, (sizes, kind) in self.tensors.items():
            infos.append(tensor(name, sizes, kind, offset))
            offset += -(-bytes_of(sizes, kind) // 32) * 32
        return model(entries, infos)

    def write(self) -> bytes:
        weights = (_weights(_mean(name), sizes, kind) for name, (sizes, kind) in self.tensors.items())
        return self.header() + b"".join(weights)


def _mean(name: str) -> float:
    """Norms are around 1; a state that its decay lets grow would soon be no number."""
    return float("norm" in name) - 0.2 * name.endswith(".ssm_a")


@cache
def _weights(mean: float, sizes: tuple[int, ...], kind: int) -> bytes:
    """Numbers around a mean, and zeros in other types than F32; padded to 32 bytes."""
    count, rng = bytes_of(sizes, kind), random.Random(0)
    if kind:
        return bytes(count + -count % 32)
    values = (rng.gauss(mean, 0.1) for _ in range(count // 4))
    return struct.pack(f"<{count // 4}f", *values) + bytes(-count % 32)


SIZES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34), 9: (32, 36), 24: (1, 1), 26: (1, 4), 28: (1, 8), 30: (1, 2)}


def bytes_of(sizes: tuple[int, ...], kind: int) -> int:
    block, size = SIZES[kind]
    return -(-math.prod(sizes) // block) * size


def _encoded(kind: int, value: Any) -> tuple[int, bytes]:
    one = text if kind == STRING else lambda item: number(kind, item)
    if isinstance(value, list):
        return ARRAY, array(kind, len(value), b"".join(map(one, value)))
    return kind, one(value)


def small(architecture: str = "llama") -> Small:
    """A sound model of one of a few architectures."""
    tensors = {"token_embd.weight": ((WIDTH, len(TOKENS)), 0), "output_norm.weight": ((WIDTH,), 0)}
    blocks = {**_BLOCKS, **_ENCODING_BLOCKS}[architecture]
    for block in range(BLOCKS):
        for name, sizes in blocks(block).items():
            tensors[f"blk.{block}.{name}"] = (sizes, 0)
    if architecture in _ENCODERS:
        return _encoder(architecture, tensors)
    if architecture == "lfm2":
        tensors["token_embd_norm.weight"] = tensors.pop("output_norm.weight")
    named = architecture.removesuffix("-experts")
    own = {f"{named}.{key}": value for key, value in {**_COMMON, **_OWN.get(architecture, {})}.items()}
    kept = {key: value for key, value in own.items() if value is not None}
    return Small({"general.architecture": (STRING, named), **kept, **_TOKENIZER}, tensors)


EMBEDDING = "token_embd.weight"


def adapter(
    base: Small,
    names: Iterable[str] = ("blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.1.ffn_down.weight"),
    *,
    rank: int = 4,
    alpha: float = 8.0,
    kind: int = 0,
) -> Small:
    """A sound LoRA adapter of these matrices of a small model, as `convert_lora_to_gguf.py` lays one out."""
    tensors: dict[str, tuple[tuple[int, ...], int]] = {}
    for name in names:
        (inner, outer, *experts), _ = base.tensors[name]
        looked_up = name == EMBEDDING
        tensors[f"{name}.lora_a"] = ((rank, outer) if looked_up else (inner, rank, *experts), kind)
        tensors[f"{name}.lora_b"] = ((rank, inner) if looked_up else (rank, outer, *experts), kind)
    fields: dict[str, Field] = {
        "general.architecture": base.fields["general.architecture"],
        "general.type": (STRING, "adapter"),
        "general.name": (STRING, "small adapter"),
        "adapter.type": (STRING, "lora"),
        "adapter.lora.alpha": (F32, alpha),
    }
    return Small(fields, tensors)


_COMMON: dict[str, Field | None] = {
    "block_count": (U32, BLOCKS),
    "context_length": (U32, 512),
    "embedding_length": (U32, WIDTH),
    "feed_forward_length": (U32, INNER),
    "attention.head_count": (U32, HEADS),
    "attention.head_count_kv": (U32, SHARED),
    "attention.layer_norm_rms_epsilon": (F32, 1e-5),
    "rope.dimension_count": (U32, WIDTH // HEADS),
    "rope.freq_base": (F32, 10_000.0),
    "rope.scaling.type": (STRING, "linear"),
    "rope.scaling.factor": (F32, 1.0),
}
_OWN: dict[str, dict[str, Field | None]] = {
    "llama-experts": {
        "expert_count": (U32, 4),
        "expert_used_count": (U32, 2),
        "expert_group_count": (U32, 0),
        "expert_weights_scale": (F32, 1.0),
    },
    "qwen3": {"attention.key_length": (U32, 16), "attention.value_length": (U32, 16)},
    "gemma3": {
        "attention.key_length": (U32, 16),
        "attention.value_length": (U32, 16),
        "attention.sliding_window": (U32, 16),
        "final_logit_softcapping": (F32, 30.0),
    },
    "granite": {
        "logit_scale": (F32, 1.0),
        "residual_scale": (F32, 1.0),
        "embedding_scale": (F32, 1.0),
        "attention.scale": (F32, 0.25),
    },
    "lfm2": {"shortconv.l_cache": (U32, 3), "attention.head_count_kv": (U32, [0, SHARED])},
    "qwen35": {
        "attention.key_length": (U32, 16),
        "attention.value_length": (U32, 16),
        "full_attention_interval": (U32, 2),
        "rope.dimension_sections": (I32, [3, 3, 2, 0]),
        "ssm.conv_kernel": (U32, 4),
        "ssm.inner_size": (U32, 64),
        "ssm.state_size": (U32, 16),
        "ssm.time_step_rank": (U32, 4),
        "ssm.group_count": (U32, 2),
    },
    "mamba2": {
        "attention.head_count": None,
        "attention.head_count_kv": None,
        "ssm.conv_kernel": (U32, 4),
        "ssm.inner_size": (U32, 128),
        "ssm.state_size": (U32, 16),
        "ssm.time_step_rank": (U32, 8),
        "ssm.group_count": (U32, 2),
    },
}
_TOKENIZER: dict[str, Field] = {
    "tokenizer.ggml.model": (STRING, "llama"),
    "tokenizer.ggml.tokens": (STRING, TOKENS),
    "tokenizer.ggml.scores": (F32, [-float(i) for i in range(len(TOKENS))]),
    "tokenizer.ggml.token_type": (I32, TYPES),
    "tokenizer.ggml.bos_token_id": (U32, 1),
    "tokenizer.ggml.eos_token_id": (U32, 2),
    "tokenizer.ggml.unknown_token_id": (U32, 0),
    "tokenizer.ggml.add_bos_token": (BOOL, 1),
}

_MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*_MARKS, *(f"▁{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789,."), *TOKENS[-26:], "▁hello"]
_ENCODERS = {"bert": 1, "nomic-bert": 1}


def _encoder(architecture: str, tensors: dict[str, tuple[tuple[int, ...], int]]) -> Small:
    """A model that embeds: its header says how (1: the mean)."""
    del tensors["output_norm.weight"]
    tensors["token_embd.weight"] = ((WIDTH, len(PIECES)), 0)
    tensors["token_types.weight"] = ((WIDTH, 2), 0)
    for end in ("weight", "bias"):
        tensors[f"token_embd_norm.{end}"] = ((WIDTH,), 0)
    if architecture == "bert":
        tensors["position_embd.weight"] = ((WIDTH, 64), 0)
    names = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count")
    own: dict[str, Any] = {name: _COMMON[name] for name in names}
    own |= {
        "context_length": (U32, 64),
        "attention.layer_norm_epsilon": (F32, 1e-5),
        "attention.causal": (BOOL, 0),
        "pooling_type": (U32, _ENCODERS[architecture]),
    }
    ids = {"padding": 0, "unknown": 1, "bos": 2, "cls": 2, "seperator": 3, "mask": 4}
    tokenizer: dict[str, Field] = {
        "tokenizer.ggml.model": (STRING, "bert"),
        "tokenizer.ggml.pre": (STRING, "default"),
        "tokenizer.ggml.tokens": (STRING, PIECES),
        "tokenizer.ggml.token_type": (I32, [3] * 5 + [1] * (len(PIECES) - 5)),
        "tokenizer.ggml.token_type_count": (U32, 2),
        **{f"tokenizer.ggml.{name}_token_id": (U32, id) for name, id in ids.items()},
    }
    named = {f"{architecture}.{key}": value for key, value in own.items()}
    return Small({"general.architecture": (STRING, architecture), **named, **tokenizer}, tensors)


Sizes = dict[str, tuple[int, ...]]
_KV = SHARED * WIDTH // HEADS


def _attention(block: int) -> Sizes:
    return {
        "attn_norm.weight": (WIDTH,),
        "attn_q.weight": (WIDTH, WIDTH),
        "attn_k.weight": (WIDTH, _KV),
        "attn_v.weight": (WIDTH, _KV),
        "attn_output.weight": (WIDTH, WIDTH),
    }


def _feed(block: int) -> Sizes:
    return {
        "ffn_norm.weight": (WIDTH,),
        "ffn_gate.weight": (WIDTH, INNER),
        "ffn_down.weight": (INNER, WIDTH),
        "ffn_up.weight": (WIDTH, INNER),
    }


def _head_norms(block: int) -> Sizes:
    return {"attn_q_norm.weight": (16,), "attn_k_norm.weight": (16,)}


def _experts(block: int) -> Sizes:
    return {
        "ffn_norm.weight": (WIDTH,),
        "ffn_gate_inp.weight": (WIDTH, 4),
        "ffn_gate_exps.weight": (WIDTH, INNER, 4),
        "ffn_down_exps.weight": (INNER, WIDTH, 4),
        "ffn_up_exps.weight": (WIDTH, INNER, 4),
    }


def _fused(block: int) -> Sizes:
    return {
        "attn_norm.weight": (WIDTH,),
        "attn_qkv.weight": (WIDTH, WIDTH + 2 * _KV),
        "attn_output.weight": (WIDTH, WIDTH),
        "ffn_norm.weight": (WIDTH,),
        "ffn_down.weight": (INNER, WIDTH),
        "ffn_up.weight": (WIDTH, 2 * INNER),
    }


def _convolution(block: int) -> Sizes:
    if block:
        return {**_attention(block), **_head_norms(block), **_feed(block)}
    convolution = {"conv.weight": (3, WIDTH), "in_proj.weight": (WIDTH, 3 * WIDTH), "out_proj.weight": (WIDTH, WIDTH)}
    named: Sizes = {f"shortconv.{name}": sizes for name, sizes in convolution.items()}
    return {"attn_norm.weight": (WIDTH,), **named, **_feed(block)}


def _gated(block: int) -> Sizes:
    """A linear kind of attention with a state, or the full kind with a gate in its queries."""
    own: Sizes = {**_feed(block), "post_attention_norm.weight": (WIDTH,)}
    del own["ffn_norm.weight"]
    if block % 2:
        return {**own, **_attention(block), **_head_norms(block), "attn_q.weight": (WIDTH, 2 * WIDTH)}
    state, heads, groups, inner = 16, 4, 2, 64
    mixed = inner + 2 * groups * state
    return {
        **own,
        "attn_norm.weight": (WIDTH,),
        "attn_qkv.weight": (WIDTH, mixed),
        "attn_gate.weight": (WIDTH, inner),
        "ssm_conv1d.weight": (4, mixed),
        "ssm_dt.bias": (heads,),
        "ssm_a": (heads,),
        "ssm_beta.weight": (WIDTH, heads),
        "ssm_alpha.weight": (WIDTH, heads),
        "ssm_norm.weight": (state,),
        "ssm_out.weight": (inner, WIDTH),
    }


def _state(block: int) -> Sizes:
    inner, groups, state, heads = 128, 2, 16, 8
    mixed = inner + 2 * groups * state
    return {
        "attn_norm.weight": (WIDTH,),
        "ssm_in.weight": (WIDTH, inner + mixed + heads),
        "ssm_conv1d.weight": (4, mixed),
        "ssm_conv1d.bias": (mixed,),
        "ssm_dt.bias": (heads,),
        "ssm_a": (1, heads),
        "ssm_d": (1, heads),
        "ssm_norm.weight": (inner // groups, groups),
        "ssm_out.weight": (inner, WIDTH),
    }


def _both_ways(block: int) -> Sizes:
    matrices = {
        **{f"attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
        "ffn_up": (WIDTH, INNER),
        "ffn_down": (INNER, WIDTH),
    }
    norms = {
        f"{name}.{end}": (WIDTH,) for name in ("attn_output_norm", "layer_output_norm") for end in ("weight", "bias")
    }
    weights = {f"{name}.weight": sizes for name, sizes in matrices.items()}
    return {**weights, **norms, **{f"{name}.bias": sizes[1:] for name, sizes in matrices.items()}}


_ENCODING_BLOCKS = {
    "bert": _both_ways,
    "nomic-bert": lambda b: {
        **{name: sizes for name, sizes in _both_ways(b).items() if "norm" in name or name.endswith("weight")},
        "ffn_gate.weight": (WIDTH, INNER),
    },
}

_BLOCKS = {
    "llama": lambda b: {**_attention(b), **_feed(b)},
    "llama-experts": lambda b: {**_attention(b), **_experts(b)},
    "qwen2": lambda b: {
        **_attention(b),
        **_feed(b),
        "attn_q.bias": (WIDTH,),
        "attn_k.bias": (_KV,),
        "attn_v.bias": (_KV,),
    },
    "qwen3": lambda b: {**_attention(b), **_head_norms(b), **_feed(b)},
    "gemma3": lambda b: {
        **_attention(b),
        **_head_norms(b),
        **_feed(b),
        "post_attention_norm.weight": (WIDTH,),
        "post_ffw_norm.weight": (WIDTH,),
    },
    "granite": lambda b: {**_attention(b), **_feed(b)},
    "phi3": _fused,
    "lfm2": _convolution,
    "qwen35": _gated,
    "mamba2": _state,
}
SMALL_ARCHITECTURES = tuple(_BLOCKS)

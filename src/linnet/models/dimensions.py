"""Whether the widths and counts of a header go together as the engine takes for granted.

Most of what is refused here ends in a GGML_ASSERT, a division by zero or a read out of bounds otherwise
(`src/llama-model.cpp`, `src/llama-hparams.h` and `src/models/` of llama.cpp), some in an exception without a
place. Widths that a tensor repeats are left to `weights.py` and, in the end, to the engine, which compares them.
"""

from __future__ import annotations

from typing import TypeAlias

from linnet.limits import LIMITS
from linnet.models.architectures import (
    HYBRID,
    LATENT,
    STATE_SPACE,
    WHOLE_ROTARY,
    WITHOUT_HEADS,
    WITHOUT_POSITIONS,
)
from linnet.models.fields import Fields


def check(fields: Fields) -> None:
    """Faults of the architecture's own fields."""
    named = fields.prefixed
    for name in ("block_count", "context_length", "embedding_length"):
        fields.require(named(name))
    blocks = fields.integer(named("block_count"), 1, LIMITS.model_blocks)
    fields.integer(named("context_length"), 1)
    width = fields.integer(named("embedding_length"), 1)
    _check_whole(fields)
    _check_fractions(fields)
    if blocks is not None:
        _check_blocks(fields, blocks)
        _check_experts(fields, blocks)
        if width is not None:
            _check_heads(fields, blocks, width)
    _check_positions(fields)
    _check_states(fields)


# --- one by one ----------------------------------------------------------------------------------

_DIVISORS = (
    "attention.group_norm_groups", "attention.indexer.block_size", "attention.indexer.kpool",
    "attention.output_group_count", "attention.key_length_mla", "attention.value_length_mla",
    "experts_per_group", "full_attention_interval", "hyper_connection.count", "interleave_moe_layer_step",
    "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "ssm.time_step_rank", "token_shift_count",
    "vocab_size", "wkv.head_size",
)  # fmt: skip
"""What the engine divides by, or makes a tensor of, without asking."""

_ENUMERATIONS = {"expert_gating_func": 4, "pooling_type": 4, "nextn_predict_layers": LIMITS.model_blocks}
_LEAST = {"shortconv.l_cache": 2}


def _check_whole(fields: Fields) -> None:
    for name in _DIVISORS:
        fields.integer(fields.prefixed(name), 1)
    for name, least in _LEAST.items():
        fields.integer(fields.prefixed(name), least)
    for name, most in _ENUMERATIONS.items():
        fields.integer(fields.prefixed(name), 0, most)
    for key, field in fields.header.fields.items():
        if key.startswith(fields.prefixed("")) and field.kind == "u32":
            fields.integer(key)


def _check_fractions(fields: Fields) -> None:
    """All numbers of the architecture's are finite; epsilons are not negative, what is divided by is above zero."""
    for key, field in fields.header.fields.items():
        if not key.startswith(fields.prefixed("")) or field.kind != "f32":
            continue
        if key.endswith(("freq_base", "freq_base_swa", "logit_scale")):
            fields.number(key, above=0.0)
        elif key.endswith(("epsilon", "softcapping", "scaling.factor", "scale_linear")):
            fields.number(key, 0.0)
        else:
            fields.number(key)


# --- blocks and what is in them ------------------------------------------------------------------


def _check_blocks(fields: Fields, blocks: int) -> None:
    for name in ("leading_dense_block_count", "attention.shared_kv_layers", "nextn_predict_layers"):
        key = fields.prefixed(name)
        value = fields.header.integer(key)
        if value is not None and value >= blocks:
            fields.blame(key, f"{key} is {value}, with {blocks} blocks in all")
    key = fields.prefixed("attention.sliding_window_pattern")
    pattern = fields.per_block(key, blocks)
    period = fields.header.integer(key)
    if pattern and (period == 1 if period is not None else not any(pattern)):
        fields.blame(key, f"{key} leaves no block with a sliding window")


def _check_experts(fields: Fields, blocks: int) -> None:
    named = fields.prefixed
    experts = fields.integer(named("expert_count"), 0, LIMITS.model_experts) or 0
    used = fields.per_block(named("expert_used_count"), blocks, most=LIMITS.model_experts) or [0]
    most = max(used)
    if most > experts or (experts and not most):
        fields.blame(named("expert_used_count"), f"{most} of {experts} experts would be used")
    if min(used) != most and fields.header.architecture not in HYBRID:
        fields.blame(named("expert_used_count"), f"{min(used)} experts are used in one block and {most} in another")
    groups = fields.integer(named("expert_group_count"), 0, LIMITS.model_experts) or 0
    taken = fields.integer(named("expert_group_used_count"), 0, LIMITS.model_experts) or 0
    if groups and groups >= experts:
        fields.blame(named("expert_group_count"), f"{experts} experts in {groups} groups")
    elif groups > 1 and (experts % groups or not 0 < taken < groups):
        fields.blame(named("expert_group_count"), f"{experts} experts in {groups} groups, of which {taken} are used")


def _check_heads(fields: Fields, blocks: int, width: int) -> None:
    named, architecture = fields.prefixed, fields.header.architecture
    heads = fields.per_block(named("attention.head_count"), blocks, most=width)
    if heads is None:
        if architecture not in WITHOUT_HEADS and fields.kind(named("attention.head_count")) is None:
            fields.require(named("attention.head_count"))
        return
    if not any(heads):
        if architecture not in WITHOUT_HEADS:
            fields.blame(named("attention.head_count"), "no block has a head")
        return
    shared = fields.per_block(named("attention.head_count_kv"), blocks, most=width)
    _check_shared_heads(fields, heads, heads if shared is None else shared)
    if not heads[0]:
        return
    if width % heads[0] and fields.kind(named("attention.key_length")) is None:
        fields.blame(
            named("attention.head_count"), f"a width of {width} is not shared out evenly by {heads[0]} heads"
        )
    whole = _check_lengths(fields, "", (width // heads[0], width // heads[0], None))
    if any(fields.kind(named(f"{name}_swa")) for name in _LENGTHS):
        _check_lengths(fields, "_swa", whole)


def _check_shared_heads(fields: Fields, heads: list[int], shared: list[int]) -> None:
    """The heads of a block share fewer heads of keys, evenly; only hybrids may have blocks without any."""
    for block, (count, kv) in enumerate(zip(heads, shared, strict=True)):
        if not (count and kv) and fields.header.architecture in HYBRID:
            continue
        if not kv or count % kv or not count:
            what = f"block {block} shares {kv} heads of keys among {count} heads"
            fields.blame(fields.prefixed("attention.head_count_kv"), what)
            return


_LENGTHS = ("attention.key_length", "attention.value_length", "rope.dimension_count")
_Lengths: TypeAlias = "tuple[int, int, int | None]"


def _check_lengths(fields: Fields, suffix: str, default: _Lengths) -> _Lengths:
    """Of keys, values and the part of a head that positions turn; `_swa` in blocks with a sliding window."""
    names = [fields.prefixed(name + suffix) for name in _LENGTHS]
    found = [fields.integer(name, int(i < 2)) for i, name in enumerate(names)]
    key, value, turned = (own if own is not None else other for own, other in zip(found, default, strict=True))
    assert key is not None and value is not None  # so are their defaults
    turned = key if turned is None else turned
    if fields.header.architecture not in LATENT and key != value:
        fields.blame(names[1], f"keys are {key} long, values {value}")
    if fields.header.architecture in WHOLE_ROTARY and not suffix and turned != key:
        fields.blame(names[2], f"{names[2]} is {turned}, heads are {key} long")
    elif turned % 2 or turned > key or not (turned or fields.header.architecture in WITHOUT_POSITIONS):
        fields.blame(names[2], f"{names[2]} is {turned}, not an even number of up to {key}")
    return key, value, turned


# --- positions and states ------------------------------------------------------------------------

_SCALINGS = ("none", "linear", "yarn", "longrope")


def _check_positions(fields: Fields) -> None:
    named = fields.prefixed
    fields.text(named("rope.scaling.type"), _SCALINGS)
    key = named("rope.dimension_sections")
    sections = fields.numbers(key, "u32", "i32")
    if sections is None:
        return
    turned = fields.header.integer(named("rope.dimension_count")) or LIMITS.model_size
    if len(sections) not in (3, 4) or min(sections) < 0 or not 0 < sum(sections) <= turned:
        shown = list(sections[:5])
        fields.blame(key, f"{key} is {shown}, not 4 parts of at most {turned} together")


def _check_states(fields: Fields) -> None:
    named, architecture = fields.prefixed, fields.header.architecture
    if architecture == "lfm2moe":
        fields.require(named("expert_count"))
    latent, turned = (
        fields.header.integer(named(name)) for name in ("attention.key_length_mla", "rope.dimension_count")
    )
    if latent and turned and turned >= latent:
        fields.blame(
            named("rope.dimension_count"), f"positions turn {turned} of {latent} elements of a key, not fewer"
        )
    if architecture not in STATE_SPACE:
        return
    for name in ("ssm.inner_size", "ssm.time_step_rank", "ssm.state_size", "ssm.conv_kernel"):
        fields.require(named(name))
    inner = fields.header.integer(named("ssm.inner_size"))
    for name in ("ssm.time_step_rank", "ssm.group_count"):
        parts = fields.header.integer(named(name))
        if inner and parts and inner % parts:
            fields.blame(named(name), f"an inner width of {inner} is not shared out evenly by {parts}")
    width = fields.header.integer(named("embedding_length"))
    if architecture == "granitehybrid" and inner and width and inner != 2 * width:
        fields.blame(named("ssm.inner_size"), f"an inner width of {inner} is not twice {width}")

"""A model's GGUF file as tensors that can be trained on, and the way back of what was learned.

Hides how a Llama is laid out in the file: the names of its matrices, the order of rows in those of queries and keys,
and their encoding. llama.cpp turns neighbouring elements of a head where the usual implementation turns elements
half a head apart, so converters move the rows of `attn_q` and `attn_k`: rows of a head come in pairs (0, half), (1,
half + 1), ... Whatever is multiplied into these rows is moved back here, and moved again on its way out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.errors import KindUnsupported
from linnet.models.gguf import Header

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MATRICES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Of each block, the matrices that an adapter may change: the file's name -> that of `transformers`."""

_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
_TURNED = ("attn_q", "attn_k")


@dataclass(frozen=True)
class Shape:
    """A Llama in numbers; `tied` where the output is the embedding too."""

    blocks: int
    width: int
    inner: int
    heads: int
    shared: int
    vocabulary: int
    context: int
    theta: float
    epsilon: float
    tied: bool

    def heads_of(self, matrix: str) -> int:
        """Heads of whose rows `attn_q` or `attn_k` consists."""
        return self.heads if matrix == "attn_q" else self.shared

    @property
    def parameters(self) -> int:
        """Of the matrices that every token is multiplied by, the output included."""
        head = self.width // self.heads
        attention = 2 * self.width * self.width + 2 * self.width * head * self.shared
        return self.blocks * (attention + 3 * self.width * self.inner) + self.width * self.vocabulary


def shape_of(header: Header) -> Shape:
    """Raises KindUnsupported for a file that is no plain Llama: others are laid out in ways of their own."""
    if header.architecture != "llama":
        raise _unsupported(f"its architecture is {header.architecture!r}, and only 'llama' can be trained")
    named = {tensor.name: tensor for tensor in header.tensors}
    if odd := sorted(set(named) - _known(header)):
        raise _unsupported(f"it has tensors that a plain Llama has not, such as {odd[0]!r}")

    def number(key: str, default: float | None = None) -> float:
        value = header.metadata.get(f"llama.{key}", default)
        if not isinstance(value, int | float):
            raise _unsupported(f"its header does not say llama.{key}")
        return value

    if header.metadata.get("llama.rope.scaling.type", "none") != "none" and number("rope.scaling.factor", 1.0) != 1.0:
        raise _unsupported("it stretches positions (rope scaling)")
    heads = int(number("attention.head_count"))
    return Shape(
        blocks=int(number("block_count")),
        width=int(number("embedding_length")),
        inner=int(number("feed_forward_length")),
        heads=heads,
        shared=int(number("attention.head_count_kv", heads)),
        vocabulary=named["token_embd.weight"].dimensions[1],
        context=int(number("context_length")),
        theta=float(number("rope.freq_base", 10_000.0)),
        epsilon=float(number("attention.layer_norm_rms_epsilon")),
        tied="output.weight" not in named,
    )


def _known(header: Header) -> set[str]:
    blocks = header.metadata.get("llama.block_count")
    count = blocks if isinstance(blocks, int) else 0
    parts = (*MATRICES, *_NORMS)
    inside = {f"blk.{block}.{part}.weight" for block in range(count) for part in parts}
    return inside | {"token_embd.weight", "output_norm.weight", "output.weight"}


def _unsupported(why: str) -> KindUnsupported:
    return KindUnsupported(f"this model cannot be trained here: {why}", hint="Train the default model.")


# --- rows of queries and keys --------------------------------------------------------------------


def unturned(rows: Floats, heads: int) -> Floats:
    """Rows of `attn_q` or `attn_k` as the file has them -> as `transformers` has them."""
    count = len(rows)
    moved = rows.reshape(heads, count // heads // 2, 2, -1).swapaxes(1, 2)
    return moved.reshape(rows.shape)


def turned(rows: Floats, heads: int) -> Floats:
    """The way back."""
    count = len(rows)
    moved = rows.reshape(heads, 2, count // heads // 2, -1).swapaxes(1, 2)
    return moved.reshape(rows.shape)


def is_turned(matrix: str) -> bool:
    return matrix in _TURNED


# --- the model -----------------------------------------------------------------------------------


def tensors(path: Path, shape: Shape) -> Iterator[tuple[str, Floats]]:
    """`(name in transformers, weights)` of every tensor, one at a time, as numbers of 32 bits."""
    import numpy as np
    from gguf import GGUFReader, dequantize

    for tensor in GGUFReader(str(path)).tensors:
        found = np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        part = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
        if part in _TURNED:
            found = unturned(found, shape.heads_of(part))
        yield theirs(tensor.name), found


def theirs(name: str) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    outside = {"token_embd.weight": "embed_tokens", "output_norm.weight": "norm"}
    if name == "output.weight":
        return "lm_head.weight"
    if name in outside:
        return f"model.{outside[name]}.weight"
    _, block, part, _ = name.split(".")
    return f"model.layers.{block}.{(MATRICES | _NORMS)[part]}.weight"


def model(path: Path, shape: Shape, kind: Any) -> Any:
    """The file as a `transformers.LlamaForCausalLM` whose numbers are of the torch type `kind`."""
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.blocks,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.shared,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.epsilon,
        rope_theta=shape.theta,
        rope_parameters={"rope_type": "default", "rope_theta": shape.theta},
        tie_word_embeddings=shape.tied,
        attn_implementation="sdpa",
        use_cache=False,
    )
    with torch.device("meta"):
        made = LlamaForCausalLM(config)
    made.to_empty(device="cpu").to(kind)
    own = dict(made.named_parameters())
    with torch.no_grad():
        for name, values in tensors(path, shape):
            own[name].copy_(torch.from_numpy(np.array(values)))
        if shape.tied:
            made.tie_weights()
        _restore_angles(made, config)
    return made.eval()


def _restore_angles(made: Any, config: Any) -> None:
    """The angles of positions are no weights: a model made without memory has none until they are worked out."""
    made.model.rotary_emb = type(made.model.rotary_emb)(config)

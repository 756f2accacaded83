"""Rows of queries and keys, names, and which files can be trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from linnet.errors import KindUnsupported
from linnet.evals.training import weights
from linnet.models.gguf import open_model
from linnet.models.integrity import checked_header


def test_neighbours_in_the_file_are_half_a_head_apart() -> None:
    rows = np.arange(16, dtype=np.float32).reshape(8, 2)
    moved = weights.unturned(rows, 2)
    assert moved[:, 0].tolist() == [0, 4, 2, 6, 8, 12, 10, 14], "two heads of four rows"
    assert np.array_equal(weights.turned(moved, 2), rows)


def test_names() -> None:
    assert weights.theirs("blk.3.attn_q.weight") == "model.layers.3.self_attn.q_proj.weight"
    assert weights.theirs("blk.0.ffn_norm.weight") == "model.layers.0.post_attention_layernorm.weight"
    assert weights.theirs("token_embd.weight") == "model.embed_tokens.weight"


def test_the_shape_of_the_default_model(model_path: Path) -> None:
    with open_model(model_path) as file:
        header = checked_header(file)
    shape = weights.shape_of(header)
    assert (shape.blocks, shape.width, shape.heads, shape.shared, shape.tied) == (30, 576, 9, 3, True)
    assert shape.theta == 100_000.0 and shape.parameters == 134_479_872
    with pytest.raises(KindUnsupported, match="qwen2"):
        weights.shape_of(replace(header, architecture="qwen2"))
    stretched = {**header.metadata, "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    with pytest.raises(KindUnsupported, match="positions"):
        weights.shape_of(replace(header, metadata=stretched))

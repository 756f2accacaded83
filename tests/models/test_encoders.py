"""Files of encoders: what passes, what is refused, and how their vectors are made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the folders of tests are no packages
from gguf_writer import BOOL, U32, Small, small

from linnet.models import embedding
from linnet.models.gguf import open_model
from linnet.models.integrity import checked_header, examine
from linnet.vectors import Pooling

ENCODERS = ("bert", "nomic-bert")


def written(path: Path, model: Small) -> Path:
    path.write_bytes(model.write())
    return path


@pytest.mark.parametrize("architecture", ENCODERS)
def test_an_encoder_is_sound_and_says_how_it_pools(tmp_path: Path, architecture: str) -> None:
    with open_model(written(tmp_path / "a.gguf", small(architecture))) as file:
        header = checked_header(file)
    assert embedding.pooling_of(header, None) == Pooling("mean", 64, 64, whole=True, only=True)


@pytest.mark.parametrize(("number", "how"), [(1, "mean"), (2, "cls"), (3, "last")])
def test_the_header_says_how_states_are_pooled(tmp_path: Path, number: int, how: str) -> None:
    model = small("bert").but(bert__pooling_type=(U32, number))
    with open_model(written(tmp_path / "a.gguf", model)) as file:
        pooling = embedding.pooling_of(checked_header(file), None)
    assert pooling and pooling.how == how


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bert__pooling_type": (U32, 4)}, "bert.pooling_type"),
        ({"bert__pooling_type": (U32, 0)}, "bert.pooling_type"),
        ({"bert__pooling_type": None}, "bert.pooling_type"),
        ({"bert__attention__causal": (BOOL, 1)}, "bert.attention.causal"),
        ({"bert__context_length": (U32, 65)}, "tensors"),
        ({"tokenizer__ggml__token_type_count": None}, "tokenizer.ggml.token_type_count"),
        ({"tokenizer__ggml__bos_token_id": None}, "tokenizer.ggml.bos_token_id"),
        ({"tokenizer__ggml__seperator_token_id": (U32, 4_000)}, "tokenizer.ggml.seperator_token_id"),
        ({"bert__attention__layer_norm_epsilon": None}, "bert.attention.layer_norm_epsilon"),
    ],
)
def test_what_the_engine_would_stumble_over_is_refused(tmp_path: Path, change: Any, named: str) -> None:
    with open_model(written(tmp_path / "a.gguf", small("bert").but(**change))) as file:
        faults = examine(file).faults
    assert [fault.key for fault in faults] == [named]


def test_a_table_of_positions_is_asked_for(tmp_path: Path) -> None:
    with open_model(written(tmp_path / "a.gguf", small("bert").without("position_embd.weight"))) as file:
        assert not examine(file).sound


def test_a_model_that_answers_embeds_if_its_header_says_how_or_it_is_known(tmp_path: Path) -> None:
    made = small("qwen3").but(qwen3__pooling_type=(U32, 3))
    with open_model(written(tmp_path / "a.gguf", made)) as file:
        assert embedding.pooling_of(checked_header(file), None) == Pooling("last", 64, 512)
    with open_model(written(tmp_path / "b.gguf", small("qwen3"))) as file:
        assert embedding.pooling_of(checked_header(file), "0" * 64) is None
    with open_model(written(tmp_path / "c.gguf", small("mamba2").but(mamba2__pooling_type=(U32, 1)))) as file:
        assert embedding.pooling_of(checked_header(file), None) is None

"""Vectors of texts through a worker: of made-up encoders, held against NumPy, and of the real default model."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from linnet.errors import Cancelled, EmptyRequest, KindUnsupported, RequestTooLarge
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Embed, Generate, Score, complete, complete_all
from linnet.runtime.local import LocalModel, open_local
from linnet.vectors import Vectors

sys.path.append(str(Path(__file__).parents[1] / "models"))

from gguf_writer import BLOCKS, HEADS, PIECES, U32, WIDTH, Small, small


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Small], LocalModel]]:
    """A made-up model, open; closed at the end."""
    made: list[LocalModel] = []

    def open_small(model: Small) -> LocalModel:
        path = tmp_path_factory.mktemp("embedding") / "small.gguf"
        path.write_bytes(model.write())
        made.append(open_local(str(path), threads=1, context=128))
        return made[-1]

    yield open_small
    for model in made:
        model.close()


@pytest.fixture(scope="module")
def bert(opened: Any) -> LocalModel:
    model: LocalModel = opened(small("bert"))
    return model


@pytest.fixture(scope="module")
def default() -> Iterator[LocalModel]:
    model = open_local("default", threads=1, context=512)
    yield model
    model.close()


def vectors(model: LocalModel, *texts: str) -> Any:
    found = complete(model, Embed(texts)).vectors
    assert found is not None and len(found) == len(texts)
    return found.array()


# --- an encoder ----------------------------------------------------------------------------------


def numbers(model: Small) -> dict[str, Any]:
    """Its tensors, as rows of outputs."""
    body, at, found = model.write(), len(model.header()), {}
    for name, (sizes, _) in model.tensors.items():
        count = math.prod(sizes)
        found[name] = np.array(struct.unpack_from(f"<{count}f", body, at)).reshape(sizes[::-1])
        at += -(-4 * count // 32) * 32
    return found


def reference(model: Small, ids: list[int]) -> Any:
    """The mean of BERT's last states (Devlin et al. 2018; GELU by tanh), of length 1."""
    of = numbers(model)

    def norm(x: Any, name: str) -> Any:
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * of[f"{name}.weight"] + of[f"{name}.bias"]

    def linear(x: Any, name: str) -> Any:
        return x @ of[f"{name}.weight"].T + of[f"{name}.bias"]

    x = of["token_embd.weight"][ids] + of["token_types.weight"][0] + of["position_embd.weight"][: len(ids)]
    x = norm(x, "token_embd_norm")
    for block in range(BLOCKS):
        b = f"blk.{block}"
        q, k, v = (
            linear(x, f"{b}.attn_{n}").reshape(len(ids), HEADS, -1).transpose(1, 0, 2) for n in ("q", "k", "v")
        )
        weights = np.exp(q @ k.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS))
        seen = (weights / weights.sum(-1, keepdims=True)) @ v
        x = norm(
            x + linear(seen.transpose(1, 0, 2).reshape(len(ids), WIDTH), f"{b}.attn_output"), f"{b}.attn_output_norm"
        )
        up = linear(x, f"{b}.ffn_up")
        up = 0.5 * up * (1 + np.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)))
        x = norm(x + linear(up, f"{b}.ffn_down"), f"{b}.layer_output_norm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_an_encoder_computes_what_its_file_says(bert: LocalModel) -> None:
    ids = [PIECES.index(piece) for piece in ("[CLS]", "▁hello", "▁a", "b", "c", "[UNK]", "[SEP]")]
    (vector,) = vectors(bert, "hello abc ?")
    assert vector.shape == (WIDTH,)
    assert np.abs(vector - reference(small("bert"), ids)).max() < 2e-3


def test_what_an_encoder_can_do(bert: LocalModel) -> None:
    can = bert.capabilities
    assert can.embeds and (can.embeds.width, can.embeds.trained) == (WIDTH, True)
    assert not (can.answers or can.scores or can.constraints)
    for request in (Generate((Message("user", "hello"),)), Score((Message("user", "hello"),), ("a", "b"))):
        with pytest.raises(KindUnsupported):
            complete(bert, request)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_texts_are_read_together_as_alone(opened: Any, number: int) -> None:
    model = opened(small("bert").but(bert__pooling_type=(U32, number)))
    texts = [f"hello {'abc ' * n}{n}" for n in range(12)]
    together = vectors(model, *texts)
    alone = np.concatenate([vectors(model, text) for text in texts])
    assert np.abs(together - alone).max() < 1e-3
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3, "texts differ, and so do their vectors"


def test_a_text_beyond_the_window_is_read_in_parts_and_told(bert: LocalModel) -> None:
    done = complete(bert, Embed(("hello " * 62, "hello " * 63)))
    assert done.degraded == ("text 2 was read in 2 parts",)


def test_nomic_bert_is_read_as_well(opened: Any) -> None:
    one, other, same = vectors(opened(small("nomic-bert")), "hello abc", "xyz", "hello abc")
    assert one @ same == pytest.approx(1, abs=1e-5) and one @ other < 0.999


def test_the_last_states_of_a_model_that_could_answer(opened: Any) -> None:
    model = opened(small("qwen3").but(qwen3__pooling_type=(U32, 3)))
    texts = ("hello", "abc " * 40, "xyz")  # longer than what is read in one step
    assert np.abs(vectors(model, *texts) - np.concatenate([vectors(model, text) for text in texts])).max() < 2e-3
    assert complete(model, Generate((Message("user", "a"),), max_tokens=2)).usage.generated_tokens > 0


# --- the default model ---------------------------------------------------------------------------


def test_the_default_model_knows_likeness_and_says_that_it_was_not_made_for_it(default: LocalModel) -> None:
    can = default.capabilities.embeds
    assert can and can.width == 576 and not can.trained
    asked, like, other = vectors(
        default, "how do i open a bank account", "open an account at the bank", "it rains in oslo"
    )
    assert asked @ like > asked @ other + 0.2


def test_company_changes_nothing(default: LocalModel) -> None:
    texts = ("when do you open", "a table for four", "word " * 700, "x")
    together = vectors(default, *texts)
    alone = np.concatenate([vectors(default, text) for text in texts])
    assert np.abs(together - alone).max() < 5e-3
    assert complete(default, Embed(texts)).degraded == ("text 3 was read in 2 parts",)


def test_answers_go_on_while_texts_are_read(default: LocalModel) -> None:
    question = Generate((Message("user", "What is the capital of France?"),), max_tokens=8)
    alone = complete(default, question).text
    done, read = complete_all(default, [question, Embed(tuple(f"text number {n}" for n in range(64)))])
    assert done.text == alone and read.vectors is not None and len(read.vectors) == 64


def test_one_that_is_dropped_ends(default: LocalModel) -> None:
    stream: Any = default.stream(Embed(tuple(f"text {n} " * 60 for n in range(64))))
    stream.close()
    with pytest.raises((Cancelled, StopIteration)):
        next(stream)
    assert len(vectors(default, "and it goes on")) == 1


# --- bounds --------------------------------------------------------------------------------------


def test_a_request_has_bounds(bert: LocalModel) -> None:
    for texts in ((), ("",), ("a",) * (LIMITS.embedded_texts + 1)):
        with pytest.raises(ValidationError):
            Embed(texts)
    with pytest.raises(RequestTooLarge):
        bert.stream(Embed(("a" * (LIMITS.request_bytes + 1),)))
    with pytest.raises(EmptyRequest):
        complete(bert, Embed(("   ",)))


def test_vectors_are_whole_rows() -> None:
    assert Vectors(2, struct.pack("<4f", 1, 0, 0, 1)).array().tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValidationError):
        Vectors(3, bytes(8))
    with pytest.raises(ValidationError):
        Vectors(LIMITS.vector_width + 1, bytes(4 * (LIMITS.vector_width + 1)))


def test_a_model_of_unknown_states_does_not_embed(opened: Any) -> None:
    model = opened(small("llama"))
    assert model.capabilities.embeds is None
    with pytest.raises(KindUnsupported):
        model.stream(Embed(("a",)))

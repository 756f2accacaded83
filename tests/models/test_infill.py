"""Which tokens ask a model to fill a gap: by the file's own fields, else by the spellings that are in use."""

from __future__ import annotations

import pytest

from linnet.models import gguf, store
from linnet.models.family import detect
from linnet.models.infill import KNOWN
from linnet.requests import Infill

QWEN, GRANITE = KNOWN[0], KNOWN[1]


def header(tokens: list[str], kinds: list[int] | None = None, **ids: int) -> gguf.Header:
    fields = {"general.architecture": "llama", "tokenizer.ggml.tokens": tokens}
    fields |= {"tokenizer.ggml.token_type": kinds} if kinds else {}
    fields |= {f"tokenizer.ggml.{name}_token_id": index for name, index in ids.items()}
    return gguf.Header(3, "llama", fields, (), 32, 0, 0)


def test_fields_come_first() -> None:
    tokens = ["a", "<p>", "<s>", "<m>", *(QWEN.prefix, QWEN.suffix, QWEN.middle)]
    assert detect(header(tokens, fim_pre=1, fim_suf=2, fim_mid=3)).infill == Infill("<p>", "<s>", "<m>")
    assert detect(header(tokens, prefix=1, suffix=2, middle=3)).infill == Infill("<p>", "<s>", "<m>")
    assert detect(header(tokens, fim_pre=1, fim_suf=2)).infill == QWEN
    assert detect(header(tokens, fim_pre=1, fim_suf=2, fim_mid=99)).infill == QWEN


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.prefix)
def test_spellings(known: Infill) -> None:
    assert detect(header(["a", known.middle, known.suffix, known.prefix])).infill == known


def test_plain_text_that_looks_like_them_does_not_count() -> None:
    tokens = [GRANITE.prefix, GRANITE.suffix, GRANITE.middle]
    assert detect(header(tokens, [3, 3, 3])).infill == GRANITE
    assert detect(header(tokens, [3, 1, 3])).infill is None
    assert detect(header(tokens[:2])).infill is None


def test_the_default_model_has_none() -> None:
    with gguf.open_model(store.locate("default").path) as file:
        assert detect(gguf.read_header(file.fileno())).infill is None

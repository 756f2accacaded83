"""The semantic cache over an embedding that is plain to see, and an embedding that remembers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet.agent.cache import Cache
from linnet.agent.semantic import Embedded, Semantic, embedding_cache
from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Capabilities, Choice, Done, Event, Generate, Request, complete


class Numbered:
    capabilities = Capabilities("numbered", 100)

    def __init__(self) -> None:
        self.heard: list[Request] = []

    def answers_as(self) -> str:
        return "weights"

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        yield Done(str(len(self.heard)))


def letters(texts: Sequence[str]) -> Any:
    """How often each letter stands in a text."""
    return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], np.float32)


def ask(text: str, **more: Any) -> Generate:
    return Generate((Message("system", "Be kind.", trusted=True), Message("user", text)), **more)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache.db") as cache:
        yield cache


def test_what_is_near_is_the_same_and_told(cache: Cache) -> None:
    model = Semantic(Numbered(), letters, cache, threshold=0.95)
    assert complete(model, ask("who wrote faust")).text == "1"
    near = complete(model, ask("who wrote faust then"))
    assert (near.text, near.cached[:10]) == ("2", "")
    near = complete(model, ask("faust who wrote"))
    assert (near.text, near.cached) == ("1", "semantic, 1.000 like 'who wrote faust'")
    assert complete(model, ask("who wrote faust")).cached == "exact"


def test_all_else_must_be_the_same(cache: Cache) -> None:
    inner = Numbered()
    model = Semantic(inner, letters, cache, threshold=0.5)
    complete(model, ask("abc"))
    for other in (ask("abc", max_tokens=3), ask("abc", answer_start="A"), ask("abc", constraint=Choice(("a",)))):
        assert complete(model, other).cached == ""
    other = Semantic(inner, letters, cache, threshold=0.5, name="another embedding")
    assert complete(other, ask("abc")).cached == ""


def test_no_direction_is_near_nothing(cache: Cache) -> None:
    model = Semantic(Numbered(), letters, cache, threshold=0.1)
    assert [complete(model, ask("123")).text for _ in range(2)] == ["1", "2"]


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_a_threshold_that_cannot_be(cache: Cache, threshold: float) -> None:
    with pytest.raises(SettingsInvalid, match="the threshold is"):
        Semantic(Numbered(), letters, cache, threshold=threshold)


def test_a_text_is_embedded_once(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def embed(texts: Sequence[str]) -> Any:
        seen.append(list(texts))
        return letters(texts) / 7

    with embedding_cache(path=tmp_path / "e.db", most_entries=3) as cache:
        embedded = Embedded(embed, cache, name="letters")
        assert np.array_equal(embedded(["a", "b", "a"]), letters(["a", "b", "a"]) / 7)
        assert np.array_equal(embedded(["b", "c"]), letters(["b", "c"]) / 7)
        assert np.array_equal(Embedded(embed, cache, name="other")(["a"]), letters(["a"]) / 7)
        assert seen == [["a", "b"], ["c"], ["a"]]
        cache.close()
        assert embedded(["a"]).shape == (1, 26)


def test_ten_thousand_embeddings() -> None:
    with embedding_cache() as cache:
        assert cache._most_entries == LIMITS.embeddings_kept == 10_000

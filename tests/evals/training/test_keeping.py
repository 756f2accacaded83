"""Plain text in a model's own words: drawn once, kept, and cut into what is held to and what is looked at."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import pytest

from linnet.evals.training import keeping
from linnet.requests import Capabilities, Done, Event, Generate, Request


class Chatty:
    """Goes on with any text, and counts how often it was asked."""

    capabilities = Capabilities("chatty", 100)

    def __init__(self) -> None:
        self.asked: list[Generate] = []

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Generate)
        self.asked.append(request)
        yield Done(text=f" number {request.sampling.seed} goes on and on.")


def test_drawn_once_and_kept(tmp_path: Path) -> None:
    model, shares = Chatty(), []
    path = tmp_path / "plain.json"
    texts = keeping.own_words(model, path, 3, shares.append)
    assert len(texts) == len(set(texts)) == keeping.TEXTS and shares[-1] == 1.0
    assert {text.split(" number")[0] for text in texts} == set(keeping.OPENINGS)
    assert all(asked.sampling.temperature == 1.0 for asked in model.asked)
    assert keeping.own_words(model, path, 3) == texts and len(model.asked) == keeping.TEXTS


@pytest.mark.parametrize("body", ["", "[]", "[1, 2]", "{}"])
def test_what_is_no_list_of_texts_is_drawn_anew(tmp_path: Path, body: str) -> None:
    path = tmp_path / "plain.json"
    path.write_text(body)
    texts = keeping.own_words(Chatty(), path, 0)
    assert len(texts) == keeping.TEXTS and json.loads(path.read_text()) == texts


def test_what_is_looked_at_is_never_held_to(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="the extra linnet[train] is not installed: tokenizers")
    import tiny

    from linnet.evals.training.tokens import Tokens
    from linnet.models.gguf import open_model
    from linnet.models.integrity import checked_header

    with open_model(tiny.write(tmp_path / "tiny.gguf")) as file:
        tokens = Tokens(checked_header(file))
    texts = [f"Text {number} stands here." for number in range(24)] + ["", "One"]
    held, looked = keeping.packed(texts, tokens, 100)
    said = [{lesson.text for pack in packs for lesson, _ in pack.lessons} for packs in (held, looked)]
    assert said[1] == {f" {number} stands here." for number in (0, 8, 16)}
    assert len(said[0]) == 21 and not said[0] & said[1]

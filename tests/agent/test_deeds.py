"""Which sentences claim a deed: the sentences with marks, with floors below what was measured when they were new."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.deeds import claims

FOLDER = Path(__file__).parent


@pytest.mark.parametrize(
    ("file", "precision", "recall"),
    [("claims.jsonl", 1.0, 1.0), ("claims_unseen.jsonl", 0.95, 0.8), ("claims_last.jsonl", 0.84, 0.66)],
)
def test_how_often_it_is_right(file: str, precision: float, recall: float) -> None:
    """`claims.jsonl` was written with the rules and `claims_unseen.jsonl` mended them; the last is the honest one."""
    rows = [json.loads(line) for line in (FOLDER / file).read_text(encoding="utf-8").splitlines()]
    said = [bool(claims(row["text"])) for row in rows]
    true = sum(found and row["deed"] is not None for found, row in zip(said, rows, strict=True))
    assert true / sum(said) >= precision
    assert true / sum(row["deed"] is not None for row in rows) >= recall


def test_which_deed_it_is() -> None:
    (claim,) = claims("Here you are. I have sent the e-mail to Tom. Is that all?")
    assert (claim.sentence, claim.deed) == ("I have sent the e-mail to Tom.", "send")


def test_each_sentence_is_looked_at_by_itself() -> None:
    text = "I've saved the file.\n- Your alarm is set for 7.30 am.\nIf I have sent it, say so."
    assert [claim.deed for claim in claims(text)] == ["save", "arrange"]


@pytest.mark.parametrize("text", ["```\nI have saved the file.\n", '"I have saved the file."', "> File saved.", ""])
def test_code_and_quotations_claim_nothing(text: str) -> None:
    assert claims(text) == ()


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    claims(text)


@pytest.mark.parametrize("text", ["I have " * 20_000, "a " * 60_000, '"' * 60_000, "." * 60_000, "your " * 20_000])
def test_long_texts_take_no_long_time(text: str) -> None:
    """Within pytest's own time: a rule that is quadratic in the text would take minutes."""
    claims(text)

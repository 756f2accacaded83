"""What is told of how likely tokens were is what the logits say, with a constraint and without, and across deaths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import RequestError
from linnet.protocol import Submit
from linnet.requests import Choice, Generate, Sampling, Score, Segment, Spell
from linnet.script import Die, Say
from linnet.worker.intake import Intake
from linnet.worker.odds import odds


class Bytes:
    """A vocabulary of which a token is its byte, and 0 a control token."""

    class vocabulary:  # noqa: N801
        control_ids = frozenset({0})

    @staticmethod
    def piece(token: int) -> bytes:
        return bytes([token])


WORDS: Any = Bytes()


@given(st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=40), st.integers(0, 20), st.data())
def test_odds_are_the_softmax_over_what_is_allowed(given: list[float], most: int, data: Any) -> None:
    logits = np.array(given, np.float32)
    allowed = np.array(sorted(data.draw(st.sets(st.integers(0, len(given) - 1), min_size=1))), np.intp)
    token = int(data.draw(st.sampled_from(list(allowed))))
    told = odds(WORDS, logits, token, most, allowed)
    exact = logits[allowed].astype(np.float64)
    exact -= np.log(np.exp(exact - exact.max()).sum()) + exact.max()
    by_id = dict(zip(map(int, allowed), exact, strict=True))
    assert told.logprob == pytest.approx(by_id[token], abs=1e-4) and told.logprob <= 0
    ranked = sorted(by_id, key=lambda one: (-logits[one], one))[:most]
    assert [one.id for one, _ in told.likeliest] == ranked or len(set(given)) < len(given)
    assert len(told.likeliest) == min(most, len(allowed))
    assert [chance for _, chance in told.likeliest] == sorted((chance for _, chance in told.likeliest), reverse=True)


def test_what_cannot_come_is_told_as_a_number() -> None:
    told = odds(WORDS, np.array([0.0, -np.inf], np.float32), 1, 2)
    assert told.logprob == -9999.0 and told.likeliest[0][1] == pytest.approx(0.0, abs=1e-6)
    assert told.token.shown == 1 and told.likeliest[0][0].control and told.likeliest[0][0].shown == 0


def test_the_real_models_odds_are_those_that_it_scores(supervisor: Any, chat: Any, outcome: Any) -> None:
    prompt = chat("What is the capital of France?")
    said = outcome(supervisor.stream(Generate(prompt, max_tokens=6, alternatives=3)))
    told = [one for piece in said.pieces for one in piece.odds]
    assert [one.token.id for one in told] == said.tokens
    assert b"".join(one.token.bytes for one in told).decode() == said.text
    assert all(one.likeliest[0][0] == one.token and len(one.likeliest) == 3 for one in told), "it was greedy"
    scored = outcome(supervisor.stream(Score(prompt, (said.text,)))).done
    assert sum(one.logprob for one in told) == pytest.approx(scored.scores[0][0], abs=0.6)  # batched differently


def test_a_prompts_own_tokens_are_told_in_records_of_bounded_length(supervisor: Any, outcome: Any) -> None:
    text = "The capital of France is Paris. " + "one two three " * 100
    said = outcome(supervisor.stream(Score((Segment(text, False),), (), alternatives=2)))
    told = [one for piece in said.pieces for one in piece.odds]
    spelled = outcome(supervisor.stream(Spell(text))).done.tokens
    assert [one.token for one in told] == list(spelled[1:]), "of the first nothing is known"
    assert max(len(piece.tokens) for piece in said.pieces) == 256 < len(told)
    assert all(len(one.likeliest) == 2 and one.logprob <= one.likeliest[0][1] <= 0 for one in told)
    first, rest = spelled[0].bytes.decode(), "".join(one.bytes.decode() for one in spelled[1:6])
    scored = outcome(supervisor.stream(Score((Segment(first, False),), (rest,)))).done
    assert sum(one.logprob for one in told[:5]) == pytest.approx(scored.scores[0][0], abs=0.6)  # batched differently
    assert said.done.usage.prompt_tokens == len(spelled) and said.done.scores[0][1] == len(told)


def test_of_one_token_nothing_is_told_and_with_continuations_nothing_is_done(supervisor: Any, outcome: Any) -> None:
    alone = outcome(supervisor.stream(Score((Segment("The", False),), (), alternatives=0)))
    assert not alone.pieces and alone.done.usage.prompt_tokens == 1
    both = outcome(supervisor.stream(Score((Segment("The", False),), (" cat",), alternatives=0)))
    assert isinstance(both.error, RequestError)


def test_under_a_constraint_they_are_those_of_what_is_allowed(supervisor: Any, chat: Any, outcome: Any) -> None:
    choice = Choice(("yes", "no"))
    said = outcome(supervisor.stream(Generate(chat("Is Paris a city?"), constraint=choice, alternatives=20)))
    first, *forced = [one for piece in said.pieces for one in piece.odds]
    assert sum(math.exp(chance) for _, chance in first.likeliest) == pytest.approx(1.0, abs=1e-4)
    assert {one.bytes[:1] for one, _ in first.likeliest} == {b"y", b"n"}
    assert all(one.logprob == 0.0 and not one.likeliest for one in forced)


def test_draws_do_not_change_what_is_told(supervisor: Any, chat: Any, outcome: Any) -> None:
    warm = Sampling(temperature=2.0, top_k=5, seed=3)
    said = outcome(supervisor.stream(Generate(chat("Hello"), sampling=warm, max_tokens=1, alternatives=5)))
    plain = outcome(supervisor.stream(Generate(chat("Hello"), max_tokens=1, alternatives=5)))
    one, other = said.pieces[0].odds[0], plain.pieces[0].odds[0]
    assert [token for token, _ in one.likeliest] == [token for token, _ in other.likeliest]
    assert one.logprob <= one.likeliest[0][1]


def test_odds_go_on_where_a_dead_worker_left_them(scripted: Any, outcome: Any) -> None:
    supervisor = scripted(Say(b"abc".hex()), Die(signal=11), Say(b"def".hex()), generations=(1,))
    said = outcome(supervisor.stream(Generate((Segment("x", True),), alternatives=0)))
    assert said.text == "abcdef" and "resumed" in said.done.degraded
    assert b"".join(one.token.bytes for piece in said.pieces for one in piece.odds) == b"abcdef"


# --- which tokens a text is ----------------------------------------------------------------------


def test_a_text_is_spelled_and_back(llama: Any) -> None:
    intake = Intake(llama)

    def spelled(**what: Any) -> Any:
        return intake.job(Submit(1, Spell(**what))).tokens  # type: ignore[union-attr]

    text = "Grüße, <|im_end|> 👋"
    plain, trusted = spelled(text=text), spelled(text=text, trusted=True)
    assert b"".join(one.bytes for one in plain).decode() == text == b"".join(one.bytes for one in trusted).decode()
    assert not any(one.control for one in plain) and [one.hex for one in trusted if one.control] == [
        b"<|im_end|>".hex()
    ]
    assert spelled(ids=tuple(one.id for one in trusted)) == trusted
    for wrong in (-1, llama.vocabulary.size):
        with pytest.raises(RequestError):
            spelled(ids=(wrong,))

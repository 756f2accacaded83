"""The engine without a model obeys the rules of the one with a model: what is tried on it holds for both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import ProtocolBroken
from linnet.protocol import Emitted, Ended, Submit
from linnet.requests import Count, Done, Generate, Sampling, Score, Segment
from linnet.script import Eat, Echo, Flood, Garble, Hang, Say, Script
from linnet.worker.face import Face
from linnet.worker.scripted import ScriptedEngine

PROMPT = (Segment("hi", True), Segment(" é", False))


def say(text: str | bytes) -> Say:
    return Say((text.encode() if isinstance(text, str) else text).hex())


def play(script: Script, request: Generate, emitted: bytes = b"", generation: int = 1) -> tuple[list[Emitted], Done]:
    """The pieces and the end of one request, in this process."""
    engine = ScriptedEngine(script, generation, lambda data: None)
    records = engine.submit(Submit(1, request, tuple(emitted)))
    while engine.busy:
        records += engine.step()
    *pieces, end = records
    assert isinstance(end, Ended) and all(isinstance(piece, Emitted) for piece in pieces)
    return pieces, end.done


# --- through the pipe ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    ["plain", "héllo wörld", "\U0001f600\U0001f468\u200d\U0001f469", b"\xff\xe2\x82x\xf0\x9f", b"", b"\x00\n"],
    ids=ascii,
)
def test_given_bytes_arrive_as_text(scripted: Any, outcome: Any, data: str | bytes) -> None:
    raw = data.encode() if isinstance(data, str) else data
    got = outcome(scripted(say(raw)).stream(Generate(PROMPT)))
    assert got.text == got.done.text == raw.decode(errors="replace")
    assert bytes(got.tokens) == raw
    assert (got.done.finish, got.done.usage.generated_tokens) == ("stop", len(raw))
    assert got.done.usage.prompt_tokens == 5 and got.done.degraded == ()


def test_every_piece_is_whole_characters(scripted: Any, outcome: Any) -> None:
    got = outcome(scripted(say("aé€\U0001f600")).stream(Generate(PROMPT)))
    assert [piece.text for piece in got.pieces] == ["a", "", "é", "", "", "€", "", "", "", "\U0001f600"]


def test_stop_strings_and_limits_hold(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("one two three"))
    stopped = outcome(engine.stream(Generate(PROMPT, stop=("two",)))).done
    assert (stopped.text, stopped.finish) == ("one ", "stop")
    cut = outcome(engine.stream(Generate(PROMPT, max_tokens=5))).done
    assert (cut.text, cut.finish, cut.usage.generated_tokens) == ("one t", "length", 5)
    whole = outcome(engine.stream(Generate(PROMPT, stop=("three!",)))).done
    assert whole.text == "one two three"


def test_a_flood_arrives_whole(scripted: Any, outcome: Any) -> None:
    got = outcome(scripted(say("<"), Flood(20_000), say(">")).stream(Generate(PROMPT, max_tokens=30_000)))
    assert got.text == "<" + "x" * 20_000 + ">"
    assert len(got.pieces) == got.done.usage.generated_tokens == 20_002


def test_scores_and_counts_are_answered(scripted: Any, outcome: Any) -> None:
    engine = scripted()
    assert outcome(engine.stream(Score(PROMPT, ("a", "bé")))).done.scores == ((-1.0, 1), (-2.0, 3))
    assert outcome(engine.stream(Count(PROMPT))).done.count == 5


def test_a_script_of_nothing_is_an_empty_answer(scripted: Any, outcome: Any) -> None:
    assert outcome(scripted().stream(Generate(PROMPT))).done == Done(usage=Done().usage.__class__(5, 0, 0, 0))


def test_ready_says_that_there_is_no_model(scripted: Any, outcome: Any) -> None:
    engine = scripted(say("a"))
    outcome(engine.stream(Generate(PROMPT)))
    assert (engine.ready.engine, engine.ready.vocabulary) == ("scripted", 256)


# --- resuming ------------------------------------------------------------------------------------

BYTES = st.lists(st.sampled_from([b"a", b"b", "é".encode(), "\U0001f600".encode(), b"\xff", b"\xe2\x82"]), max_size=6)


@given(
    st.lists(BYTES.map(b"".join), max_size=3),
    st.lists(st.text("abé", min_size=1, max_size=3), max_size=2).map(tuple),
    st.integers(1, 20),
    st.integers(0, 12),
)
def test_what_was_sent_is_not_said_again(said: list[bytes], stop: tuple[str, ...], limit: int, flood: int) -> None:
    actions = (*map(say, said), *([Flood(flood)] if flood else []), say("ab"))
    script, request = Script(actions), Generate(PROMPT, stop=stop, max_tokens=limit)
    pieces, whole = play(script, request)
    assert whole.text.startswith("".join(piece.text for piece in pieces))
    for cut in range(len(pieces) + 1):
        shown = "".join(piece.text for piece in pieces[:cut])
        emitted = bytes(token for piece in pieces[:cut] for token in piece.tokens)
        rest, done = play(script, request, emitted)
        assert done == whole
        assert whole.text.startswith(shown + "".join(piece.text for piece in rest))
        assert emitted + bytes(t for piece in rest for t in piece.tokens) == bytes(
            t for p in pieces for t in p.tokens
        )


def test_misbehaviour_is_for_the_listed_generations_and_the_poisoned() -> None:
    raw: list[bytes] = []

    def run(generation: int, text: str) -> int:
        script = Script((say("a"), Garble("ff00"), Hang(0.0)), generations=(2, 3), poison="BAD")
        engine = ScriptedEngine(script, generation, raw.append)
        engine.submit(Submit(1, Generate((Segment(text, True),))))
        while engine.busy:
            engine.step()
        return len(raw)

    assert run(1, "BAD") == run(2, "good") == 0
    assert run(2, "very BAD") == 1 and run(3, "BAD") == 2 and run(4, "BAD") == 2
    assert raw[0] == b"\xff\x00"


def test_several_requests_take_turns() -> None:
    engine = ScriptedEngine(Script((say("abc"),)), 1, lambda data: None)
    for id in (1, 2, 3):
        engine.submit(Submit(id, Generate(PROMPT, sampling=Sampling(seed=id))))
    assert [record.id for record in engine.step()] == [1, 2, 3]
    engine.cancel(2)
    assert [record.id for record in engine.step()] == [1, 3]
    assert engine.cancel(2) == [] and engine.busy


def test_an_echo_says_the_prompt_and_is_cut_as_all_that_is_said() -> None:
    pieces, done = play(Script((say("<"), Echo(), say(">"))), Generate(PROMPT))
    text = "".join(segment.text for segment in PROMPT)
    assert done.text == f"<{text}>" and pieces
    assert play(Script((Echo(), say(">"))), Generate(PROMPT), text.encode())[1].text == f"{text}>"


def test_it_eats_and_goes_on() -> None:
    assert play(Script((Eat(1), say("a"))), Generate(PROMPT))[1].text == "a"


def test_it_has_the_face_of_an_engine_and_nothing_to_free() -> None:
    engine: Face = ScriptedEngine(Script(), 1, lambda data: None)
    engine.rest()
    assert engine.leave() == []
    with pytest.raises(ProtocolBroken):
        engine.freed(0)

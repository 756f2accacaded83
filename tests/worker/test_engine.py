"""The engine on the real model: through the supervisor as callers see it, and in this process to be exact."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    Cancelled,
    ConstraintInvalid,
    ContextOverflow,
    DeadlineExceeded,
    EmptyRequest,
    QueueFull,
    RequestError,
)
from linnet.limits import LIMITS
from linnet.protocol import Emitted, Ended, Failed, Submit
from linnet.requests import (
    Choice,
    Copy,
    Count,
    Done,
    Fixed,
    Generate,
    Hole,
    Holes,
    Number,
    Pattern,
    Piece,
    Sampling,
    Schema,
    Score,
    Segment,
)
from linnet.worker.lookup import Lookup

FRANCE = "What is the capital of France?"
ANSWER = "The capital of France is Paris."


# --- through the supervisor ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def ask(supervisor: Any, chat: Any, outcome: Any) -> Callable[..., Any]:
    """`ask(text, **fields of Generate)` -> its Outcome."""
    return lambda text, **fields: outcome(supervisor.stream(Generate(chat(text), **fields)))


def test_it_knows_the_capital_of_france(ask: Any) -> None:
    got = ask(FRANCE, max_tokens=20)
    assert "Paris" in got.done.text and got.done.finish == "stop" and got.done.degraded == ()


def test_greedy_answers_repeat_and_the_prompt_is_not_computed_again(ask: Any) -> None:
    first, second = (ask("Name three colours of the rainbow.", max_tokens=12) for _ in range(2))
    assert first.text == second.text and first.tokens == second.tokens
    assert first.done.usage.cached_tokens < first.done.usage.prompt_tokens
    assert second.done.usage.cached_tokens == second.done.usage.prompt_tokens - 1
    assert second.done.usage.prompt_tokens == first.done.usage.prompt_tokens


def test_a_longer_conversation_reuses_the_shorter(ask: Any) -> None:
    first = ask("My name is Zorblax Quibble the Third.", max_tokens=4)
    longer = ask("My name is Zorblax Quibble the Third. What is my name?", max_tokens=4)
    assert longer.done.usage.cached_tokens >= first.done.usage.prompt_tokens - 6


def test_sampled_answers_repeat_with_their_seed(ask: Any) -> None:
    def draw(seed: int) -> str:
        return ask("Tell me a word.", max_tokens=12, sampling=Sampling(1.5, 0.95, 50, seed)).text

    assert draw(7) == draw(7)
    assert len({draw(seed) for seed in (1, 2, 3)}) > 1


def test_usage_counts_every_token_once(ask: Any) -> None:
    got = ask("Count to ten.", max_tokens=9)
    assert got.done.finish == "length"
    assert got.done.usage.generated_tokens == len(got.tokens) == 9
    assert got.done.usage.forced_tokens == 0


def test_forced_tokens_are_counted(ask: Any) -> None:
    fixed = ask("Say it.", constraint=Fixed("The quick brown fox jumps over the lazy dog."))
    assert fixed.done.text == "The quick brown fox jumps over the lazy dog."
    assert fixed.done.finish == "constraint"
    assert fixed.done.usage.forced_tokens == fixed.done.usage.generated_tokens == len(fixed.tokens)
    choice = ask(
        "Is water wet?", constraint=Holes((Fixed('{"wet": "'), Hole("w", Choice(("yes", "no"))), Fixed('"}')))
    )
    assert json.loads(choice.done.text)["wet"] == choice.done.captures["w"]
    assert 0 < choice.done.usage.forced_tokens < choice.done.usage.generated_tokens


def test_a_table_is_booked(ask: Any) -> None:
    text = 'Book a table for 4 people at "La Piazza", Rome, at 7pm.'
    parts = (
        Fixed('{"people": '),
        Hole("n", Number((4, 7), True)),
        Fixed(', "place": "'),
        Hole("p", Copy(text)),
        Fixed('", "meal": "'),
        Hole("m", Choice(("lunch", "dinner"))),
        Fixed('"}'),
    )
    done = ask(text, constraint=Holes(parts), max_tokens=60).done
    assert done.captures["n"] in ("4", "7") and done.captures["m"] in ("lunch", "dinner")
    assert done.captures["p"] in text and done.finish == "constraint"


def test_a_prompt_over_the_context_is_refused_with_both_numbers(ask: Any, supervisor: Any) -> None:
    context = supervisor.ready.context
    got = ask("hello " * 9_000)
    assert isinstance(got.error, ContextOverflow) and got.pieces == []
    assert got.error.details["context"] == context and got.error.details["prompt_tokens"] > 9_000
    assert str(context) in got.error.message and str(got.error.details["prompt_tokens"]) in got.error.message


@pytest.mark.parametrize("stop", ["Paris", "is Par", "l of F", "."])
def test_a_stop_string_ends_the_answer_and_is_never_shown(ask: Any, stop: str) -> None:
    got = ask(FRANCE, max_tokens=20, stop=(stop, "never"))
    assert got.done.text == ANSWER[: ANSWER.index(stop)] and got.done.finish == "stop"


def test_a_stop_string_that_never_comes_holds_nothing_back(ask: Any) -> None:
    got = ask(FRANCE, max_tokens=20, stop=(".!", "Parisian"))
    assert got.done.text == got.text == ANSWER


def test_eight_at_once_all_end(supervisor: Any, chat: Any, outcome: Any) -> None:
    free = [Generate(chat(f"Tell me about the number {i}."), max_tokens=12) for i in range(4)]
    bound = [Generate(chat(f"{i}"), constraint=Fixed(f"nonce {i * 7919}")) for i in range(4)]
    streams = [supervisor.stream(request) for request in free + bound]
    got = [outcome(stream) for stream in streams]
    assert all(one.done for one in got)
    assert all(one.done.usage.generated_tokens == 12 for one in got[:4])
    assert [one.text for one in got[4:]] == [f"nonce {i * 7919}" for i in range(4)]


def test_more_than_can_run_together_wait_and_end(supervisor: Any, chat: Any, outcome: Any) -> None:
    count = LIMITS.sequences + 8
    streams = [supervisor.stream(Generate(chat(f"{i}"), constraint=Fixed(f"n{i}"))) for i in range(count)]
    assert [outcome(stream).text for stream in streams] == [f"n{i}" for i in range(count)]


def test_cancelling_frees_what_was_held(supervisor: Any, chat: Any, ask: Any) -> None:
    """Each takes more than half of the context, so a leak would leave the next one waiting for ever."""
    for i in range(4):
        stream = supervisor.stream(Generate(chat(f"Write a very long story {i}."), max_tokens=2_500, deadline=30))
        assert isinstance(next(stream), Piece)
        stream.close()
    assert ask(FRANCE, max_tokens=20, deadline=30).done.text == ANSWER


def test_dropping_a_stream_cancels_it(supervisor: Any, chat: Any, ask: Any) -> None:
    for i in range(3):
        next(supervisor.stream(Generate(chat(f"Write a long poem {i}."), max_tokens=2_500)))
    assert ask(FRANCE, max_tokens=20, deadline=30).done


def test_a_deadline_ends_the_request_alone(ask: Any) -> None:
    got = ask("Write a very long story about a fox.", max_tokens=2_000, deadline=0.4)
    assert isinstance(got.error, DeadlineExceeded) and "0.4" in got.error.message
    assert ask(FRANCE, max_tokens=20).done.text == ANSWER


@pytest.mark.parametrize(
    "constraint",
    [Choice(()), Copy("..."), Pattern("("), Schema({"type": "nonsense"}), Pattern("a[b&&c]"), Fixed("a\x04b")],
    ids=lambda c: c.kind,
)
def test_a_bad_constraint_fails_alone(ask: Any, supervisor: Any, chat: Any, outcome: Any, constraint: Any) -> None:
    pid = supervisor.pid
    running = supervisor.stream(Generate(chat("Count to twenty."), max_tokens=25))
    head = next(running)
    bad = ask("x", constraint=constraint)
    assert isinstance(bad.error, ConstraintInvalid)
    rest = [head, *running]
    assert isinstance(rest[-1], Done) and rest[-1].usage.generated_tokens > 5
    assert rest[-1].degraded == () and supervisor.pid == pid


def test_a_constraint_that_fails_in_mid_answer_fails_alone(ask: Any, supervisor: Any, chat: Any) -> None:
    """The vocabulary lacks byte 4, so what begins well cannot be finished."""
    pid = supervisor.pid
    running = supervisor.stream(Generate(chat("Count to thirty."), max_tokens=25))
    head = next(running)
    broken = ask("x", constraint=Pattern("(yes|no)[ab]\x04"))
    assert isinstance(broken.error, ConstraintInvalid)
    assert [*running][-1].degraded == () and head and supervisor.pid == pid


def test_a_long_prompt_does_not_stall_a_stream(supervisor: Any, chat: Any, ask: Any) -> None:
    running = supervisor.stream(Generate(chat("Write a long story about the sea."), max_tokens=600))
    next(running)
    answered = threading.Event()
    words = " ".join(f"word{i}" for i in range(330))

    def long() -> None:
        for event in supervisor.stream(Generate(chat(words), max_tokens=1, sampling=Sampling(seed=3))):
            if isinstance(event, Piece) or event.usage.prompt_tokens < 1_200:
                answered.set()

    thread = threading.Thread(target=long)
    thread.start()
    between = 0
    for event in running:
        between += isinstance(event, Piece)
        if answered.is_set():
            break
    running.close()
    thread.join()
    assert between >= 4, "fewer pieces than chunks: the prompt was fed in one go"


def test_scores_agree_with_scoring_one_by_one(supervisor: Any, chat: Any, outcome: Any) -> None:
    texts = ("The capital of France is Paris.", "Berlin", "Paris", "The capital of France is Rome.", "I")
    together = outcome(supervisor.stream(Score(chat(FRANCE), texts))).done.scores
    alone = [outcome(supervisor.stream(Score(chat(FRANCE), (text,)))).done.scores[0] for text in texts]
    assert [count for _, count in together] == [count for _, count in alone]
    for (a, _), (b, _) in zip(together, alone, strict=True):
        assert a == pytest.approx(b, abs=0.7) and a < 0
    assert rank(together) == rank(alone) and rank(together)[0] == 0


def rank(scores: Any) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: -scores[i][0])


def test_more_continuations_than_branches(supervisor: Any, chat: Any, outcome: Any) -> None:
    texts = tuple(f"The answer is number {i}, of course." for i in range(40))
    scores = outcome(supervisor.stream(Score(chat("Pick a number."), texts))).done.scores
    assert len(scores) == 40 and all(count >= 7 for _, count in scores)
    some = (0, 17, 39)
    for i in some:
        alone = outcome(supervisor.stream(Score(chat("Pick a number."), (texts[i],)))).done.scores[0]
        assert scores[i][0] == pytest.approx(alone[0], abs=0.7)


def test_counting_counts_what_generating_reports(supervisor: Any, chat: Any, ask: Any, outcome: Any) -> None:
    count = outcome(supervisor.stream(Count(chat(FRANCE)))).done.count
    assert count == ask(FRANCE, max_tokens=1).done.usage.prompt_tokens == 16


@pytest.mark.parametrize(
    "prompt", [(), (Segment("", True),), (Segment("\x04\x06", False),)], ids=["none", "empty", "lost"]
)
def test_a_prompt_of_no_token_is_refused(supervisor: Any, outcome: Any, prompt: Any) -> None:
    """The vocabulary has no token for some bytes; a request of nothing else would wait for ever."""
    for request in (Generate(prompt, deadline=60), Score(prompt, ("a", "b"), deadline=60)):
        assert isinstance(outcome(supervisor.stream(request)).error, EmptyRequest)


def test_the_caller_never_loads_native_code(model_path: Path) -> None:
    program = f"""
import os, sys
from linnet.protocol import Load
from linnet.requests import *
from linnet.runtime.supervisor import Supervisor
s = Supervisor(Load(context=512, decode_threads=2, prefill_threads=2), os.open({str(model_path)!r}, os.O_RDONLY))
prompt = (Segment("hi", True),)
done = complete(s, Generate(prompt, constraint=Choice(("a", "b"))))
assert done.text in ("a", "b"), done
complete(s, Score(prompt, ("a", "b")))
s.close()
native = ("llama_cpp", "llguidance", "linnet.worker", "ctypes", "numpy")
print([name for name in sys.modules if name.startswith(native)])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


# --- in this process -----------------------------------------------------------------------------


class Bench:
    """One engine, driven by hand, and what it sent for each request."""

    def __init__(self, llama: Any, sequences: int) -> None:
        from linnet.worker.engine import Engine

        for sequence in range(64):
            llama.cut(sequence)
        self.engine = Engine(llama, sequences)
        self.sent: dict[int, list[Any]] = {}

    def submit(self, request: Any, emitted: tuple[int, ...] = ()) -> int:
        id = len(self.sent) + 1
        self.sent[id] = []
        self._note(self.engine.submit(Submit(id, request, emitted)))
        return id

    def step(self) -> None:
        self._note(self.engine.step())

    def run(self, limit: int = 2_000) -> None:
        for _ in range(limit):
            if not self.engine.busy:
                return
            self.step()
        raise AssertionError("the engine does not come to an end")

    def done(self, id: int) -> Done:
        (end,) = [record for record in self.sent[id] if isinstance(record, Ended)]
        assert self.sent[id][-1] is end
        return end.done

    def error(self, id: int) -> Any:
        assert isinstance(self.sent[id][-1], Failed)
        return self.sent[id][-1].error()

    def tokens(self, id: int) -> tuple[int, ...]:
        return tuple(t for record in self.sent[id] if isinstance(record, Emitted) for t in record.tokens)

    def text(self, id: int) -> str:
        return "".join(record.text for record in self.sent[id] if isinstance(record, Emitted))

    def one(self, request: Any, emitted: tuple[int, ...] = ()) -> Done:
        id = self.submit(request, emitted)
        self.run()
        return self.done(id)

    def _note(self, records: list[Any]) -> None:
        for record in records:
            self.sent[record.id].append(record)


@pytest.fixture
def bench(llama: Any) -> Callable[..., Bench]:
    return lambda sequences=64: Bench(llama, sequences)


def plain(text: str) -> tuple[Segment, ...]:
    return (Segment(text, True),)


LONG = Fixed("one two three four five six seven eight nine ten")


def test_a_forced_answer_that_is_cut_says_so(bench: Any) -> None:
    """It once said `constraint`, as if the text were whole."""
    done = bench().one(Generate(plain("Say:"), constraint=LONG, max_tokens=3))
    assert done.finish == "length"
    assert LONG.text.startswith(done.text) and len(done.text) < len(LONG.text)
    assert done.usage.generated_tokens == done.usage.forced_tokens == 3


def test_a_hole_behind_the_cut_is_not_captured(bench: Any) -> None:
    constraint = Holes((LONG, Hole("a", Choice(("x",))), Fixed(" and so on and so on")))
    done = bench().one(Generate(plain("Say:"), constraint=constraint, max_tokens=4))
    assert (done.finish, done.captures) == ("length", {})


def test_a_forced_answer_that_just_fits_is_whole(bench: Any, llama: Any) -> None:
    exact = len(llama.tokenise(LONG.text))
    done = bench().one(Generate(plain("Say:"), constraint=LONG, max_tokens=exact))
    assert (done.finish, done.text, done.usage.generated_tokens) == ("constraint", LONG.text, exact)


def test_an_answer_that_the_context_cuts_says_so(bench: Any, llama: Any) -> None:
    prompt = plain("word " * (llama.context - 24))
    used = len(llama.tokenise(prompt[0].text))
    done = bench().one(Generate(prompt, max_tokens=200))
    if done.finish == "length":
        assert done.usage.generated_tokens == llama.context - used
        assert str(llama.context - used) in done.degraded[0]
    exact = bench().one(Generate(plain("Say:"), constraint=LONG, max_tokens=5))
    assert exact.degraded == (), "a limit that the caller set is no degradation"


@pytest.mark.parametrize("over", [0, 1])
def test_the_context_has_exactly_one_edge(bench: Any, llama: Any, over: int) -> None:
    words = llama.context - 1 + over
    text = "a" + " a" * (words - 1)
    assert len(llama.tokenise(text)) == words
    one = bench()
    id = one.submit(Generate(plain(text), max_tokens=5))
    one.run()
    if over:
        assert isinstance(one.error(id), ContextOverflow)
    else:
        assert one.done(id).usage.generated_tokens <= 1


def resumed_everywhere(bench: Any, request: Generate) -> None:
    """Whatever a dead worker had sent, the next one goes on from it and repeats nothing."""
    first = bench()
    id = first.submit(request)
    first.run()
    whole, records = first.done(id), [r for r in first.sent[id] if isinstance(r, Emitted)]
    assert whole.text.startswith(first.text(id))
    for cut in range(len(records) + 1):
        shown = "".join(record.text for record in records[:cut])
        tokens = tuple(token for record in records[:cut] for token in record.tokens)
        again = bench()
        id = again.submit(request, tokens)
        again.run()
        done = again.done(id)
        assert done.text.startswith(shown + again.text(id)), f"doubled or lost at {cut}"
        assert done.usage.generated_tokens == len(tokens) + len(again.tokens(id))
        assert done.usage.prompt_tokens == whole.usage.prompt_tokens
        if request.constraint is not None or cut == len(records):
            assert (done.text, done.finish, done.captures) == (whole.text, whole.finish, whole.captures)


def test_an_answer_is_resumed_at_every_cut(bench: Any) -> None:
    resumed_everywhere(bench, Generate(plain("The capital of France is"), max_tokens=6))


def test_a_constrained_answer_is_resumed_at_every_cut(bench: Any) -> None:
    parts = (Fixed('{"a": '), Hole("n", Number((3,), True)), Fixed(', "b": "'), Hole("c", Copy("red")), Fixed('"}'))
    resumed_everywhere(bench, Generate(plain("Go:"), constraint=Holes(parts)))


def test_a_cut_answer_is_resumed_at_every_cut(bench: Any) -> None:
    resumed_everywhere(bench, Generate(plain("Go:"), constraint=LONG, max_tokens=4))


def test_text_that_was_held_back_is_not_sent_twice(bench: Any) -> None:
    """The end of the answer looks like the beginning of a stop string until the very end."""
    resumed_everywhere(bench, Generate(plain("Go:"), constraint=Fixed("yes, seven."), stop=("seven.x", ".!")))
    resumed_everywhere(bench, Generate(plain("Go:"), constraint=LONG, stop=("two three fourth",), max_tokens=4))


def test_a_stopped_answer_stays_stopped(bench: Any) -> None:
    resumed_everywhere(bench, Generate(plain("Go:"), constraint=LONG, stop=("three",)))


def test_a_job_that_fails_in_mid_answer_frees_what_it_held(bench: Any) -> None:
    one = bench(sequences=2)
    for _ in range(4):
        bad = one.submit(Generate(plain("Go:"), constraint=Pattern("(yes|no)[ab]\x04")))
        one.run()
        assert isinstance(one.error(bad), ConstraintInvalid)
    assert one.one(Generate(plain("Go:"), constraint=Fixed("ok"))).text == "ok"


def test_scores_do_not_depend_on_how_many_sequences_are_free(bench: Any) -> None:
    """With a single one they were once those of the first token alone."""
    request = Score(plain("The sky is"), (" blue and clear today", " green and full of cheese", " x"))
    many, few = bench().one(request).scores, bench(sequences=2).one(request).scores
    for (a, tokens), (b, same) in zip(many, few, strict=True):
        assert tokens == same and a == pytest.approx(b, abs=0.7)


def test_scores_are_right_beside_running_answers(bench: Any) -> None:
    request = Score(plain("The sky is"), (" blue and clear today", " green and full of cheese"))
    alone = bench().one(request).scores
    one = bench(sequences=3)
    for i in range(2):
        one.submit(Generate(plain(f"Go {i}:"), max_tokens=12))
    id = one.submit(request)
    one.run()
    for (a, _), (b, _) in zip(one.done(id).scores, alone, strict=True):
        assert a == pytest.approx(b, abs=0.7)


def test_few_sequences_serve_many_requests(bench: Any) -> None:
    one = bench(sequences=2)
    ids = [one.submit(Generate(plain(f"{i}:"), constraint=Fixed(f"n{i}"))) for i in range(7)]
    one.run()
    assert [one.done(id).text for id in ids] == [f"n{i}" for i in range(7)]


def test_the_oldest_that_waits_is_next(bench: Any, llama: Any) -> None:
    one = bench()
    big = [
        one.submit(Generate(plain(f"{i}" + " a" * (llama.context - 6)), max_tokens=4, constraint=Pattern("[ab]")))
        for i in range(3)
    ]
    small = one.submit(Generate(plain("x"), max_tokens=2, constraint=Pattern("[ab]")))
    order = []
    while one.engine.busy:
        one.step()
        order += [id for id in [*big, small] if id not in order and isinstance((one.sent[id] or [0])[-1], Ended)]
    assert order == [*big, small]


def test_a_request_that_must_wait_costs_nobody_its_prefix(bench: Any, llama: Any) -> None:
    one = bench()
    story = plain("Once upon a time there was a fox who lived in a wood near a river.")
    first = one.one(Generate(story, constraint=Pattern("[ab]"), max_tokens=4))
    running = one.submit(Generate(plain("1 2 3"), max_tokens=40, constraint=Pattern("[0-9 ]{200}")))
    one.step()
    waiting = one.submit(Generate(plain("a" + " a" * (llama.context - 40)), max_tokens=4, constraint=Pattern("[ab]")))
    for _ in range(3):
        one.step()
    assert isinstance(one.engine.cancel(waiting)[0].error(), Cancelled)
    again = one.submit(Generate(story, constraint=Pattern("[ab]"), max_tokens=4))
    one.run()
    assert one.done(again).usage.cached_tokens == first.usage.prompt_tokens - 1
    assert one.done(running)


def test_a_prompt_of_more_than_half_the_context_is_reused(bench: Any, llama: Any) -> None:
    """It was once thrown out to make room for its own second use."""
    one = bench()
    prompt = plain("word " * (llama.context * 2 // 3))
    first, second = (one.one(Generate(prompt, max_tokens=9, constraint=Pattern("[ab]"))) for _ in range(2))
    assert second.usage.cached_tokens == first.usage.prompt_tokens - 1
    other = one.one(Generate(plain("other " * (llama.context * 2 // 3)), max_tokens=9, constraint=Pattern("[ab]")))
    assert other.usage.cached_tokens == 0


def test_cancelling_what_is_not_there_does_nothing(bench: Any) -> None:
    one = bench()
    assert one.engine.cancel(99) == []
    done = one.submit(Generate(plain("x"), constraint=Fixed("a")))
    one.run()
    assert one.engine.cancel(done) == []


def test_the_queue_has_an_end(bench: Any) -> None:
    one = bench()
    ids = [one.submit(Generate(plain("x"), max_tokens=1)) for _ in range(LIMITS.queue + 1)]
    assert isinstance(one.error(ids[-1]), QueueFull) and str(LIMITS.queue) in one.error(ids[-1]).message
    for id in ids[1:-1]:
        one.engine.cancel(id)
    one.run()
    assert one.done(ids[0])


def test_progress_grows_and_the_phase_is_told(bench: Any) -> None:
    one = bench()
    assert (one.engine.phase, one.engine.busy) == ("idle", False)
    one.submit(Generate(plain("word " * 200), max_tokens=3))
    seen, phases = [one.engine.progress], []
    while one.engine.busy:
        one.step()
        seen.append(one.engine.progress)
        phases.append(one.engine.phase)
    assert seen == sorted(set(seen)), "a step without progress would look like a hang"
    assert phases[0] == "prefill" and phases[-1] == "idle"


def test_a_word_of_half_a_megabyte_is_refused_in_good_time(supervisor: Any, outcome: Any) -> None:
    for character in ("a", "(", " ", "\n", "é"):
        started = time.monotonic()
        got = outcome(supervisor.stream(Generate(plain(character * (LIMITS.request_bytes // 2)))))
        assert isinstance(got.error, ContextOverflow)
        assert time.monotonic() - started < LIMITS.progress_seconds


# --- room for many -------------------------------------------------------------------------------


def digits(count: int) -> Pattern:
    """An answer of exactly so many tokens: digits are single tokens in this vocabulary."""
    return Pattern(f"[0-9]{{{count}}}")


def test_answers_run_together_although_their_limits_do_not_fit(bench: Any, llama: Any) -> None:
    """Reserving every limit in full would let one of these run at a time."""
    one = bench()
    for i in range(3):
        one.submit(Generate(plain(f"Number {i}:"), max_tokens=llama.context))
    one.step()
    assert len({record.id for sent in one.sent.values() for record in sent}) == 3


def test_the_youngest_makes_room_and_goes_on_later(bench: Any, llama: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(llama, "context", 128)
    monkeypatch.setattr("linnet.worker.generate.ROOM", 8)
    one = bench()
    ids = [one.submit(Generate(plain(f"Number {i}:"), constraint=digits(50), max_tokens=60)) for i in range(3)]
    one.run()
    done = [one.done(id) for id in ids]
    assert all(
        end.finish == "constraint" and len(end.text) == 50 and end.text == one.text(id)
        for id, end in zip(ids, done, strict=True)
    )
    assert all(end.usage.generated_tokens == len(one.tokens(id)) for id, end in zip(ids, done, strict=True))
    assert done[0].degraded == () and done[1].degraded == ()
    assert "paused" in done[2].degraded[0] and "computed again" in done[2].degraded[0]


def test_an_answer_may_fill_the_whole_context_beside_kept_prefixes(bench: Any, llama: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(llama, "context", 96)
    one = bench()
    for i in range(4):
        one.one(Generate(plain(f"{i} is a number that somebody wrote down."), max_tokens=2))
    done = one.one(Generate(plain("Number:"), constraint=digits(90), max_tokens=90))
    assert done.finish == "constraint" and len(done.text) == 90 and done.degraded == ()


def test_a_waiting_request_can_be_cancelled(bench: Any, llama: Any) -> None:
    one = bench()
    full = "a" + " a" * (llama.context // 2)
    first, second = (one.submit(Generate(plain(full), max_tokens=4)) for _ in range(2))
    one.step()
    one._note(one.engine.cancel(second))
    one.run()
    assert one.done(first) and isinstance(one.error(second), Cancelled)


def test_the_beginning_that_all_share_is_kept_when_room_is_short(bench: Any, llama: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(llama, "context", 128)
    one = bench()
    system = " ".join(f"rule{i}" for i in range(8)) + "\n"
    shared = len(llama.tokenise(system))
    usages = [one.one(Generate(plain(f"{system}{i}{i}{i} and what of it"), max_tokens=8)).usage for i in range(12)]
    assert usages[0].cached_tokens == 0
    assert all(usage.cached_tokens >= shared for usage in usages[1:]), "every later one starts behind it"


def test_prefixes_are_shared_within_an_owner_only(bench: Any) -> None:
    one = bench()
    prompt = plain("The secret of the house is that the key lies under the third stone.")
    first, other, again = (one.one(Generate(prompt, max_tokens=2, owner=who)).usage for who in ("ann", "bob", "ann"))
    assert (first.cached_tokens, other.cached_tokens) == (0, 0)
    assert again.cached_tokens == again.prompt_tokens - 1
    scored = one.one(Score(prompt, (" a", " b c"), owner="bob")).usage
    assert scored.cached_tokens > 0


def test_prompts_computed_side_by_side_are_kept_once(bench: Any) -> None:
    one = bench()
    text = "Twelve people have twelve opinions on the weather of today."
    ids = [one.submit(Generate(plain(f"{text} {i}"), max_tokens=2)) for i in range(4)]
    one.run()
    alone = bench()
    alone.one(Generate(plain(f"{text} 0"), max_tokens=2))
    assert all(one.done(id).usage.cached_tokens == 0 for id in ids)
    assert one.engine._cells.tree.cells <= alone.engine._cells.tree.cells + 3 * 6
    assert one.one(Generate(plain(f"{text} 2"), max_tokens=2)).usage.cached_tokens > 10


def test_an_adapter_that_is_not_there_is_refused(bench: Any) -> None:
    one = bench()
    (refused,) = one.engine.submit(Submit(1, Generate(plain("x")), adapter="nowhere"))
    assert isinstance(refused, Failed) and isinstance(refused.error(), RequestError)


def test_a_step_asks_for_no_more_rows_than_it_may(bench: Any, llama: Any, monkeypatch: Any) -> None:
    from linnet.worker.batch import ROWS

    rows: list[int] = []
    decode = llama.decode
    monkeypatch.setattr(
        llama, "decode", lambda entries, tick: (rows.append(sum(e.logits for e in entries)), decode(entries))
    )
    texts = tuple("a long continuation of many words " * 2 + str(i) for i in range(16))
    assert len(bench().one(Score(plain("Say:"), texts)).scores) == 16
    assert 1 < max(rows) <= ROWS and sum(rows) > ROWS


# --- guessing ahead ------------------------------------------------------------------------------

LIST = "alpha 17, bravo 23, charlie 31, delta 47, echo 59, foxtrot 61, golf 73, hotel 89"


def told_twice(**fields: Any) -> Generate:
    """A request whose answer stands in its prompt."""
    return Generate(plain(f"{LIST}\nThe same again:\n{LIST}\nAnd again:\nalpha 17, bravo"), max_tokens=24, **fields)


def both_ways(bench: Any, monkeypatch: Any, request: Generate) -> tuple[Done, Done]:
    """What becomes of a request with guesses, and without."""
    guessing = bench().one(request)
    monkeypatch.setattr("linnet.worker.engine.GUESSES", {})
    return guessing, bench().one(request)


def test_what_stands_in_the_prompt_is_guessed_and_the_answer_is_the_same(bench: Any, monkeypatch: Any) -> None:
    guessing, plainly = both_ways(bench, monkeypatch, told_twice())
    assert guessing.text == plainly.text and guessing.finish == plainly.finish
    assert guessing.usage.guessed_tokens >= 12 and plainly.usage.guessed_tokens == 0
    assert guessing.usage.generated_tokens == plainly.usage.generated_tokens == 24


def test_drawn_answers_are_the_same_as_well(bench: Any, monkeypatch: Any) -> None:
    guessing, plainly = both_ways(bench, monkeypatch, told_twice(sampling=Sampling(0.4, 0.95, 20, 3)))
    assert guessing.text == plainly.text and guessing.usage.guessed_tokens > 0


def test_a_constraint_holds_for_guesses(bench: Any, monkeypatch: Any) -> None:
    request = told_twice(constraint=Pattern(" 23, [a-z0-9, ]{20}[xyz]"))
    guessing, plainly = both_ways(bench, monkeypatch, request)
    assert guessing.text == plainly.text and guessing.finish == "constraint"
    assert guessing.text[-1] in "xyz" and guessing.usage.guessed_tokens > 0


def test_a_stop_string_among_guesses_ends_the_answer_there(bench: Any, monkeypatch: Any) -> None:
    guessing, plainly = both_ways(bench, monkeypatch, told_twice(stop=("delta",)))
    assert guessing.text == plainly.text and "delta" not in guessing.text and guessing.finish == "stop"


def test_guesses_that_do_not_hold_leave_nothing_behind(bench: Any, llama: Any, monkeypatch: Any) -> None:
    """What is computed for nothing is cut from the cache: the next request starts from the right beginning."""
    one = bench()
    request = told_twice(constraint=Pattern("([a-z]+ [0-9][0-9], ){1,2}(never|nothing|nowhere)"))
    first = one.submit(request)
    one.run()
    tokens = one.tokens(first)
    held = one.engine._cells.tree.cells
    assert held < len(llama.tokenise(request.prompt[0].text)) + len(tokens)
    again = one.one(request)
    assert again.text == one.done(first).text and again.usage.cached_tokens == again.usage.prompt_tokens - 1


def test_three_and_more_at_once_guess_nothing(bench: Any, monkeypatch: Any) -> None:
    one, running = bench(), []
    guess = Lookup.guess
    monkeypatch.setattr(
        Lookup, "guess", lambda self, limit: running.append(len(one.engine._running)) or guess(self, limit)
    )
    for i in range(4):
        one.submit(replace(told_twice(), prompt=plain(f"{i} {told_twice().prompt[0].text}"), max_tokens=6 + i))
    one.run()
    assert set(running) <= {1, 2} and running


def test_an_answer_with_guesses_is_resumed_at_every_cut(bench: Any) -> None:
    resumed_everywhere(bench, told_twice(constraint=Pattern(" 23, charlie [0-9]+, delta [0-9]+, echo [0-9]+!")))


def test_the_winner_by_likelihood_and_by_its_mean_over_tokens() -> None:
    done = Done(scores=((-3.0, 1), (-4.0, 4), (-3.0, 2)))
    assert (done.winner(), done.winner(per_token=True)) == (0, 1)
    with pytest.raises(ValueError, match="max"):
        Done().winner()


def test_a_long_step_makes_progress_before_it_ends(llama: Any) -> None:
    """A large model on a small machine takes longer for one step than a silent worker is let live."""
    from linnet.worker.engine import Engine

    for sequence in range(64):
        llama.cut(sequence)
    seen: list[float] = []
    engine = Engine(llama, 64, beat=lambda: seen.append(engine.progress))
    engine.submit(Submit(1, Generate(plain("one two three four five six seven eight " * 12), max_tokens=2)))
    before = engine.progress
    engine.step()
    assert len(seen) > 100 and seen == sorted(set(seen)) and before < seen[0] and seen[-1] < before + 1
    assert engine.progress >= before + 16


# --- what a stress test found --------------------------------------------------------------------


def test_a_shared_beginning_is_copied_from_who_still_has_it(bench: Any, llama: Any, monkeypatch: Any) -> None:
    """Room for a request may cost the very sequence that its beginning was found in; another holds it as well."""
    monkeypatch.setattr(llama, "context", 192)
    one = bench()
    system = "The colour of the house is red and the name of the owner is Smith. " * 4
    for tail in ("First of all, the garden is long and wide.", "Second."):
        one.one(Generate(plain(system + tail), max_tokens=2))
    asked = Generate(plain(system + "The name of the owner is"), max_tokens=100, constraint=Pattern(" [A-Z][a-z]+"))
    shared = one.one(asked)
    alone = bench().one(asked)
    assert shared.usage.cached_tokens > 50 and alone.usage.cached_tokens == 0
    assert shared.text == alone.text


def test_the_oldest_gives_way_where_the_others_cannot(bench: Any, llama: Any, monkeypatch: Any) -> None:
    """One that was paused before has all of its cells reserved, and is not paused again."""
    monkeypatch.setattr(llama, "context", 128)
    monkeypatch.setattr("linnet.worker.generate.ROOM", 4)
    one = bench()
    ids = [one.submit(Generate(plain("Number:"), constraint=digits(n), max_tokens=n + 5)) for n in (70, 50, 45)]
    one.run()
    assert [len(one.done(id).text) for id in ids] == [70, 50, 45]


def test_an_answer_that_is_forced_whole_takes_no_step(bench: Any) -> None:
    one = bench()
    id = one.submit(Generate(plain("Say:"), constraint=LONG))
    assert not one.engine.busy and one.done(id).text == one.text(id) == LONG.text


def test_a_continuation_of_no_token_is_refused(bench: Any) -> None:
    one = bench()
    id = one.submit(Score(plain("x"), ("a", "\x04")))
    assert isinstance(one.error(id), EmptyRequest)

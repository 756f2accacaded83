"""Random requests to an engine whose every KV cell is counted along, on small made-up models.

`Shadow` is the real model with a book beside it of which cells each sequence has; `check` holds what the engine
thinks of its memory against that book and against llama.cpp; `run` drives an engine from a seed and checks it after
each step; `recompute` holds logits that were used against those of the same tokens computed from nothing. A fault is
an AssertionError or a LinnetError, and comes again with its seed: steps are sized by the seed as well, not by the
clock.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from linnet.limits import LIMITS
from linnet.protocol import Adapter, Emitted, Ended, Failed, Load, Submit
from linnet.requests import (
    Choice,
    Done,
    Fixed,
    Generate,
    Hole,
    Holes,
    Number,
    Pattern,
    Sampling,
    Score,
    Segment,
)
from linnet.worker import engine as engines
from linnet.worker import generate, parked
from linnet.worker.batch import LARGEST, SMALLEST, StepSizer
from linnet.worker.boundaries import State
from linnet.worker.engine import Engine
from linnet.worker.job import Running
from linnet.worker.llama import Entry, Llama, Logits, warm_imports
from linnet.worker.parked import Parked
from linnet.worker.prefix import Node

sys.path.append(str(Path(__file__).parents[1] / "models"))

from gguf_writer import U32, small
from gguf_writer import adapter as small_adapter

SEQUENCES = 64
CONTEXT = 256
STALLED = 20
"""Steps in a row without progress that are a fault: one or two are none, where a request waits for another."""

ENDLESS = 20_000

SEEN = 40
"""Rows of logits of a run that are computed again from nothing."""

ASTRAY = 0.1
"""How far they may be apart: batches of another shape move them by 0.01, a state of other tokens by 0.3 and more."""


class Cell(NamedTuple):
    """One cell of the cache: numbered as they were computed, with the adapter that was set then."""

    number: int
    token: int
    adapter: str


class Part(NamedTuple):
    """What was saved of some positions, from `start` on."""

    data: NDArray[np.uint8]
    start: int
    cells: list[Cell]


class Shadow(Llama):
    """The real thing, and beside it `cells`: what each sequence must hold, one for each of its positions."""

    def __init__(self, load: Load) -> None:
        super().__init__(load, lambda fraction: None)
        self.reset()

        self._saved: dict[bytes, list[Cell]] = {}

    def reset(self) -> None:
        """Forget everything, whatever state a fault has left."""
        self.cells: dict[int, list[Cell]] = {sequence: [] for sequence in range(SEQUENCES)}
        self._computed = self.returned = 0
        self._step = 0  # the number of the last cell before the last step
        self.parts: dict[int, Part] = {}
        """What was saved, by `id`; the bytes are kept with it, so that none comes again."""
        self.seen: list[tuple[str, list[int], Logits]] = []
        """Logits by adapter and tokens, some of all that were computed."""
        for sequence in self.cells:
            super().cut(sequence)

    @property
    def used(self) -> int:
        """Cells in use; one that several sequences share counts once."""
        return len({cell.number for cells in self.cells.values() for cell in cells})

    def tokens(self, sequence: int) -> list[int]:
        return [cell.token for cell in self.cells[sequence]]

    def copy(self, source: int, target: int, length: int) -> None:
        held = len(self.cells[source])
        assert held >= length, f"{length} positions are copied of sequence {source}, which has {held}"
        assert self.can_cut or held == length, f"{length} positions are copied of a state with {held}"
        assert not self.cells[target], f"sequence {target} is copied to and not empty"
        self.cells[target] = self.cells[source][:length]
        super().copy(source, target, length)

    def cut(self, sequence: int, length: int = 0) -> None:
        held = len(self.cells[sequence])
        assert held >= length, f"sequence {sequence} is cut at {length} and has {held}"
        back = all(cell.number > self._step for cell in self.cells[sequence][length:]) and self.can_take_back
        cuttable = self.can_cut or back or not length or held == length
        assert cuttable, f"sequence {sequence} of a state is cut at {length}"
        del self.cells[sequence][length:]
        super().cut(sequence, length)

    def share(self, source: int, target: int, length: int) -> None:
        assert self.can_cut, "a part of a state is to be shared"
        assert len(self.cells[target]) >= length, f"sequence {target} is to share more than it has"
        same = self.tokens(source)[:length] == self.tokens(target)[:length]
        assert same, f"sequences {source} and {target} are to share what is not the same"
        rest, self.cells[target] = self.cells[target][length:], []
        super().share(source, target, length)  # which copies, and so counts the beginning
        self.cells[target] += rest

    def save_state(self, sequence: int, target: NDArray[np.uint8]) -> bool:
        saved = super().save_state(sequence, target)
        self._saved[target.tobytes()] = [*self.cells[sequence]]
        return saved

    def load_state(self, sequence: int, state: NDArray[np.uint8]) -> bool:
        assert not self.cells[sequence], f"sequence {sequence} is restored and not empty"
        for cell in self._saved[state.tobytes()]:
            self._computed += 1
            self.cells[sequence].append(cell._replace(number=self._computed))
        return super().load_state(sequence, state)

    def save_part(self, sequence: int, spare: int, start: int, end: int, most: int) -> NDArray[np.uint8] | None:
        assert self.can_cut, "a part of a state is saved"
        assert len(self.cells[sequence]) >= end > start, f"{start} to {end} are saved of {len(self.cells[sequence])}"
        assert not self.cells[spare], f"sequence {spare} is saved from and not empty"
        data = super().save_part(sequence, spare, start, end, most)
        if data is not None:
            self.parts[id(data)] = Part(data, start, self.cells[sequence][start:end])
            self._saved[data.tobytes()] = self.cells[sequence][start:end]
        return data

    def load_part(self, state: NDArray[np.uint8], spare: int, target: int, start: int, end: int) -> bool:
        part, held, before = self.parts[id(state)], len(self.cells[target]), self._computed
        assert held == start, f"positions from {start} on are put back behind {held} of sequence {target}"
        assert part.start <= start < end <= part.start + len(part.cells), "what is put back was not saved"
        assert self.used + len(part.cells) <= self.context, "there is no room for what is put back"
        good = super().load_part(state, spare, target, start, end)
        assert good, "what is put back is refused"
        back = [cell._replace(number=before + 1 + i) for i, cell in enumerate(part.cells)]
        self.cells[target] += back[start - part.start : end - part.start]
        self.returned += end - start
        return good

    def decode(self, entries: Sequence[Entry], tick: Callable[[], None] | None = None) -> None:
        self._step = self._computed
        for entry in entries:
            cells = self.cells[entry.sequence]
            assert entry.position == len(cells), f"{entry} does not stand behind {len(cells)} positions"
            self._computed += 1
            cells.append(Cell(self._computed, entry.token, self._adapted))
        assert self.used <= self.context, f"{self.used} cells are in use of {self.context}"
        super().decode(entries, tick)
        for i, entry in enumerate(entries):
            if entry.logits and self._computed % 7 == i % 7:
                tokens = self.tokens(entry.sequence)[: entry.position + 1]
                self.seen.append((self._adapted, tokens, self.logits(i).copy()))


def load(architecture: str = "llama", adapters: int = 0, context: int = CONTEXT, window: int = 16) -> Shadow:
    """A small model with adapters `a0`, `a1`, ... of it, strong enough to change what it says.

    `window` is of the architectures whose attention slides.
    """
    warm_imports()
    model = small(architecture)
    if key := next((key for key in model.fields if key.endswith("sliding_window")), None):
        model = model.but(**{key: (U32, window)})
    lent = (Adapter(f"a{i}", _file(small_adapter(model, rank=4 + i).write()), scale=20.0) for i in range(adapters))
    return Shadow(Load(model_fd=_file(model.write()), context=context, adapters=tuple(lent)))


def _file(data: bytes) -> int:
    fd = os.memfd_create("model")
    assert os.write(fd, data) == len(data)
    return fd


# --- checking ------------------------------------------------------------------------------------


def check(engine: Engine, llama: Shadow) -> None:
    """Hold an engine between two steps against the cells that there are. Raises AssertionError."""
    for sequence, cells in llama.cells.items():
        length = llama.length(sequence)
        assert length == len(cells), f"sequence {sequence} has {length} positions and should have {len(cells)}"
    running = [*engine._running.values()]
    tree = engine._cells.tree
    nodes = [(key, node) for key, root in tree._roots.items() for node in _below(root)]
    leaves = [node for _, node in nodes if node.sequence >= 0]
    own = sum(_check_running(one, llama) for one in running)
    _check_tree(engine, llama, nodes, running)
    assert llama.used == tree.cells + own, f"{llama.used} in use: {tree.cells} kept, {own} own"

    free = engine._cells.free
    owned = [s for one in running for s in one.sequences] + [leaf.sequence for leaf in leaves] + free
    assert sorted(owned) == [*range(SEQUENCES)], f"sequences are lost or lent twice: {sorted(owned)}"
    assert not any(llama.cells[sequence] for sequence in free), "a free sequence is not empty"

    keys = {one.sequences[0]: (one.job.owner, one.job.adapter) for one in running}
    keys |= {node.sequence: key for key, node in nodes if node.sequence >= 0}
    _check_keys(llama, keys, [(key, node) for key, node in nodes if node.state])


def _has_own(node: Node) -> bool:
    ends = node.resident and not any(child.resident for child in node.children.values())
    return node.parent is not None and (isinstance(node, State) or ends)


def _below(root: Node) -> Iterator[Node]:
    yield root
    for child in root.children.values():
        yield from _below(child)


def _check_running(running: Running, llama: Shadow) -> int:
    """Cells of a request that are its own."""
    job, first = running.job, running.sequences[0]
    lanes = {lane.sequence: lane for lane in job.lanes()}
    for sequence in running.sequences:
        held = len(llama.cells[sequence])
        wanted = lanes[sequence].position if sequence in lanes else 0
        assert held == wanted, f"request {job.id} is at {wanted} of sequence {sequence}, which has {held}"
    main, fed = llama.tokens(first), job.fed
    assert main[: len(fed)] == fed, f"request {job.id} stands on other tokens than its own"
    assert len(main) - len(fed) <= len(getattr(job, "_draft", ())), f"request {job.id} has more cells than tokens"
    own = len(main) - running.shared
    for sequence, (lane, index) in getattr(job, "_branches", {}).items():
        begun = [*job.prompt, *job._continuations[index]][: lane.position]  # type: ignore[attr-defined]
        assert llama.tokens(sequence) == begun, f"a branch of request {job.id} stands on other tokens than its own"
        assert llama.cells[sequence][: len(main)] == llama.cells[first], f"a branch of request {job.id} is no branch"
        own += lane.position - len(main)
    return own


def _check_tree(engine: Engine, llama: Shadow, nodes: list[tuple[Any, Node]], running: list[Running]) -> None:
    tree = engine._cells.tree
    stood_on = Counter(id(node) for one in running if one.prefix for node in one.prefix.node.path())
    kept: set[int] = set()
    for _, node in nodes:
        assert node.pins == stood_on[id(node)], (
            f"{node.pins} requests are said to stand where {stood_on[id(node)]} do"
        )
        assert (node.sequence >= 0) == _has_own(node), "leaves alone have sequences, or all states"
        if node.sequence >= 0:
            tokens = [token for one in [*node.path()][::-1] for token in one.tokens]
            assert llama.tokens(node.sequence) == tokens, f"sequence {node.sequence} is not what is kept"
            kept |= {cell.number for cell in llama.cells[node.sequence]}
        assert node.resident or node.state, "a node stands nowhere"
        assert not node.resident or not node.parent or node.parent.resident, "a node stands on what is parked"
        if node.state:
            part = llama.parts[id(node.state.data)]
            first = node.depth - len(node.tokens) - part.start
            tokens = tuple(cell.token for cell in part.cells[first : first + len(node.tokens)])
            assert first >= 0 and tokens == node.tokens, "what is parked is not what is said to be"
    if isinstance(tree, Parked):
        assert tree.bytes <= tree.most_bytes, f"{tree.bytes} bytes are parked, {tree.most_bytes} may be"
    stood = sum(len(node.tokens) for _, node in nodes if node.pins)
    assert tree.pinned == stood, f"{tree.pinned} tokens are said to be stood on, and {stood} are"
    told, leaves = (
        sum(len(node.tokens) for _, node in nodes if node.resident),
        sum(node.sequence >= 0 for _, node in nodes),
    )
    assert tree.cells == told == len(kept), f"{tree.cells} cells are kept, or {told}, or {len(kept)}"
    assert tree.leaves == leaves, f"{tree.leaves} sequences are kept, or {leaves}"
    for one in running:
        beginning = llama.cells[one.sequences[0]][: one.shared]
        assert all(cell.number in kept for cell in beginning), f"request {one.job.id} stands on what is not kept"


def _check_keys(llama: Shadow, keys: dict[int, tuple[str, str]], parked: list[tuple[tuple[str, str], Node]]) -> None:
    """No cell serves two owners, or an adapter that it was not computed with, nor did any that is parked."""
    owners: dict[int, tuple[str, str]] = {}
    served = [(key, llama.cells[sequence]) for sequence, key in keys.items()]
    for key, cells in [*served, *((key, llama.parts[id(node.state.data)].cells) for key, node in parked)]:
        for cell in cells:
            assert cell.adapter == key[1], f"a cell of adapter {cell.adapter!r} serves {key}"
            assert owners.setdefault(cell.number, key) == key, f"a cell of {owners[cell.number]} serves {key}"


# --- random requests -----------------------------------------------------------------------------

RULES = ("", "these are the rules that all of you begin with ", "no no " * 8)
WORDS = ("the ", "bird ", "sang in ", "dadada ", "a rather long run of words ", "red green blue red ", "q", "oooo ")
CONSTRAINTS = (
    None,
    None,
    None,
    Pattern("[a-c ]{30}"),
    Pattern("(red ){3,20}"),
    Fixed("red green blue red"),
    Holes((
        Fixed('{"a": '),
        Hole("n", Number((3, 41), True)),
        Fixed(', "b": "'),
        Hole("w", Choice(("yes", "no"))),
        Fixed('", "c": "'),
        Hole("c", Pattern("[a-z]{5,40}")),
        Fixed('"}'),
    )),
)  # fmt: skip
STOPS: tuple[tuple[str, ...], ...] = ((), (), ("ab", "zz"), ("red",))


def random_request(rng: random.Random, context: int) -> Generate | Score:
    """Of few owners, beginnings and words, so that much is shared and repeated."""
    rules, stable = rng.choice(RULES), rng.choice((0, 1, 1, 2))
    text = _words(rng, (1, 2, 4, 8, 20))[: max(0, rng.choice((20, 60, 120, context * 9 // 10)) - len(rules))]
    prompt = (Segment(rules, True), Segment(text or "q", True))
    owner = rng.choice(("", "", "ann"))
    if rng.random() < 0.15:
        continuations = (_words(rng, (1, 1, 2, 3)) for _ in range(rng.choice((1, 2, 5, 20))))
        return Score(prompt, tuple(continuations), owner=owner, stable=stable)
    return Generate(
        prompt,
        constraint=rng.choice(CONSTRAINTS),
        max_tokens=rng.choice((1, 3, 10, 40, 100, context)),
        sampling=rng.choice((Sampling(), Sampling(), Sampling(0.7, 0.95, 20, rng.randrange(99)))),
        stop=rng.choice(STOPS),
        owner=owner,
        stable=stable,
    )


def _words(rng: random.Random, counts: Sequence[int]) -> str:
    return "".join(rng.choice(WORDS) for _ in range(rng.choice(counts)))


# --- running -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Totals:
    """What came of one seed, or of several: requests that ended well, those of them that were paused or resumed,
    tokens that were put back from where they were parked, tokens guessed, and answers that are not what the engine
    says to the same request alone and without guesses.

    Such a difference is no fault by itself: batches of another shape round otherwise, and a made-up model's likeliest
    tokens are near each other.
    """

    steps: int = 0
    ended: int = 0
    paused: int = 0
    resumed: int = 0
    cached: int = 0
    returned: int = 0
    guessed: int = 0
    differing: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass
class Asked:
    """A request and what came back. One that goes on from an earlier answer has that one's first records."""

    request: Generate | Score
    adapter: str
    records: list[Emitted]
    resumed: bool = False
    end: Ended | Failed | None = None

    @property
    def text(self) -> str:
        return "".join(record.text for record in self.records)

    @property
    def tokens(self) -> tuple[int, ...]:
        return tuple(token for record in self.records for token in record.tokens)

    @property
    def done(self) -> Done | None:
        return self.end.done if isinstance(self.end, Ended) else None


class _SeededSizer(StepSizer):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def budget(self, seconds: float) -> int:
        return self._rng.choice((SMALLEST, 4 * SMALLEST, LARGEST))


@dataclass
class _Drive:
    """One engine on an empty memory."""

    llama: Shadow
    rng: random.Random
    asked: dict[int, Asked] = field(default_factory=dict)
    steps: int = 0

    def __post_init__(self) -> None:
        self.llama.reset()
        self.engine = Engine(self.llama, SEQUENCES)
        self.engine._sizer = _SeededSizer(self.rng)

    def submit(self, asked: Asked) -> None:
        id = len(self.asked) + 1
        self.asked[id] = asked
        self._note(self.engine.submit(Submit(id, asked.request, asked.tokens, asked.adapter)))

    def step(self) -> None:
        self._note(self.engine.step())
        self.steps += 1
        assert self.steps < ENDLESS, "the engine does not come to an end"

    def cancel(self) -> None:
        """One that has not ended, if there is any."""
        if open := [id for id, asked in self.asked.items() if asked.end is None]:
            id = self.rng.choice(open)
            self._note(self.engine.cancel(id))
            assert self.asked[id].end, f"request {id} was cancelled and has no end"

    def _note(self, records: Iterable[Any]) -> None:
        for record in records:
            asked = self.asked[record.id]
            assert asked.end is None, f"request {record.id} goes on after its end: {record}"
            if isinstance(record, Emitted):
                asked.records.append(record)
            else:
                asked.end = record


def run(
    seed: int, llama: Shadow, *, requests: int = 30, room: int = 16, cancelled: float = 0.03, compare: bool = False
) -> Totals:
    """Random requests to a new engine until all have ended, `room` tokens let in ahead of each answer.

    `cancelled` is how often a step is followed by a cancellation; `compare` has each answer computed again alone.
    Raises AssertionError, or the LinnetError of a step, at the first fault.
    """
    rng = random.Random(seed)
    memory = random.Random(seed)  # of its own: what is asked is the same, however it is kept
    with patch.object(generate, "ROOM", room), patch.object(parked, "STRIDE", memory.choice((16, 64, 256))):
        drive = _Drive(llama, rng)
        if isinstance(tree := drive.engine._cells.tree, Parked):
            tree.most_bytes = memory.choice((LIMITS.parked_bytes, 100_000, 20_000, 0))
        stalled = 0
        while len(drive.asked) < requests or drive.engine.busy:
            while len(drive.asked) < requests and rng.random() < 0.5:
                drive.submit(_next(rng, drive))
            before = drive.engine.progress
            if drive.engine.busy:
                drive.step()
                check(drive.engine, llama)
                stalled = 0 if drive.engine.progress > before else stalled + 1
                assert stalled < STALLED, f"no progress in {stalled} steps"
            elif memory.random() < 0.5:
                drive.engine.rest()
                check(drive.engine, llama)
            if rng.random() < cancelled:
                drive.cancel()
                check(drive.engine, llama)
        for id, asked in drive.asked.items():
            _check_end(id, asked)
        ended = [(asked, asked.done) for asked in drive.asked.values() if asked.done]
        returned = llama.returned
        recompute(llama, rng)
        differing = sum(_differs(asked, done, llama) for asked, done in ended) if compare else 0
    return Totals(
        steps=drive.steps,
        ended=len(ended),
        paused=sum(any(note.startswith("paused") for note in done.degraded) for _, done in ended),
        resumed=sum(asked.resumed for asked, _ in ended),
        cached=sum(done.usage.cached_tokens for _, done in ended),
        returned=returned,
        guessed=sum(done.usage.guessed_tokens for _, done in ended),
        differing=differing,
    )


def recompute(llama: Shadow, rng: random.Random) -> None:
    """Hold some of the logits that were used against those of the same tokens computed at once, by themselves."""
    seen = rng.sample(llama.seen, min(SEEN, len(llama.seen)))
    llama.reset()
    for adapter, tokens, logits in seen:
        llama.adapt(adapter)
        llama.decode([Entry(token, i, 0, i == len(tokens) - 1) for i, token in enumerate(tokens)])
        apart = float(abs(llama.logits(len(tokens) - 1) - logits).max())
        assert apart < ASTRAY, f"logits behind {len(tokens)} tokens are {apart:.2f} from those computed alone"
        llama.cut(0)


def _next(rng: random.Random, drive: _Drive) -> Asked:
    """A new request, or one that a worker is said to have died over between two of its records."""
    earlier = [one for one in drive.asked.values() if one.records and isinstance(one.request, Generate)]
    if earlier and rng.random() < 0.2:
        one = rng.choice(earlier)
        kept = rng.randint(1, len(one.records))
        return Asked(one.request, one.adapter, one.records[:kept], resumed=True)
    return Asked(random_request(rng, drive.llama.context), rng.choice(("", *drive.llama.adapters)), [])


def _check_end(id: int, asked: Asked) -> None:
    assert asked.end, f"request {id} has no end"
    done = asked.done
    if done is None:
        code = asked.end.code if isinstance(asked.end, Failed) else ""
        long = isinstance(asked.request, Score) and code == "context_overflow"
        assert long or code == "cancelled", f"request {id} failed: {asked.end}"
        return
    assert done.text.startswith(asked.text), f"request {id} was sent {asked.text!r} of {done.text!r}"
    usage = done.usage
    assert 0 <= usage.cached_tokens <= usage.prompt_tokens, f"request {id}: {usage}"
    if isinstance(asked.request, Score):
        told = len(done.scores), [score < 0 and count > 0 for score, count in done.scores]
        assert told == (len(asked.request.continuations), [True] * told[0]), f"request {id}: {done.scores}"
        return
    assert usage.generated_tokens == len(asked.tokens), f"request {id} was sent {len(asked.tokens)} tokens: {usage}"
    assert max(usage.forced_tokens, usage.guessed_tokens) <= usage.generated_tokens, f"request {id}: {usage}"
    assert done.finish != "constraint" or _fits(asked.request, done), (
        f"request {id} lost its constraint: {done.text!r}"
    )


def _fits(request: Generate, done: Done) -> bool:
    match request.constraint:
        case Pattern(regex=regex):
            return bool(re.fullmatch(regex, done.text))
        case Fixed(text=text):
            return done.text == text
        case Holes():
            return set(done.captures) == {"n", "w", "c"}
    return False


def _differs(asked: Asked, done: Done, llama: Shadow) -> bool:
    if isinstance(asked.request, Score):
        return False
    with patch.object(engines, "GUESSES", {}):
        drive = _Drive(llama, random.Random(0))
        drive.submit(Asked(asked.request, asked.adapter, []))
        while drive.engine.busy:
            drive.step()
    alone = drive.asked[1].done
    assert alone, f"what ended among others fails alone: {drive.asked[1].end}"
    return (alone.text, alone.finish, alone.captures) != (done.text, done.finish, done.captures)

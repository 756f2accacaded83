"""The ladder by numbers alone: its steps never touch what is in use, help, and end within the budget."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from linnet.runtime.pool.residency import (
    Admit,
    Evict,
    Held,
    Need,
    Refuse,
    Release,
    Settle,
    Wait,
    relief,
    total,
    towards,
)

SIZES = st.integers(0, 40)
NEEDS = st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True).map(
    lambda sizes: tuple(Need(512 * (9 - i), size) for i, size in enumerate(sorted(sizes, reverse=True)))
)


@st.composite
def residents(draw: st.DrawFn, states: tuple[str, ...] = ("idle", "busy", "leaving")) -> tuple[Held, ...]:
    made = []
    for i in range(draw(st.integers(0, 6))):
        size = draw(SIZES)
        cache = draw(st.integers(0, size))
        made.append(Held(f"m{i}", size, cache, draw(st.sampled_from(states)), draw(st.integers(0, 5))))  # type: ignore[arg-type]
    return tuple(made)


def followed(needs: tuple[Need, ...], held: tuple[Held, ...], budget: int) -> tuple[list[object], tuple[Held, ...]]:
    """The steps up to the last, and who is left; who leaves is gone when there is time for it."""
    steps: list[object] = []
    for _ in range(4 * len(held) + 4):
        step = towards(needs, held, budget)
        steps.append(step)
        match step:
            case Release(name):
                held = tuple(replace(h, size=h.size - h.cache, cache=0) if h.name == name else h for h in held)
            case Evict(name):
                held = tuple(replace(h, state="leaving") if h.name == name else h for h in held)
            case Settle():
                held = tuple(h for h in held if h.state != "leaving")
            case _:
                return steps, held
    raise AssertionError("the ladder has no end")


@given(NEEDS, residents(), SIZES)
def test_it_ends_and_what_is_admitted_fits(needs: tuple[Need, ...], held: tuple[Held, ...], budget: int) -> None:
    steps, left = followed(needs, held, budget)
    last = steps[-1]
    assert isinstance(last, Admit | Wait | Refuse)
    if isinstance(last, Admit):
        assert last.need in needs and total(left) + last.need.size <= budget
        busy = total(h for h in held if h.state == "busy")
        assert last.need == next(n for n in needs if busy + n.size <= budget), "the largest that can be had"
    if isinstance(last, Refuse):
        assert last.least == needs[-1] and last.least.size > budget and len(steps) == 1, "nothing goes in vain"
    if isinstance(last, Wait):
        busy = [h for h in held if h.state == "busy"]
        assert busy and total(busy) + needs[-1].size > budget
        assert not any(isinstance(step, Release | Evict) for step in steps), "nothing goes in vain"


@given(NEEDS, residents(), SIZES)
def test_who_is_in_use_is_never_touched(needs: tuple[Need, ...], held: tuple[Held, ...], budget: int) -> None:
    steps, left = followed(needs, held, budget)
    touched = {step.name for step in steps if isinstance(step, Release | Evict)}
    assert not touched & {h.name for h in held if h.state != "idle"}
    assert [h for h in left if h.state == "busy"] == [h for h in held if h.state == "busy"]


@given(NEEDS, residents(), SIZES)
def test_the_least_recently_used_go_first(needs: tuple[Need, ...], held: tuple[Held, ...], budget: int) -> None:
    steps, _ = followed(needs, held, budget)
    order = [h.name for h in sorted(held, key=lambda h: (h.used, h.name)) if h.state == "idle"]
    gone = [step.name for step in steps if isinstance(step, Evict)]
    assert gone == order[: len(gone)]
    emptied = [step.name for step in steps if isinstance(step, Release)]
    assert emptied == [name for name in order if name in emptied]


@given(NEEDS, residents(), SIZES)
def test_no_model_goes_where_caches_are_enough(needs: tuple[Need, ...], held: tuple[Held, ...], budget: int) -> None:
    assume(not any(h.state == "leaving" for h in held))
    steps, _ = followed(needs, held, budget)
    caches = sum(h.cache for h in held if h.state == "idle")
    if isinstance(last := steps[-1], Admit) and total(held) - caches + last.need.size <= budget:
        assert not any(isinstance(step, Evict) for step in steps)


@given(NEEDS, residents())
def test_unknown_memory_holds_everything(needs: tuple[Need, ...], held: tuple[Held, ...]) -> None:
    assert towards(needs, held, None) == Admit(needs[0])
    assert relief(held, None) is None


@given(residents(("idle", "busy")), SIZES)
def test_relief_ends_when_all_fits_or_all_are_in_use(held: tuple[Held, ...], budget: int) -> None:
    for _ in range(2 * len(held) + 1):
        step = relief(held, budget)
        if step is None:
            break
        assert total(held) > budget
        assert next(h for h in held if h.name == step.name).state == "idle"
        if isinstance(step, Evict):
            held = tuple(h for h in held if h.name != step.name)
        else:
            held = tuple(replace(h, size=h.size - h.cache, cache=0) if h.name == step.name else h for h in held)
    assert relief(held, budget) is None
    assert total(held) <= budget or all(h.state == "busy" for h in held)


# --- by example ----------------------------------------------------------------------------------

WANTED = (Need(4096, 30), Need(2048, 20), Need(1024, 10))


def test_a_ladder_from_top_to_bottom() -> None:
    a, b = Held("a", 40, 5, used=1), Held("b", 40, 5, used=2)
    assert towards(WANTED, (a, b), 110) == Admit(WANTED[0])
    assert towards(WANTED, (a, b), 105) == Release("a"), "caches of both would be enough"
    assert towards(WANTED, (a, b), 90) == Evict("a"), "and here they would not"
    busy = replace(b, state="busy")
    assert towards(WANTED, (a, busy), 60) == Evict("a"), "and then a smaller context"
    assert towards(WANTED, (busy,), 60) == Admit(WANTED[1])
    assert towards(WANTED, (busy,), 45) == Wait()
    assert towards(WANTED, (a, busy), 45) == Wait(), "ending `a` would not help"
    assert towards(WANTED, (a, busy), 9) == Refuse(WANTED[2])


def test_who_is_leaving_is_waited_for_before_anything_else_goes() -> None:
    held = (Held("a", 40, 40, "leaving"), Held("b", 40, 40))
    assert towards(WANTED, held, 80) == Settle()
    assert relief(held, 10) is None

"""Numbers in a text, in digits or words; looking for them is linear and never fails."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linnet.calling.evidence.quantities import Places, Quantity, numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("no number at all", []),
        ("5 and 7.5", [5, 7.5]),
        ("1,234,567 people", [1_234_567]),
        ("1,2,3", [1, 2, 3]),
        ("-4 or −4", [-4, -4]),
        ("minus 4, negative two", [-4, -2]),
        ("$5.50, €3 and £2", [5.5, 3, 2]),
        ("2e3", [2000]),
        ("3 million, 3million, 3  thousand", [3e6, 3e6, 3000]),
        ("5k, 10K, 1.2M and 3bn", [5000, 10_000, 1_200_000, 3_000_000_000]),
        ("$2.5k or -3k", [2500, -3000]),
        ("8.2 million, 16.1M", [8_200_000, 16_100_000]),
        ("5km, 4kb, 3m, 7BN", [5, 4, 3, 7]),
        ("5kg 5k5 5M^2", [5, 5, 5]),
        ("1e99999999999999999999 million", []),
        ("5\nthousand and 6\tmillion", [5000, 6e6]),
        ("8.854 x 10^-12 F/m", [8.854e-12]),
        ("6.02×10^23, 5 * 10**3 and 3 · 10^(-4)", [6.02e23, 5000, 3e-4]),
        ("2 x 10 boards", [2, 10]),
        ("1 x 10^999 and 2", [2]),
        ("5x^2 - 7x - 3 = 0", [5, -7, -3, 0]),
        ("3x² + 4y − 1", [3, 4, -1]),
        ("10 - 5 m, max - 5", [10, 5, 5]),
        ("axis X - 20 degrees, iPhone x - 2", [20, 2]),
        ("x^2 - 4, 3x - 1", [-4, 3, -1]),
        ("two hundred and fifty", [250]),
        ("one thousand two hundred thirty-four", [1234]),
        ("a dozen eggs, half a cup", [12, 0.5]),
        ("two and a half hours", [2.5]),
        ("2 and a half", [2.5]),
        ("abc123 v1.2.3 x^2", []),
        ("٣ apples", [3]),
        ("9" * 400, []),
        ("1e999 and 2", [2]),
        (" ".join(["hundred"] * 200), []),
        ("5 5 5", [5, 5, 5]),
        ("at 5 pm on 3 March 2026", []),
        ("in 40 minutes", [40]),
        ("in 40      minutes", [40]),
        ("seventh, tenfold, someone", []),
    ],
)
def test_values(text: str, expected: list[float]) -> None:
    assert [q.value for q in numbers(text)] == expected


def test_a_number_knows_its_place_and_form() -> None:
    assert numbers("tip 8 % of ninety") == (Quantity(8, 4, 5, percent=True), Quantity(90, 11, 17, spelled=True))
    assert numbers("8 per cent")[0].percent and not numbers("8 percentile")[0].percent
    assert numbers("minus 4") == (Quantity(-4, 0, 7),)


def test_places_meet_where_they_share_a_character() -> None:
    places = Places([(5, 8), (0, 2), (7, 12)])
    assert places.meet(1, 3) and places.meet(11, 12) and places.meet(0, 100)
    assert not places.meet(2, 5) and not places.meet(12, 20) and not Places([]).meet(0, 9)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5))), st.integers(0, 35), st.integers(1, 5))
def test_places_meet_as_if_each_were_asked(found: list[tuple[int, int]], start: int, length: int) -> None:
    spans = [(begin, begin + size) for begin, size in found]
    end = start + length
    assert Places(spans).meet(start, end) == any(a < end and start < b for a, b in spans)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", " ", "-", "and ", "1,", "1 ", "in 5 days ", "one ", "hundred and ", "1e", "$"])
def test_long_texts_take_no_long_time(unit: str) -> None:
    """A second or so each; what is quadratic takes minutes, and the time limit ends it."""
    numbers((unit * 100_000)[:100_000])


@pytest.mark.timeout(20)
@pytest.mark.parametrize("start", ["1", "one", "minus", "half", "in 5"])
def test_long_gaps_take_no_long_time(start: str) -> None:
    numbers(start + " " * 100_000 + "x")


TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from("1 5, $ % and at In half million ſix - minus \n".split(" "))).map(" ".join),
    st.text(alphabet="1e.,-^$ \n\tthousandmilıſ%/'@~"),
)


@given(TEXTS)
@example("5\nthouſand")
@example("two mıllion and 1e5^")
def test_nothing_fails_and_places_are_inside(text: str) -> None:
    places = [(q.start, q.end) for q in numbers(text)]
    assert places == sorted(places) and all(0 <= a < b <= len(text) for a, b in places)


@given(st.integers(-(10**12), 10**12))
def test_any_whole_number_is_read_back(number: int) -> None:
    assert [q.value for q in numbers(f"take {number:,} of it")] == [number]

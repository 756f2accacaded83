"""What a request says by itself, and that looking for it is linear and never fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linnet.calling import evidence
from linnet.calling.evidence import Quantity

UNITS = ("meters", "kilometers", "feet", "celsius", "weekly", "miles", "nautical miles")


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
        ("5\nthousand and 6\tmillion", [5000, 6e6]),
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
def test_numbers(text: str, expected: list[float]) -> None:
    assert [q.value for q in evidence.numbers(text)] == expected


def test_a_number_knows_its_place_and_form() -> None:
    assert evidence.numbers("tip 8 % of ninety") == (
        Quantity(8, 4, 5, percent=True),
        Quantity(90, 11, 17, spelled=True),
    )
    assert evidence.numbers("8 per cent")[0].percent and not evidence.numbers("8 percentile")[0].percent
    assert evidence.numbers("minus 4") == (Quantity(-4, 0, 7),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the prices of getWeather in new_york", ["pric", "weath", "new", "york"]),
        ("", []),
        ("what is the", []),
        ("Übergröße für München", ["übergröß", "für", "münchen"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert evidence.words(text) == expected


@pytest.mark.parametrize("same", [("price", "prices", "pricing"), ("city", "cities"), ("convert", "converted")])
def test_forms_of_a_word_meet(same: tuple[str, ...]) -> None:
    assert len(set(map(evidence.stem, same))) == 1


def test_a_short_word_stays() -> None:
    assert [evidence.stem(w) for w in ("is", "ed", "", "s", "bed")] == ["is", "ed", "", "s", "bed"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 miles in kilometers", ["miles", "kilometers"]),
        ("kilometres, then a MILE", ["kilometers", "miles"]),
        ("three nautical miles", ["nautical miles"]),
        ("nautical miles and miles", ["nautical miles", "miles"]),
        ("12m to ft", ["meters", "feet"]),
        ("I'm here", []),
        ("every monday", ["weekly"]),
        ("feet and feet", ["feet"]),
        ("", []),
    ],
)
def test_named_options(text: str, expected: list[str]) -> None:
    assert evidence.named(text, UNITS) == expected


def test_options_without_words_are_never_named() -> None:
    assert evidence.named("2 + 2 - 1 _", ["", "+", "-", "_"]) == []


def test_places_are_those_of_the_words() -> None:
    text = "from 3 miles to feet"
    assert [(text[a:b], option) for a, b, option in evidence.places_named(text, UNITS)] == [
        ("miles", "miles"),
        ("feet", "feet"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('say "hello there" and “bye”', ["hello there", "bye"]),
        ("it's Anna's 'big day'", ["big day"]),
        ("run `ls -l`", ["ls -l"]),
        ('an open " quote', []),
        ('""', []),
        ('"a \\ b"', ["a \\ b"]),
        ("““a”", ["a"]),
    ],
)
def test_quoted(text: str, expected: list[str]) -> None:
    assert evidence.quoted(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read notes.txt and docs/plan.md.", ["notes.txt", "docs/plan.md"]),
        ("open ~/music/, please", ["~/music"]),
        ("/etc/hosts", ["/etc/hosts"]),
        ("unpack archive.tar.gz", ["archive.tar.gz"]),
        ("write to anna@example.com", []),
        ("costs 3.50 or 2.", []),
        ("wait... what", []),
        ("Größe.txt", ["Größe.txt"]),
    ],
)
def test_paths(text: str, expected: list[str]) -> None:
    assert evidence.paths(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call Anna Smith for me", ["Anna Smith"]),
        ("Go. Then I see the Bank of America.", ["Bank of America"]),
        ("a flight to Rio de Janeiro", ["Rio de Janeiro"]),
        ("nothing here", []),
        ("what about Anna's", ["Anna's"]),
    ],
)
def test_names(text: str, expected: list[str]) -> None:
    assert evidence.names(text) == expected


def test_a_place_that_is_taken_has_no_name() -> None:
    assert evidence.names("meet Anna on Monday", [(13, 19)]) == ["Anna"]


def test_names_behind_prepositions() -> None:
    assert evidence.placed_names("ask Anna to buy it at Walmart") == ["Walmart"]


@pytest.mark.parametrize(
    ("text", "noun", "expected"),
    [
        ("buy nails at the hardware store", "store", "hardware store"),
        ("buy nails at the big hardware store today", "store", "big hardware store"),
        ("the store is closed", "store", ""),
        ("from my savings account", "account", "savings account"),
        ("for a (x", "(x", "a (x"),
    ],
)
def test_a_phrase_with_a_noun(text: str, noun: str, expected: str) -> None:
    assert evidence.phrase_with(text, noun) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eggs, milk and bread", ["eggs", "milk", "bread"]),
        ("add eggs, milk, and bread to my list", ["add eggs", "milk", "bread"]),
        ("buy: eggs & milk", ["eggs", "milk"]),
        ("eggs \n and\t milk", ["eggs", "milk"]),
        ("eggs, milk and tell me about it", ["eggs", "milk"]),
        ("", []),
        ("put the milk on the table", ["put the milk"]),
    ],
)
def test_listed(text: str, expected: list[str]) -> None:
    assert evidence.listed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("turn it on", True), ("turn it off", False), ("don't alert me", False), ("offer", True), ("", True)],
)
def test_affirmed(text: str, expected: bool) -> None:
    assert evidence.affirmed(text) is expected


def test_what_is_left() -> None:
    text = "Remind me to call the plumber about the sink tomorrow."
    own = evidence.words("remind reminder")
    assert evidence.residues(text, own, [(45, 53)]) == ["call the plumber about the sink"]
    assert evidence.residues("put the bins out", [], []) == ["put the bins out"]
    assert evidence.residues("Sing!", [], []) == []
    assert evidence.residues("... !? --", [], []) == []


def test_the_share_of_words() -> None:
    assert evidence.overlap(["a", "b"], ["b", "c"]) == 0.5
    assert evidence.overlap([], ["b"]) == 0


FACE: dict[str, Callable[[str], object]] = {
    "numbers": evidence.numbers,
    "words": evidence.words,
    "stem": evidence.stem,
    "named": lambda text: evidence.named(text, ["a b", "1", "and", *UNITS]),
    "places_named": lambda text: evidence.places_named(text, ["a b", "1", "and", "a", *UNITS]),
    "quoted": evidence.quoted,
    "paths": evidence.paths,
    "names": lambda text: evidence.names(text, [(i, i + 1) for i in range(0, len(text), 3)]),
    "placed_names": evidence.placed_names,
    "phrase_with": lambda text: evidence.phrase_with(text, "store"),
    "listed": evidence.listed,
    "affirmed": evidence.affirmed,
    "residues": lambda text: evidence.residues(text, ["b"], [(i, i + 1) for i in range(0, len(text), 9)]),
    "overlap": lambda text: evidence.overlap(text, text),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", " ", "“", "-", "and ", "the ", "1,", "1 ", "a.b/", "A b ", "in ", "one "])
def test_long_texts_take_no_long_time(unit: str) -> None:
    """A second or two each; what is quadratic takes minutes, and the time limit ends it."""
    text = (unit * 100_000)[:100_000]
    for function in FACE.values():
        function(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("start", ["at A", "1", "one", "and 'x", "minus", "a/"])
def test_long_gaps_take_no_long_time(start: str) -> None:
    for function in FACE.values():
        function(start + " " * 100_000 + "x")


TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from("1 5, $ % and at In Anna's “ ” ' \" a/b x.py miles half million ſix - \n".split(" "))
    ).map(" ".join),
    st.text(alphabet="1e.,-^$ \n\tthousandmilıſ%/'@~"),
)


@given(TEXTS)
@example("5\nthouſand")
@example("two mıllion and 1e5^")
def test_nothing_fails_and_places_are_inside(text: str) -> None:
    for function in FACE.values():
        function(text)
    places = [(q.start, q.end) for q in evidence.numbers(text)]
    assert places == sorted(places) and all(0 <= a < b <= len(text) for a, b in places)
    named = evidence.places_named(text, UNITS)
    assert named == sorted(named, key=lambda place: place[:2]) and all(0 <= a < b <= len(text) for a, b, _ in named)


@given(TEXTS)
def test_what_is_found_stands_in_the_text(text: str) -> None:
    found = evidence.quoted(text) + evidence.paths(text) + evidence.names(text) + evidence.residues(text, [], [])
    assert all(part in text for part in found)


@given(st.integers(-(10**12), 10**12))
def test_any_whole_number_is_read_back(number: int) -> None:
    assert [q.value for q in evidence.numbers(f"take {number:,} of it")] == [number]

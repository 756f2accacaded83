"""Constraints against the real vocabulary: what each kind accepts, what it refuses, and what it cannot be."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from linnet.errors import ConstraintInvalid
from linnet.limits import LIMITS
from linnet.requests import Choice, Constraint, Copy, Fixed, Hole, Holes, Number, Pattern, Schema
from linnet.worker.constrain import Guide, grammar, split_words


@pytest.fixture(scope="module")
def tokenizer(llama: Any) -> Any:
    return llama.matcher_tokenizer


@pytest.fixture(scope="module")
def accepts(llama: Any, tokenizer: Any) -> Any:
    """Whether a text is whole under a constraint, token by token as an engine would take it."""

    def accepts(constraint: Constraint, text: str) -> bool:
        guide = Guide(tokenizer, constraint)
        for token in llama.tokenise(text):
            if token not in guide.allowed():
                return False
            guide.take([token])
        return guide.satisfied

    return accepts


@pytest.fixture(scope="module")
def walk(llama: Any, tokenizer: Any) -> Any:
    """The text and captures of a model that takes any token it may, and its forced tokens."""

    def walk(constraint: Constraint, seed: int, limit: int = 80) -> tuple[str, dict[str, str], bool]:
        guide, draw, taken = Guide(tokenizer, constraint), random.Random(seed), []
        while not guide.finished and len(taken) < limit:
            if forced := guide.forced(limit - len(taken)):
                taken += forced
                continue
            token = int(draw.choice(guide.allowed()))
            if token in llama.vocabulary.ends:
                break
            guide.take([token])
            taken.append(token)
        text = b"".join(map(llama.piece, taken)).decode()
        return text, guide.captures(text), guide.satisfied

    return walk


# --- fixed text, choices, patterns ---------------------------------------------------------------

AWKWARD = [
    "",
    "a",
    'say "hi"',
    "back\\slash",
    "new\nline\ttab",
    "füße 東京 \U0001f600",
    "a/b",
    "</s>",
    "\x7f",
    "\x00",
]


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_fixed_text_is_itself_and_nothing_else(accepts: Any, text: str) -> None:
    assert accepts(Fixed(text), text)
    assert not accepts(Fixed(text), text + "x")
    if text:
        assert not accepts(Fixed(text), text[:-1])


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, 0x85, 0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFD, 0xFFFF, 0x10FFFF])
def test_no_character_is_lost_between_here_and_the_grammar(tokenizer: Any, code: int) -> None:
    """The vocabulary may lack a byte; the grammar may not fail to be read."""
    text = f"a{chr(code)}b"
    for constraint in (Fixed(text), Choice((text, "q")), Pattern(re.escape(text)), Copy(text + " c")):
        assert Guide(tokenizer, constraint).allowed().size


def test_fixed_text_is_forced_whole(llama: Any, tokenizer: Any) -> None:
    guide = Guide(tokenizer, Fixed('{"name": "weather"}'))
    assert b"".join(map(llama.piece, guide.forced(99))).decode() == '{"name": "weather"}'
    assert guide.finished


def test_no_more_is_forced_than_there_is_room_for(llama: Any, tokenizer: Any) -> None:
    guide = Guide(tokenizer, Fixed("one two three four five six"))
    first = guide.forced(2)
    assert len(first) == 2 and not guide.finished
    rest = guide.forced(99)
    assert b"".join(map(llama.piece, first + rest)).decode() == "one two three four five six"


def test_bytes_that_the_vocabulary_lacks_make_a_constraint_invalid(tokenizer: Any) -> None:
    """SmolLM2 has no token for byte 4, so nothing can spell this text."""
    with pytest.raises(ConstraintInvalid):
        guide = Guide(tokenizer, Fixed("a\x04b"))
        guide.forced(9)
        guide.allowed()


def test_choice(accepts: Any) -> None:
    constraint = Choice(("lunch", "lunch menu", 'the "best"', "a|b", "/x/", "東京"))
    for option in constraint.options:
        assert accepts(constraint, option)
    for other in ("", "lun", "lunch ", "dinner", "the best", "a", "b"):
        assert not accepts(constraint, other)


def test_choice_of_nothing(accepts: Any) -> None:
    with pytest.raises(ConstraintInvalid):
        grammar(Choice(()))
    assert accepts(Choice(("",)), "") and not accepts(Choice(("",)), "a")
    assert accepts(Choice(("", "x")), "") and accepts(Choice(("", "x")), "x")


@pytest.mark.parametrize(
    ("regex", "good", "bad"),
    [
        (r"\d{4}-\d\d-\d\d", "2026-11-22", "2026-11-2"),
        ("a/b", "a/b", "ab"),
        (r"a\/b", "a/b", "a\\/b"),
        (r"a\\/b", "a\\/b", "a/b"),
        ("[/]+", "//", "x"),
        ("/", "/", ""),
        ("a\nb", "a\nb", "anb"),
        ("a\\\nb", "a\nb", "a\\b"),
        (r"a\nb", "a\nb", "a\\nb"),
        ('"[^"]*"', '"x y"', '"x'),
        ("(?i)yes|no", "YES", "maybe"),
        ("é+", "éé", "e"),
        (" #a // ", " #a // ", "#a"),
        ("", "", "a"),
    ],
)
def test_pattern(accepts: Any, regex: str, good: str, bad: str) -> None:
    assert accepts(Pattern(regex), good)
    assert not accepts(Pattern(regex), bad)


@pytest.mark.parametrize("regex", ["*", "(", "(?=a)b", r"(a)\1", "[z-a]", "a{3,1}", "(?P<n"])
def test_a_pattern_that_is_none(tokenizer: Any, regex: str) -> None:
    with pytest.raises(ConstraintInvalid):
        Guide(tokenizer, Pattern(regex))


@pytest.mark.parametrize("regex", ["((((a{1,99}){1,99}){1,99}){1,99}){1,99}", "(.*a){500}", "(a|b|ab)*" * 500])
def test_a_pattern_that_explodes_is_accepted_quickly_or_refused(tokenizer: Any, regex: str) -> None:
    try:
        guide = Guide(tokenizer, Pattern(regex))
        assert guide.allowed().size
    except ConstraintInvalid:
        pass


def test_what_a_constraint_may_take_before_its_first_token(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many copies of much text are the most that is needed; some 1.4 times of it is refused."""
    words = [f"w{i * 7919 % 10_007}{'xyz'[i % 3]}" for i in range(5_000)]
    parts = [(Fixed(f'"{i}": "'), Hole(f"n{i}", Copy(" ".join(words[i * 80 : i * 80 + 80]), 6))) for i in range(40)]
    large = Holes(tuple(part for pair in parts for part in pair))
    assert len(grammar(large).encode()) > LIMITS.grammar_bytes * 3 // 4
    assert Guide(tokenizer, large).allowed().size
    beyond = Pattern("(a|b|ab)*" * 400)
    with pytest.raises(ConstraintInvalid, match="initial_lexer_fuel"):
        Guide(tokenizer, beyond)
    monkeypatch.setattr("linnet.worker.constrain.LIMITS", replace(LIMITS, grammar_start_fuel=1_000_000))
    assert Guide(tokenizer, beyond).allowed().size


@pytest.mark.parametrize("at_most", ["(a{250}){250}", "a{65536}", "(?:a{1000}b){65}"])
def test_what_it_may_force_costs_little(tokenizer: Any, at_most: str) -> None:
    """0.07 s on the development machine, where `(a{1000}){1000}` took 0.8 s."""
    started = time.process_time()
    assert Guide(tokenizer, Pattern(at_most)).forced(64)
    assert time.process_time() - started < 5.0


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "7", "-1", "1.5", "-0.25", "123456789012345", "10"])
def test_any_number(accepts: Any, text: str) -> None:
    assert accepts(Number(), text)
    assert accepts(Number(integer=True), text) == ("." not in text)


@pytest.mark.parametrize("text", ["", "-", "01", "1.", ".5", "1e5", "1234567890123456", "+1", "1,000", "NaN", " 1"])
def test_no_number(accepts: Any, text: str) -> None:
    assert not accepts(Number(), text)
    assert not accepts(Number(integer=True), text)


def test_a_number_of_the_evidence(accepts: Any) -> None:
    constraint = Number((4, 7.5, -3, 1e22, 0.1, 4.0))
    for text in ("4", "7.5", "-3", "10000000000000000000000", "0.1"):
        assert accepts(constraint, text)
        assert json.loads(text) in constraint.evidence
    for text in ("5", "4.0", "7", "3", "-3.0", "0"):
        assert not accepts(constraint, text)


def test_a_whole_number_of_the_evidence_is_not_made_from_a_fraction(accepts: Any) -> None:
    constraint = Number((4.7, 9), integer=True)
    assert accepts(constraint, "9")
    assert not accepts(constraint, "4") and not accepts(constraint, "5") and not accepts(constraint, "4.7")
    with pytest.raises(ConstraintInvalid):
        grammar(Number((4.7,), integer=True))


# --- schemas -------------------------------------------------------------------------------------

NESTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"kind": {"enum": ["x", 'y"z', 4, None]}, "size": {"type": "integer", "minimum": 2}},
                "required": ["kind"],
                "additionalProperties": False,
            },
        },
        "ok": {"type": "boolean"},
    },
    "required": ["items", "ok"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"items": [], "ok": True},
        {"items": [{"kind": "x", "size": 12}, {"kind": 'y"z'}], "ok": False},
        {"items": [{"kind": 4}, {"kind": None}, {"kind": "x"}], "ok": True},
    ],
)
def test_schema_accepts_what_json_dumps_writes(accepts: Any, value: Any) -> None:
    assert accepts(Schema(NESTED), json.dumps(value))


@pytest.mark.parametrize(
    "text",
    [
        '{"items":[],"ok":true}',
        '{"items": [], "ok": true} ',
        '{"items": []}',
        '{"ok": true, "items": []}',
        '{"items": [{"kind": "q"}], "ok": true}',
        '{"items": [{"kind": "x", "size": 1}], "ok": true}',
        '{"items": [{"kind": 4}, {"kind": 4}, {"kind": 4}, {"kind": 4}], "ok": true}',
        '{"items": [], "ok": true, "more": 1}',
        "",
    ],
)
def test_schema_refuses(accepts: Any, text: str) -> None:
    assert not accepts(Schema(NESTED), text)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_model_picks_under_a_schema_is_json(walk: Any, seed: int) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"enum": ["x", "yy"]},
            "b": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    text, captures, satisfied = walk(Schema(schema), seed)
    value = json.loads(text)
    assert satisfied and captures == {} and text == json.dumps(value)
    assert value["a"] in ("x", "yy") and len(value["b"]) <= 2


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"enum": []},
        {"anyOf": []},
        {"not": {}},
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"$ref": "http://example.com/schema"},
        {"$ref": "#/nowhere"},
        {"pattern": "("},
    ],
    ids=json.dumps,
)
def test_a_schema_that_cannot_be_lowered(tokenizer: Any, schema: dict[str, Any]) -> None:
    with pytest.raises(ConstraintInvalid):
        Guide(tokenizer, Schema(schema))


def test_a_schema_nested_too_deep(tokenizer: Any) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(500):
        schema = {"type": "array", "items": schema}
    with pytest.raises(ConstraintInvalid):
        Guide(tokenizer, Schema(schema))


def test_a_schema_cannot_set_the_spacing_for_itself(accepts: Any) -> None:
    schema = {**NESTED, "x-guidance": {"whitespace_flexible": True}}
    assert not accepts(Schema(schema), '{  "items": [], "ok": true}')


# --- copies --------------------------------------------------------------------------------------

COPIES = {
    "Book a table.": (
        ["Book", "a", "table", "Book a table", "a table"],
        ["table.", "Boo", "able", "Book ", " a", ""],
    ),
    "He said \"hi there\" 'ok'": (["hi there", "ok", 'said "hi'], ['"hi there"', "'ok'", "ok'", '"hi']),
    "a\\b c\\\\d \\": (["a\\b", "c\\\\d", "a\\b c\\\\d", "\\"], ["a", "b", "c\\"]),
    "one\ntwo\r\n\tthree": (["one\ntwo", "two\r\n\tthree", "two"], ["one two", "two\nthree", "two\r\n"]),
    "Zoë füße 東京 \U0001f600 ok": (["Zoë", "füße 東京", "\U0001f600 ok"], ["Zo", "東", "fusse"]),
    "call f(x).": (["f(x)", "call f(x)", "call"], ["f(x", "f(x).", "f", "x", "x)"]),
    "(f(x))": (["f(x)"], ["(f(x))", "f(x", "f(x))"]),
    "f(g(x)) a[i][j], {k}": (["f(g(x))", "a[i][j]", "k"], ["f(g(x)", "f(g(x", "a[i][j", "{k}", "a[i][j],"]),
    "see (f x) now.": (["f x", "f", "see (f x)", "see (f x) now"], ["(f x)", "f x)", ") now", ")", "."]),
    "f(x, y) z": (["f(x, y)", "y", "f(x, y) z"], ["f(x,", "y)"]),
    "don't a@b.com http://x.y/z?q=1#f $5 -3 50% C++ .net": (
        ["don't", "a@b.com", "http://x.y/z?q=1#f", "$5", "-3", "50%", "C++", ".net"],
        ["a@b", "5", "net", "C"],
    ),
    "one; two, three! four? five:": (["one", "two, three", "five"], ["one;", "three!", "five:", ","]),
}


@pytest.mark.parametrize("of", COPIES, ids=ascii)
def test_copy(accepts: Any, of: str) -> None:
    good, bad = COPIES[of]
    for text in good:
        assert accepts(Copy(of), text), text
    for text in bad:
        assert not accepts(Copy(of), text), text


def test_copy_of_at_most_so_many_words(accepts: Any) -> None:
    assert accepts(Copy("one two three", 2), "two three")
    assert not accepts(Copy("one two three", 2), "one two three")
    assert accepts(Copy("one two three", 3), "one two three")
    assert accepts(Copy("one two", 1), "two") and not accepts(Copy("one two", 1), "one two")


def test_copy_of_words_that_are_there_twice(accepts: Any) -> None:
    assert accepts(Copy("a b a c"), "a c") and accepts(Copy("a b a c"), "b a")
    assert not accepts(Copy("a b a c"), "b c")


@pytest.mark.parametrize("of", ["", "   ", "\n", "...", "?!", '"', "( )", "-" * 0])
def test_copy_of_no_word(of: str) -> None:
    with pytest.raises(ConstraintInvalid, match="no word"):
        grammar(Copy(of))


@pytest.mark.parametrize("around", ["{}", '"{}".', "({})", "see {}, ok"])
@pytest.mark.parametrize("size", [256, 257, 300, 2_000])
def test_copy_of_one_very_long_word(accepts: Any, around: str, size: int) -> None:
    word = ("x" * 7 + "y") * (size // 8) + "z"
    constraint = Copy(around.format(word))
    assert accepts(constraint, word)
    assert not accepts(constraint, word[:-1])


def test_a_word_that_is_too_long_is_refused_in_words(tokenizer: Any) -> None:
    for of in ("x" * 60_000, "(" * 60_000 + "a", "a" + ")" * 60_000, "a." * 30_000):
        try:
            assert Guide(tokenizer, Copy(of)).allowed().size
        except ConstraintInvalid as error:
            assert len(error.message) < 500


def words(count: int) -> list[str]:
    draw = random.Random(count)
    return ["".join(draw.choices("abcdefgh", k=draw.randint(2, 9))) for _ in range(count)]


def test_copy_of_two_thousand_words_fits(accepts: Any) -> None:
    some = words(2_000)
    constraint = Copy(" ".join(some))
    assert len(grammar(constraint).encode()) < LIMITS.grammar_bytes
    assert accepts(constraint, " ".join(some[1_000:1_010]))
    assert not accepts(constraint, f"{some[1_000]} {some[1_500]}")


def test_a_copy_over_the_limit_is_refused_with_the_numbers() -> None:
    with pytest.raises(ConstraintInvalid, match=rf"\d+ bytes.* {LIMITS.grammar_bytes}"):
        grammar(Copy(" ".join(words(8_000))))
    with pytest.raises(ConstraintInvalid, match=f"{LIMITS.grammar_bytes}"):
        grammar(Copy(")" * LIMITS.request_bytes))


@pytest.mark.parametrize("of", [*COPIES, *AWKWARD, "a  b", " x ", "((()))x(", "a)b(c", "<>", "\x1c\x85\xa0"])
def test_the_chunks_are_the_text(of: str) -> None:
    assert "".join(split_words(of)) == of
    assert all(split_words(of))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_a_model_copies_was_said(walk: Any, seed: int) -> None:
    of = 'Please (quickly) tell "Ann Lee" that f(x) costs $4.50, not 5; see a[0].\nThanks - Bo!'
    text, _, satisfied = walk(Copy(of, 4), seed)
    assert satisfied and text in of and 1 <= len(text.split()) <= 4
    start = of.index(text)
    assert not (start and of[start - 1].isalnum() and text[0].isalnum()), "the middle of a word"
    assert text[0] not in "\"'`([{<,;:!?)]}> " and text[-1] not in "\"'`}>.,;:!? "
    assert text[-1] != ")" or text.endswith("f(x)") or text.startswith("Please")


# --- holes ---------------------------------------------------------------------------------------


def hole(name: str, *options: str) -> Hole:
    return Hole(name, Choice(options))


@pytest.fixture(scope="module")
def captured(llama: Any, tokenizer: Any) -> Any:
    def captured(constraint: Holes, text: str) -> dict[str, str]:
        guide = Guide(tokenizer, constraint)
        for token in llama.tokenise(text):
            assert token in guide.allowed(), f"{text!r} is refused at {llama.piece(token)!r}"
            guide.take([token])
        return guide.captures(text)

    return captured


CALL = Holes(
    (
        Fixed('{"people": '),
        Hole("n", Number((4, 7), True)),
        Fixed(', "place": "'),
        Hole("p", Copy('Book "La Piazza", Rome, for 4 at 7')),
        Fixed('", "meal": "'),
        hole("m", "lunch", "dinner"),
        Fixed('"}'),
    )
)


def test_holes_are_captured(captured: Any) -> None:
    text = '{"people": 4, "place": "Rome, for 4", "meal": "dinner"}'
    assert captured(CALL, text) == {"n": "4", "p": "Rome, for 4", "m": "dinner"}


def test_a_copy_ends_before_fixed_text_that_it_could_go_on_with(captured: Any) -> None:
    """The request goes on with a quote after `La Piazza`, and so does the template."""
    text = '{"people": 4, "place": "La Piazza", "meal": "lunch"}'
    assert captured(CALL, text)["p"] == "La Piazza"
    text = '{"people": 4, "place": "La Piazza", Rome", "meal": "lunch"}'
    assert captured(CALL, text)["p"] == 'La Piazza", Rome'


def test_a_number_or_pattern_ends_before_fixed_text_that_it_could_go_on_with(captured: Any) -> None:
    assert captured(Holes((Hole("n", Number()), Fixed(".x"))), "12.x") == {"n": "12"}
    assert captured(Holes((Hole("n", Number()), Fixed(". "))), "1.5. ") == {"n": "1.5"}
    assert captured(Holes((Hole("w", Pattern("[a-z ]+")), Fixed(" end"))), "a b end") == {"w": "a b"}


def test_an_option_may_begin_another(captured: Any) -> None:
    constraint = Holes((hole("a", "New York", "New York, NY"), Fixed('", "'), hole("b", "x")))
    assert captured(constraint, 'New York", "x')["a"] == "New York"
    assert captured(constraint, 'New York, NY", "x')["a"] == "New York, NY"


@pytest.mark.parametrize(
    ("parts", "text", "expected"),
    [
        ((hole("a", "x", "yy"), Fixed(","), hole("b", "c", "cc")), "x,c", {"a": "x", "b": "c"}),
        ((hole("a", "x", "yy"), Fixed(","), hole("b", "c", "cc")), "yy,cc", {"a": "yy", "b": "cc"}),
        ((Fixed("é="), Hole("w", Copy("red füße jump"))), "é=red füße", {"w": "red füße"}),
        ((Hole("w", Copy("red fox")),), "red", {"w": "red"}),
        ((Hole("n", Number()),), "12", {"n": "12"}),
        ((hole("a", "", "b"), Fixed(","), hole("b", "", "c")), ",", {"a": "", "b": ""}),
        ((hole("a", "", "b"), Fixed(","), hole("b", "", "c")), "b,c", {"a": "b", "b": "c"}),
        ((hole("a", "x"), hole("b", "y", "z")), "xz", {"a": "x", "b": "z"}),
        ((Fixed(""), hole("a", "x"), Fixed(""), Fixed("!")), "x!", {"a": "x"}),
        ((hole("a", "x", "y"), Fixed(" "), Fixed("- "), hole("b", "z")), "y - z", {"a": "y", "b": "z"}),
        ((hole('we"ird\n', "x"), Fixed(".")), "x.", {'we"ird\n': "x"}),
        ((hole("", "x"), Fixed(".")), "x.", {"": "x"}),
        ((Fixed("only"),), "only", {}),
        (
            (Fixed("v: "), Hole("s", Schema({"enum": [["a"], {"b": 1}]})), Fixed(";")),
            'v: {"b": 1};',
            {"s": '{"b": 1}'},
        ),
    ],
)
def test_captures(captured: Any, parts: Any, text: str, expected: dict[str, str]) -> None:
    assert captured(Holes(parts), text) == expected


def test_a_name_that_is_used_twice_keeps_the_last_value(captured: Any) -> None:
    twice = Holes((hole("n", "a", "bb"), Fixed(","), hole("n", "a", "bb")))
    assert captured(twice, "a,bb") == {"n": "bb"}
    assert captured(twice, "bb,a") == {"n": "a"}


def test_a_name_that_is_used_twice_may_have_two_constraints(captured: Any, accepts: Any) -> None:
    twice = Holes((hole("n", "a", "bb"), Fixed(","), hole("n", "c", "dd"), Fixed("."), hole("m", "e", "ef")))
    assert captured(twice, "bb,c.e") == {"n": "c", "m": "e"}
    assert not accepts(twice, "bb,a.e")


def test_a_hole_at_the_end_that_is_not_whole_is_not_captured(llama: Any, tokenizer: Any) -> None:
    guide = Guide(tokenizer, Holes((Fixed("a: "), Hole("n", Pattern("[0-9]{3}")))))
    text = "a: 12"
    guide.take(llama.tokenise(text))
    assert not guide.satisfied and guide.captures(text) == {}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_model_fills_in_can_be_taken_out_again(walk: Any, seed: int) -> None:
    text, found, satisfied = walk(CALL, seed)
    assert satisfied
    assert text == f'{{"people": {found["n"]}, "place": "{found["p"]}", "meal": "{found["m"]}"}}'


@pytest.mark.parametrize("parts", [(), (Fixed(""),)], ids=["none", "empty"])
def test_holes_that_are_none(parts: Any) -> None:
    with pytest.raises(ConstraintInvalid):
        grammar(Holes(parts))


def test_a_bad_hole_names_what_is_wrong(tokenizer: Any) -> None:
    with pytest.raises(ConstraintInvalid, match="choose"):
        Guide(tokenizer, Holes((Fixed("a"), Hole("b", Choice(())))))
    with pytest.raises(ConstraintInvalid, match="no word"):
        Guide(tokenizer, Holes((Hole("b", Copy("...")), Fixed("a"))))


# --- limits, errors, replay ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "constraint",
    [
        Fixed("x" * LIMITS.grammar_bytes),
        Choice(tuple(f"option number {i}" for i in range(5_000))),
        Pattern("a" * LIMITS.grammar_bytes),
        Schema({"enum": ["x" * LIMITS.grammar_bytes]}),
        Number(tuple(float(i) for i in range(30_000))),
        Holes((Fixed("x" * LIMITS.grammar_bytes), hole("a", "b"))),
    ],
    ids=lambda c: c.kind,
)
def test_a_grammar_over_the_limit_is_refused_with_both_numbers(constraint: Constraint) -> None:
    with pytest.raises(ConstraintInvalid, match=rf"grammar of \d+ bytes.* {LIMITS.grammar_bytes}"):
        grammar(constraint)


def test_a_dead_end_is_an_error_and_no_silent_stop(tokenizer: Any) -> None:
    """llguidance answers a matcher in error with the end tokens, which would pass for an answer."""
    guide = Guide(tokenizer, Pattern("a[b&&c]"))
    with pytest.raises(ConstraintInvalid):
        guide.forced(9)
        guide.allowed()


def test_a_token_that_is_not_allowed_is_an_error(llama: Any, tokenizer: Any) -> None:
    guide = Guide(tokenizer, Choice(("yes", "no")))
    with pytest.raises(ConstraintInvalid):
        guide.take(llama.tokenise("maybe"))


def test_a_guide_can_be_rebuilt_at_every_cut(llama: Any, tokenizer: Any) -> None:
    """This is what resuming rests on."""
    tokens = llama.tokenise('{"people": 7, "place": "La Piazza", Rome", "meal": "lunch"}')
    guide = Guide(tokenizer, CALL)
    for cut, token in enumerate(tokens):
        again = Guide(tokenizer, CALL)
        again.take(tokens[:cut])
        assert np.array_equal(again.allowed(), guide.allowed())
        guide.take([token])
    assert guide.finished

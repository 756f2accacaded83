"""The calculator answers plain English without a model, exactly, and cannot be made to work for long."""

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linnet.agent.tools import arithmetic
from linnet.agent.tools import calculator as module
from linnet.agent.tools.calculator import calculator, evaluate, expression_of
from linnet.errors import ToolFailed
from linnet.limits import LIMITS

CLINC = Path(__file__).parents[4] / "shared" / "data" / "clinc150" / "data_full.json"

PHRASES = [
    ("What is 15% of 2,340 plus the square root of 144?", 363),
    ("What is 2 plus 3 times 4?", 14),
    ("(2 plus 3) times 4", 20),
    ("2+2", 4),
    ("2 + 2 = ?", 4),
    ("What's 2+2", 4),
    ("what’s 12 − 5 × 2?", 2),
    ("Please calculate 7 x 8", 56),
    ("can you please tell me what 30% off 279 is?", 195.3),
    ("could you work out 81 divided by 9 for me, please?", 9),
    ("Compute 10 over 4.", 2.5),
    ("how much is 3.5 divided by 0.7", 5),
    ("what does 9 over 3 equal?", 3),
    ("tell me what is 18 percent of $2500", 450),
    ("evaluate 2^10", 1024),
    ("2**3**2", 512),
    ("2 to the power of -3", 0.125),
    ("raise 2 to the 8th power", 256),
    ("2 to the third power", 8),
    ("2 raised to the power of 5", 32),
    ("3 squared plus 4 squared", 25),
    ("the square of 12", 144),
    ("2 cubed", 8),
    ("5² + 2³", 33),
    ("√144", 12),
    ("√144 + 25", 37),
    ("square root of 144 plus 25", 37),
    ("the square root of (144 + 25)", 13),
    ("cube root of -27", -3),
    ("half of 10 plus 2", 7),
    ("two thirds of 90", 60),
    ("a quarter of 80", 20),
    ("three quarters of the sum of 10 and 10", 15),
    ("half of half of 100", 25),
    ("twice 4 plus 1", 9),
    ("double 7", 14),
    ("twice the sum of 3 and 4", 14),
    ("triple 1.5", 4.5),
    ("20% off 80", 64),
    ("60 percent off of 350 dollars", 140),
    ("increase 50 by 10%", 55),
    ("decrease 50 by 10", 40),
    ("50 reduced by 10 percent", 45),
    ("50% of 50% of 80", 20),
    ("(10 + 5)% of 200", 30),
    ("0.5% of 1000", 5),
    ("150% of 20", 30),
    ("what percent of 80 is 20?", 25),
    ("20 is what percentage of 80", 25),
    ("the sum of 2 and 3", 5),
    ("the sum of 2, 3, and 4.5", 9.5),
    ("the sum of 2 and 3 times 4", 14),
    ("the sum of 2 and 3, times 4", 20),
    ("5 times the sum of 2 and 3", 25),
    ("what is the sum of 3 plus 5", 8),
    ("sum of 1,000 and 2,000", 3000),
    ("the product of 6, 7 and 2", 84),
    ("the difference of 5 and 8", -3),
    ("difference between 5 and 8", 3),
    ("the quotient of 20 and 2 times 5", 50),
    ("average of 3, 4 and 8", 5),
    ("the largest of 3, 9 and 4", 9),
    ("the smallest of 3, 9 and 4", 3),
    ("greatest common divisor of 12 and 18", 6),
    ("add 19 and 23", 42),
    ("add 5 to 10", 15),
    ("add up 128, 64 and 171", 363),
    ("subtract 3 from 10", 7),
    ("if i take 389 away from 1000, how much is left", 611),
    ("3 less than 10", 7),
    ("3 more than twice 4", 11),
    ("multiply 4 by 2 plus 3", 20),
    ("divide one hundred by eight", 12.5),
    ("what do you get if you divide 3 by 2", 1.5),
    ("twenty-one times two", 42),
    ("two hundred and five plus one thousand and one", 1206),
    ("one million two hundred thirty-four thousand five hundred sixty-seven minus 1", 1234566),
    ("a hundred minus one", 99),
    ("3.5 million divided by 7", 500000),
    ("three point one four times 2", 6.28),
    ("fifteen percent of two hundred", 30),
    ("minus 3 squared", -9),
    ("negative 3 squared", 9),
    ("5!", 120),
    ("6 factorial", 720),
    ("17 mod 5", 2),
    ("10 % 3", 1),
    ("absolute value of -7.5", 7.5),
    ("sqrt(16) + max(1, 2, 3)", 7),
    ("log10(1000)", 3),
    ("2 * pi", 6.28318530717959),
    ("0.1 + 0.2", 0.3),
    ("$5 plus $3.50", 8.5),
    ("-5 - -3", -2),
    ("7 - 10 - 2", -5),
    ("100 / 10 / 2", 5),
    ("2 * -3", -6),
    ("2 / 3 * 9", 6),
    ("1e3 + 1", 1001),
]

NOT_SUMS = [
    "",
    "?",
    "hello",
    "What is the meaning of life?",
    "What is 2?",
    "42",
    "pi",
    "what is minus five",
    "one hundred and five",
    "5 x 3 apples",
    "how many is 3 times",
    "2 pi",
    "2 +",
    "* 2",
    "(2 + 3",
    "2 + 3)",
    "2 + 2 = 4",
    "x = 2 + 3",
    "solve 2x + 3 = 7",
    "80 plus 20%",
    "the sum of 80 and 20%",
    "the sum of 5",
    "the product of one hundred and five",
    "the product of 2 and 3, -4",
    "$5 plus €3",
    "2024-05-01",
    "2024-5-1",
    "12/05/2024",
    "555-1234",
    "1-800-555-1234",
    "call 555 123 4567",
    "10:30 + 2",
    "1.2.3",
    "192.168.0.1",
    "1,00,000 + 1",
    "007 + 1",
    "0x10",
    "5 6 + 7",
    "max(1,200)",
    "is 5 less than 10",
    "is 126 divisible by 8",
    "twenty ten plus 1",
    "nineteen eighty four minus 1",
    "two thousand thousand plus 1",
    "add 2 and 3 and multiply by 4",
    "2 plus 2 and send it to Anna",
    "calculate my taxes",
    "__import__('os').system('ls')",
    "2 + ٣",
    "２ + ２",
    "2 plus two's",
]


@pytest.mark.parametrize(("text", "value"), PHRASES)
def test_a_phrase_is_calculated_without_a_model(text: str, value: float) -> None:
    expression = expression_of(text)
    assert expression is not None
    assert evaluate(expression) == value


@pytest.mark.parametrize("text", NOT_SUMS)
def test_what_is_not_wholly_understood_is_left_alone(text: str) -> None:
    assert expression_of(text) is None


def test_the_expression_shows_how_the_phrase_was_read() -> None:
    assert expression_of(PHRASES[0][0]) == "0.15 * 2340 + sqrt(144)"
    assert expression_of("half of the sum of 4 and 6, times 3") == "(4 + 6) / 2 * 3"


WORDS = [phrase for table in (arithmetic._PHRASES, arithmetic._LEADS, arithmetic._TRAILS) for phrase in table]
PARTS = st.sampled_from([*WORDS, *"+-*/%^!().,?²√", "2", "3.5", "1,000", "0", "15%", "sqrt(", "e", "x", "7th", "$4"])


@given(st.text() | st.lists(PARTS, max_size=25).map(" ".join))
@example("-" * 999)
@example("(" * 500 + "2+2" + ")" * 500)
@example("half of " * 120 + "2")
@example("2" + "²" * 900)
@example("1+" * 499 + "1")
@example("2^" * 400 + "2")
@example("1e999999999 million plus 1")
@example("9" * 990 + " % of 3")
@example("sum of 2 and " * 70)
def test_any_text_is_none_or_can_be_evaluated(text: str) -> None:
    expression = expression_of(text)
    if expression is None:
        return
    try:
        value = evaluate(expression)
    except ToolFailed as error:  # a number that does not exist, or does not fit, is the only excuse
        assert any(word in error.message for word in ("division by zero", "too large", "no result", "wrong number"))
    else:
        assert type(value) in (int, float) and abs(value) < 10**LIMITS.calculator_digits


@given(st.lists(st.tuples(st.sampled_from(["plus", "minus", "times", "divided by"]), st.integers(1, 99)), min_size=1))
def test_precedence_is_that_of_arithmetic(chain: list[tuple[str, int]]) -> None:
    chain = chain[:20]
    signs = {"plus": "+", "minus": "-", "times": "*", "divided by": "/"}
    said = "what is 7 " + " ".join(f"{word} {number}" for word, number in chain)
    written = "7 " + " ".join(f"{signs[word]} {number}" for word, number in chain)
    assert expression_of(said) == written


@given(st.integers(0, 999_999_999))
def test_numbers_in_words_are_read(number: int) -> None:
    for joint in (" and ", " "):
        assert expression_of(f"{in_words(number, joint)} plus one") == f"{number} + 1"


def in_words(number: int, joint: str) -> str:
    ones, tens = arithmetic._ONES.split(), arithmetic._TENS.split()
    if number < 20:
        return ones[number]
    if number < 100:
        return tens[number // 10 - 2] + (f"-{ones[number % 10]}" if number % 10 else "")
    for size, name in ((10**6, "million"), (10**3, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            link = joint if rest < 100 else " "
            return f"{in_words(number // size, joint)} {name}" + (link + in_words(rest, joint) if rest else "")
    raise AssertionError


@pytest.mark.skipif(not CLINC.is_file(), reason="CLINC150 is not beside the project")
def test_requests_for_other_things_are_never_taken_for_sums() -> None:
    data = json.loads(CLINC.read_text("utf-8"))
    rows = [row for split in ("train", "val", "oos_train", "oos_val") for row in data[split]]
    taken = [(text, intent) for text, intent in rows if expression_of(text)]
    assert [row for row in taken if row[1] != "calculator"] == []
    assert len(taken) >= 85  # of 120, some of which ask for no calculation


# --- expressions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2*(3+4)", 14),
        ("0.1+0.2", 0.3),
        ("1.1*3", 3.3),
        ("10/4", 2.5),
        ("10/5", 2),
        ("7//2", 3),
        ("-7%3", 2),
        ("2^10", 1024),
        ("10/3", 3.33333333333333),
        ("123456789012.345*1", 123456789012.345),
        ("2**0.5*2**0.5", 2),
        ("sin(pi)", 0),
        ("cos(0)", 1),
        ("exp(1)", 2.71828182845905),
        ("log(8, 2)", 3),
        ("log2(8)", 3),
        ("hypot(3,4)", 5),
        ("floor(-2.5)", -3),
        ("ceil(2.1)", 3),
        ("round(2.567, 2)", 2.57),
        ("round(1234, -2)", 1200),
        ("factorial(10/2)", 120),
        ("gcd(12, 18)", 6),
        ("abs(-3)", 3),
        ("min(3, 1)", 1),
        ("tau/pi", 2),
        ("e", 2.71828182845905),
        ("-0.0", 0),
        ("15% of 200", 30),
        ("1,000 + 1", 1001),
        ("max(1,200)", 200),
        ("6 ÷ 2 × 3", 9),
        ("2**4000", 2**4000),
        ("+".join(["1"] * 150), 150),
    ],
)
def test_expressions_have_exact_results(expression: str, value: float) -> None:
    result = calculator.run({"expression": expression})
    assert result == value and type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1/0", "division by zero"),
        ("5 % 0", "division by zero"),
        ("0**-1", "division by zero"),
        ("sqrt(-1)", "no result"),
        ("(-8)**(1/3)", "no result"),
        ("log(0)", "no result"),
        ("factorial(-1)", "no result"),
        ("factorial(2.5)", "wrong number or kind"),
        ("sqrt(1, 2)", "wrong number or kind"),
        ("max()", "wrong number or kind"),
        ("9**9**9", "too large"),
        ("9**9**9**9", "too large"),
        ("2**-(10**4000)", "too large"),
        ("factorial(10**6)", "too large"),
        ("factorial(10**300)", "too large"),
        ("factorial(10**4000)", "too large"),
        ("round(5, -10**9)", "too large"),
        ("round(5, 10**9)", "too large"),
        ("10.0**400", "too large"),
        ("1e308*10", "too large"),
        ("1e999", "too large"),
        ("1/1e999", "too large"),
        ("exp(1000)", "too large"),
        ("sqrt(10**4000)", "too large"),
        ("factorial(1400)*factorial(1400)", "too large"),
        ("", "that can be read"),
        ("2 +", "that can be read"),
        ("2 2", "that can be read"),
        ("(" * 450 + "1" + ")" * 450, "that can be read"),
        ("-" * 900 + "1", "(?:levels deep|that can be read)"),
        ("(" * 5_000 + "1" + ")" * 5_000, "10,001 characters"),
        ("1+" * 5_000 + "1", "characters"),
        ("__import__('os').system('true')", "not a known function"),
        ("open", "not a known function"),
        ("().__class__", "is not a number"),
        ("'a' * 10**9", "is not a number"),
        ('"x"', "is not a number"),
        ("[1]*10**9", "is not a number"),
        ("{1}", "is not a number"),
        ("1 if 1 else 2", "not a known function"),
        ("lambda: 1", "not a known function"),
        ("True", "not a known function"),
        ("2j", "is not a number"),
        ("1_000", "is not a number"),
        ("0x10", "is not a number"),
        ("1 << 10**9", "is not a number"),
        ("1 < 2", "is not a number"),
        ("x := 3", "not a known function"),
        ("sqrt", "something besides"),
        ("pi(2)", "something besides"),
        ("3(4)", "something besides"),
        ("1, 2", "something besides"),
        ("max(*(1, 2))", "something besides"),
        ("sqrt.real", "is not a number"),
        ("2\0", "is not a number"),
    ],
)
def test_what_has_no_result_is_refused_in_plain_words(expression: str, reason: str) -> None:
    with pytest.raises(ToolFailed, match=f"cannot calculate: .*{reason}") as caught:
        calculator.run({"expression": expression})
    assert len(caught.value.message) < 160 and caught.value.hint


@given(st.text(alphabet=string.digits + "+-*/%^().,e piqrtsnlogfac!", max_size=60))
def test_any_expression_has_a_result_or_a_reason(expression: str) -> None:
    try:
        value = evaluate(expression)
    except ToolFailed:
        return
    assert abs(value) < 10**LIMITS.calculator_digits


def test_digits_end_at_the_limit() -> None:
    longest = f"10**{LIMITS.calculator_digits - 1}"
    assert len(str(evaluate(longest))) == LIMITS.calculator_digits
    for more in (f"10**{LIMITS.calculator_digits}", f"{longest}*10", f"{longest}*9+{longest}"):
        with pytest.raises(ToolFailed, match="too large"):
            evaluate(more)


def test_characters_end_at_the_limit() -> None:
    fits = "1" + " " * (LIMITS.calculator_chars - 3) + "+1"
    assert evaluate(fits) == 2 and expression_of(fits) == "1 + 1"
    with pytest.raises(ToolFailed, match=f"over {LIMITS.calculator_chars:,}"):
        evaluate(fits + " ")
    assert expression_of(fits + " ") is None


def test_nesting_ends_at_the_limit() -> None:
    assert evaluate("+".join("1" * LIMITS.calculator_depth)) == LIMITS.calculator_depth
    with pytest.raises(ToolFailed, match=f"{LIMITS.calculator_depth + 1} levels deep"):
        evaluate("+".join("1" * (LIMITS.calculator_depth + 1)))


def test_brackets_in_a_request_end_at_the_limit() -> None:
    def nested(levels: int) -> str:
        return "(" * (levels - 1) + "1" + ")" * (levels - 1) + " plus 1"

    assert expression_of(nested(LIMITS.calculator_parentheses)) == "1 + 1"
    assert expression_of(nested(LIMITS.calculator_parentheses + 1)) is None


def test_the_limits_are_those_of_linnet_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, calculator_chars=3))
    assert evaluate("2+2") == 4
    with pytest.raises(ToolFailed):
        evaluate("2 +2")


# --- the tool ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("calc: 2*(3+4)", "2*(3+4) = 14"),
        ("CALC: 15% of 80", "15% of 80 = 12"),
        ("What is 15% of 2,340 plus the square root of 144?", "0.15 * 2340 + sqrt(144) = 363"),
        ("What is 10 divided by 4?", "10 / 4 = 2.5"),
    ],
)
def test_a_rule_answers_without_a_model(request_text: str, answer: str) -> None:
    arguments = calculator.match(request_text)
    assert arguments is not None
    assert calculator.render_answer(arguments, calculator.run(arguments)) == answer


def test_other_requests_are_not_the_calculators() -> None:
    assert calculator.match("What is the capital of France?") is None
    assert calculator.match("2 + 2 " * 2_000) is None


def test_it_is_described_in_few_words_and_needs_no_permission() -> None:
    assert calculator.parameters["required"] == ["expression"]
    assert len(calculator.description) < 100
    assert calculator.permissions == frozenset()

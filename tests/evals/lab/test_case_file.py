"""The case file: what plans it makes, and each fault told with its line and field."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from linnet.errors import InputInvalid
from linnet.evals.lab.case_file import load
from linnet.evals.lab.check import Said, fault_of
from linnet.evals.lab.plan import Plan
from linnet.limits import LIMITS
from linnet.requests import Choice

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[[str], Plan]:
    def make(text: str) -> Plan:
        file = tmp_path / "cases.yaml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return load(file)

    return make


def test_a_short_file_is_one_variant(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of("cases: [{text: hello, check: {contains: [hi, hello]}}]")
    assert (plan.name, plan.baseline, [case.id for case in plan.cases]) == ("cases", "text", ["case 1"])
    (variant,) = plan.variants
    assert (variant.model, variant.notation.by, variant.prompt.user) == ("default", "text", "{text}")


def test_every_prompt_with_every_notation_model_and_setting(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of("""\
        prompts: {a: "{text}", b: {system: Be short., user: "{text}"}}
        notations: {text: null, two: {choice: [x, y]}}
        settings: {cold: {}, warm: {temperature: 0.7, seed: 3}}
        baseline: b · two · warm
        cases: [{text: hello, check: {exact: x}}]
    """)
    assert len(plan.variants) == 8 and plan.baseline == "b · two · warm"
    last = plan.variants[-1]
    assert last.notation.constraint == Choice(("x", "y")) and last.knobs.sampling.seed == 3


def test_variants_that_are_listed_are_those(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of("""\
        prompts: {a: "{text}", b: "{text}!"}
        settings: {cold: {}, warm: {temperature: 1}}
        variants: [{prompt: a}, {name: other, prompt: b, settings: warm}]
        cases: [{text: hello, check: {exact: x}}]
    """)
    told = [(variant.name, variant.prompt.user, variant.knobs.temperature) for variant in plan.variants]
    assert told == [("a", "{text}", 0), ("other", "{text}!", 1)]


@pytest.mark.parametrize("name", ["prompt_lab.yaml", "prompt_calls.yaml"])
def test_the_examples_are_plans(name: str) -> None:
    plan = load(EXAMPLES / name)
    assert len(plan.variants) >= 4 and len(plan.cases) >= 12


ONE = "cases: [{text: a, check: {exact: b}}]"
CASES = "cases:\n  - {text: a, check: {exact: b}}"
CALLS = "cases:\n  - {text: a, check: {calls: []}}"
WRONG = [
    (
        "cases: [{text: a, check: {contian: b}}]",
        1,
        "`cases[1].check.contian` is not a field here; did you mean 'contains'",
    ),
    ("prompts:\n  a:\n    usr: x\n" + ONE, 3, "`prompts.a.usr` is not a field here; did you mean 'user'"),
    ("prompts: {}\n" + ONE, 1, "`prompts`: dictionary should have at least 1 item"),
    ("case: []", 1, "`case` is not a field here; did you mean 'cases'?"),
    ("name: x", 1, "`cases`: "),
    ("cases: []", 1, "`cases`: tuple should have at least 1 item"),
    ("cases:\n  - text: a\n    check: {exact: true}", 3, "`cases[1].check.exact`: input should be a valid string"),
    ("cases:\n  - text: a", 2, "`cases[1]`: it has no check"),
    ("cases:\n  - {text: a, check: {regex: '('}}", 2, "`cases[1].check.regex`: missing )"),
    ("cases:\n  - {text: a, check: {schema: {type: strin}}}", 2, "strin"),
    ("cases:\n  - {text: a, check: {call: {name: f}}}", 2, "'f' is not a tool of this plan"),
    ("settings: {hot: {temperature: 9}}\n" + ONE, 1, "`settings.hot.temperature`: input should be less"),
    ("notations: [hermse]\n" + ONE, 1, "'hermse' is not a notation; did you mean 'hermes'?"),
    ("notations: [hermes]\n" + ONE, 1, "it wants tools"),
    ("notations: {n: {choice: [a], pattern: b}}\n" + ONE, 1, "one of schema, pattern and choice"),
    ("prompts: {p: '{town}'}\n" + CASES, 3, "it has no value for {town} of the prompt 'p'"),
    ("prompts: {p: '{a.b}'}\n" + CASES, 1, "plain fields only"),
    ("prompts: {p: {start: '{text}'}}\n" + CASES, 1, "`prompts.p.start`: it has no fields"),
    ("prompts: {p: '{call}'}\n" + CASES, 1, "`{call}` has no meaning in the notation 'text'"),
    ("baseline: two\n" + CASES, 1, "'two' is not a variant"),
    ("variants: [{prompt: q}]\n" + CASES, 1, "'q' is not one of the file's prompts"),
    ("models: null\n" + CASES, 1, "`models`: it should be a list"),
    ("variants: null\n" + CASES, 1, "`variants`: it should be a list"),
    (
        "cases:\n  - {id: x, text: a, check: {exact: b}}\n  - {id: x, text: b, check: {exact: b}}",
        3,
        "the name 'x' was used before",
    ),
    ("tools: [{name: 'a b'}]\n" + CASES, 1, "`tools[1]`: "),
    ("tools: [{name: f}]\nnotations: [text, guided]\n" + CALLS, 4, "the variant 'text' makes none"),
    (
        "tools: [{name: f}]\nnotations: [guided]\nprompts: {p: {system: x}}\n" + CALLS,
        3,
        "writes system text and beginning itself",
    ),
    ("- a", 1, "it should be a mapping"),
    ("cases: [a: b", 1, "it is not YAML"),
]


@pytest.mark.parametrize(("text", "line", "what"), WRONG)
def test_what_is_wrong_is_told_with_line_and_field(
    plan_of: Callable[[str], Plan], text: str, line: int, what: str
) -> None:
    with pytest.raises(InputInvalid) as wrong:
        plan_of(text)
    assert what in wrong.value.message
    assert f"line {line}: " in wrong.value.message and wrong.value.details["line"] == line
    assert "linnet prompt new" in wrong.value.hint


def test_several_faults_are_counted_and_the_first_is_told(plan_of: Callable[[str], Plan]) -> None:
    with pytest.raises(InputInvalid, match=r"line 2: `cases\[1\].tex` is not a field here; .* \(and 1 more\)"):
        plan_of("cases:\n  - {tex: a, check: {exact: b}}\n  - {text: a, check: {exat: b}}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read: No such file"):
        load(tmp_path / "absent.yaml")


def test_the_limits_of_cases_and_variants_and_one_more(plan_of: Callable[[str], Plan]) -> None:
    case = "  - &one {text: a, check: {exact: b}}\n"
    more = "  - *one\n" * (LIMITS.lab_cases - 1)
    assert len(plan_of(f"cases:\n{case}{more}").cases) == LIMITS.lab_cases
    with pytest.raises(InputInvalid, match="at most 2000 items"):
        plan_of(f"cases:\n{case}{more}  - *one\n")
    seeds = [f"s{n}: {{seed: {n}}}" for n in range(LIMITS.lab_variants + 1)]
    assert len(plan_of(f"settings: {{{', '.join(seeds[:-1])}}}\ncases:\n{case}").variants) == LIMITS.lab_variants
    with pytest.raises(InputInvalid, match="it has 65 variants; the limit is 64"):
        plan_of(f"settings: {{{', '.join(seeds)}}}\ncases:\n{case}")


CHECKS = [
    ("{exact: [Paris, Rome]}", " Rome \n", ""),
    ("{exact: Paris}", "paris", "'paris', expected 'Paris'"),
    ("{contains: paris}", "It is PARIS.", ""),
    ("{lacks: [London, Rome]}", "In Rome.", "'Rome' is in the answer"),
    ("{regex: '(?i)^yes'}", "YES!", ""),
    ("{regex: '^yes'}", "YES!", "'YES!' does not match '^yes'"),
    ("{number: 12}", "First 3, then twelve.", ""),
    ("{number: 0}", "0", ""),
    ("{number: {value: 3.14, within: 0.01}}", "about 3.145", ""),
    ("{number: 12}", "none", "no number in 'none', expected 12"),
    ("{number: 12}", "12 or 13", "13, expected 12"),
    ("{schema: {properties: {a: {type: integer}}, required: [a]}}", '```json\n{"a": 1}\n```', ""),
    ("{schema: {properties: {a: {type: integer}}, required: [a]}}", '{"a": "1"}', 'a must be integer, got "1"'),
    ("{schema: {type: array, items: {type: string}}}", "[1", "not JSON: "),
    ("{contains: a, lacks: b}", "ab", "'b' is in the answer"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer", "fault"), CHECKS)
def test_checks(plan_of: Callable[[str], Plan], check: str, answer: str, fault: str) -> None:
    (case,) = plan_of(f"cases: [{{text: a, check: {check}}}]").cases
    found = fault_of(case.checks, Said(answer))
    assert found.startswith(fault) and bool(found) is bool(fault)


def test_calls_are_held_against_those_expected(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of("""\
        tools:
          - {name: f, parameters: {type: object, properties: {a: {type: integer}, b: {type: string}}}}
        notations: [guided]
        cases:
          - {text: a, check: {call: {name: f, arguments: {a: [1, 2], b: [x, ""]}}}}
          - {text: a, check: {calls: []}}
    """)
    tools = {tool.name: tool.parameters["properties"] for tool in plan.tools}
    some, none = plan.cases
    assert fault_of(some.checks, Said("", ({"name": "f", "arguments": {"a": 2}},), tools)) == ""
    assert fault_of(some.checks, Said("", (), tools)) == "no call, f expected"
    assert "a = 3" in fault_of(some.checks, Said("", ({"name": "f", "arguments": {"a": 3}},), tools))
    assert fault_of(none.checks, Said("", ({"name": "f", "arguments": {}},), tools)) == "f called, no call expected"


def test_an_answer_that_is_too_long_is_not_read(plan_of: Callable[[str], Plan]) -> None:
    (case,) = plan_of("cases: [{text: a, check: {contains: a}}]").cases
    assert "over 65,536" in fault_of(case.checks, Said("a" * (LIMITS.checked_chars + 1)))

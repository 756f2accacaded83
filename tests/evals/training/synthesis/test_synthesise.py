"""Examples that are made up: the same from the same seed, right by their tools, sayable from what is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import Tool, tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.candidates import OMITTED, candidates
from linnet.errors import InputInvalid
from linnet.evals.judge import plain
from linnet.evals.training import example
from linnet.evals.training.example import Example, line_of
from linnet.evals.training.synthesis import mixture
from linnet.evals.training.synthesis.__main__ import main
from linnet.evals.training.synthesis.mixture import SHARES, Ground, Mixture, Recipe
from linnet.evals.training.synthesis.nothing import alike
from linnet.evals.training.synthesis.synthesise import general, own
from linnet.evals.training.synthesis.toolmaking import toolbox
from linnet.limits import LIMITS
from linnet.tool_files import load_tools

OWN = load_tools([Path(__file__).parents[4] / "examples" / "tools.py"])
BOX = toolbox(900, 3)
ROW = Mixture(Ground(BOX), 3)
OWN_ROW = own(OWN, 3).mixture
NUMBERS = st.integers(0, 10**9)


def lines(count: int, seed: int) -> list[bytes]:
    return [line_of(each) for each in general(seed, 300).examples(count)]


def test_the_same_seed_makes_the_same_bytes_and_more_of_them_begins_with_fewer() -> None:
    assert lines(60, 7) == lines(60, 7) == lines(90, 7)[:60]
    assert not set(lines(60, 7)) & set(lines(60, 8))


@given(NUMBERS)
@settings(deadline=None, max_examples=150)
def test_calls_are_right_by_their_tools_schemas(number: int) -> None:
    for row in (ROW, OWN_ROW):
        made = row.example(number)
        assert made.fault() == "" and made.kind in SHARES
        assert bool(made.calls) == (made.kind in ("single", "enumerated", "repeated", "several"))
        assert (len(made.calls) > 1) == (made.kind in ("enumerated", "repeated", "several"))


@given(NUMBERS)
@settings(deadline=None, max_examples=150)
def test_every_text_of_a_call_is_said_or_an_option_or_has_a_normal_form(number: int) -> None:
    for row in (ROW, OWN_ROW):
        made = row.example(number)
        for name, value, parameter in texts_of(made):
            said = plain(value) in plain(made.request)
            assert said or value in parameter.schema.get("enum", ()) or worked_out(value, parameter, made), (
                name,
                value,
            )


def texts_of(made: Example) -> Iterator[tuple[str, str, Any]]:
    tools = {offered.name: offered for offered in made.offered()}
    for call in made.calls:
        for parameter in parameters(tools[call.name]):
            value: Any = call.arguments
            for step in parameter.path:
                value = value.get(step, {}) if isinstance(value, dict) else {}
            own_parameter = parameter.element if isinstance(value, list) else parameter
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, str):
                    yield parameter.name, part, own_parameter


def worked_out(value: str, parameter: Any, made: Example) -> bool:
    """A date, a time of day or a code: one that calling itself works out of the request, or of a shape that it knows
    (how it is called in the request is not looked for again). Or a word said in another form: one `ounce`."""
    found = [c.value for c in candidates(parameter, Reading(made.request)) if c.value is not OMITTED]
    codes = len(value) in (2, 3) and value.isalpha()
    dates = sum(c.isdigit() for c in value) >= 4 and set(value) <= set("0123456789-/:")
    inflected = {stem(word) for word in value.split()} <= Reading(made.request).stems
    return value in found or codes or dates or inflected


def test_numbers_of_a_call_are_said_in_digits_or_words() -> None:
    """Numbers of single calls: calling reads nearly all of them in the request."""
    read = total = 0
    for made in (ROW.example(number) for number in range(300)):
        tools = {offered.name: offered for offered in made.offered()}
        for call in made.calls if made.kind == "single" else ():
            for parameter in parameters(tools[call.name]):
                value = call.arguments.get(parameter.path[0])
                if parameter.type == "number" and value is not None and len(parameter.path) == 1:
                    total += 1
                    read += any(c.value == value for c in candidates(parameter, Reading(made.request)))
    assert total > 50 and read / total > 0.95


@given(NUMBERS)
@settings(deadline=None, max_examples=150)
def test_sizes_are_bounded(number: int) -> None:
    made = ROW.example(number)
    assert 0 < len(made.request) < 1_500 and "\ue000" not in made.request and "{" not in made.request.replace("[", "")
    assert 1 <= len(made.tools) <= 10 and len(made.calls) <= LIMITS.calls_per_request
    assert len(line_of(made)) <= LIMITS.training_line_bytes
    assert all(len(each.parameters["properties"]) <= 6 for each in made.tools)


def test_kinds_come_in_their_shares() -> None:
    count = 3_000
    kinds = Counter(ROW.example(number).kind for number in range(count))
    assert set(kinds) == set(SHARES)
    assert all(0.5 * share < 100 * kinds[kind] / count < 1.5 * share for kind, share in SHARES.items())


def test_beside_what_is_wanted_there_is_what_is_nearly_it() -> None:
    """Where several tools are on offer, most sets have one of the wanted one's domain; no two could be confused."""
    acts = {skill.spec.name: skill.act for skill in BOX}
    near = total = 0
    for made in (ROW.example(number) for number in range(1_500)):
        if made.kind != "single" or len(made.tools) < 3:
            continue
        wanted = acts[made.calls[0].name]
        others = [acts[each.name] for each in made.tools if each.name != made.calls[0].name]
        assert not any(alike(wanted, other) for other in others)
        total += 1
        near += any(other.domain == wanted.domain for other in others)
    assert total > 200 and near / total > 0.6


def test_a_recipe_without_near_misses_has_fewer_by_chance_alone() -> None:
    plain_row = Mixture(Ground(BOX), 3, recipe=Recipe(near=False))
    acts = {skill.spec.name: skill.act for skill in BOX}
    made = [plain_row.example(number) for number in range(500)]
    assert "near" not in {each.kind for each in made}
    several = [each for each in made if each.kind == "single" and len(each.tools) > 2]
    near = sum(len({acts[tool.name].domain for tool in each.tools}) < len(each.tools) for each in several)
    assert near / len(several) < 0.3


def test_a_recipe_without_context_and_slips_is_shorter() -> None:
    bare = Mixture(Ground(BOX), 3, recipe=Recipe.without(["context", "typos"]))
    words = [sum(len(row.example(number).request.split()) for number in range(400)) for row in (bare, ROW)]
    assert words[0] < 0.95 * words[1]


def test_own_tools_are_all_on_offer_and_strangers_are_asked_for_in_vain() -> None:
    names = [each.name for each in OWN]
    made = [OWN_ROW.example(number) for number in range(400)]
    assert all([each.name for each in one.tools] == names for one in made)
    assert {call.name for one in made for call in one.calls} == set(names)
    assert {one.kind for one in made} == set(SHARES)


def test_optional_arguments_are_named_or_not() -> None:
    calls = [c for number in range(600) for c in OWN_ROW.example(number).calls if c.name == "split_bill"]
    named = sum("tip_percent" in call.arguments for call in calls)
    assert 0.2 < named / len(calls) < 0.8


@tool
def zap_frobnicator(wobble: int, colour: str = "red", fast: bool = False) -> str:
    """Zap the frobnicator.

    Args:
        wobble: How much it wobbles.
        colour: The colour of the zap.
    """
    return ""


def test_a_tool_like_no_act_is_asked_for_in_its_own_words() -> None:
    made = own([zap_frobnicator], 1)
    assert made.like == {"zap_frobnicator": ""} and made.left_out == {}
    calls = [each for each in made.examples(200) if each.calls]
    assert all(not each.fault() for each in calls)
    assert sum("zap" in each.request.lower() for each in calls) > len(calls) * 0.9


def test_what_no_words_stand_for_is_left_out_and_told() -> None:
    blob = Tool.from_schema(
        "blob", "Stores data.", {"properties": {"data": {"type": "object"}}, "required": ["data"]}
    )
    made = own([zap_frobnicator, blob], 1)
    assert list(made.left_out) == ["blob"] and "data" in made.left_out["blob"]
    with pytest.raises(InputInvalid, match="blob"):
        own([blob], 1)
    with pytest.raises(InputInvalid):
        own([], 1)


def test_a_kind_that_the_tools_do_not_lend_themselves_to_is_drawn_again() -> None:
    ping = Tool.from_schema("ping", "Pings.", {})
    made = list(own([ping], 2).examples(100))
    assert all(len(each.calls) <= 1 for each in made) and any(each.calls for each in made)


def test_shares_that_no_tool_can_fill_are_an_error() -> None:
    with pytest.raises(ValueError, match="no example"):
        mixture.Mixture(Ground(toolbox(1, 1)), 1, {"several": 1}).example(0)


@pytest.mark.parametrize("count", [0, -1, LIMITS.training_examples + 1])
def test_no_more_than_a_file_holds(count: int) -> None:
    with pytest.raises(InputInvalid, match="are not 1 to"):
        general(1, 5).examples(count)


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_a_file_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made.jsonl"
    given_ = ["--seed", "4", "--count", "50", "--made", "100", "--out", str(out)]
    assert main(given_) == 0
    assert "50 examples of" in capsys.readouterr().out
    first = out.read_bytes()
    assert main([*given_, "--json"]) == 0 and out.read_bytes() == first
    told = json.loads(capsys.readouterr().out)
    assert told["examples"] == 50 == len(list(example.read(out))) and sum(told["kinds"].values()) == 50


def test_the_command_takes_tools_and_compares_with_judged_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools, out, judged = tmp_path / "mine.py", tmp_path / "made.jsonl", tmp_path / "judged"
    tools.write_text("from linnet import tool\n@tool\ndef ring(times: int) -> str:\n    '''Ring the bell.'''\n")
    judged.mkdir()
    command = ["--count", "40", "--tools", str(tools), "--out", str(out)]
    assert main(command) == 0
    longest = max((each.request for each in example.read(out)), key=lambda text: len(text.split()))
    (judged / "cases.jsonl").write_text(json.dumps({"name": "Ring", "question": f"Well, {longest}"}))
    capsys.readouterr()
    assert main([*command, "--leaks", str(judged), "--drop", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dropped"] >= 1 and told["examples"] == 40 - told["dropped"]
    assert told["leaks"][0]["requests"] == 0 and told["leaks"][0]["names"] == ["Ring"]


@pytest.mark.parametrize("more", [["--tools", "absent.py"], ["--count", "0"], ["--made", "0"], ["--leaks", "absent"]])
def test_what_is_wrong_is_told(more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "5", "--made", "5", "--out", str(tmp_path / "x.jsonl"), *more]) == InputInvalid.exit_code
    assert capsys.readouterr().err

"""The held-out paraphrases of the five example tools: 40 for each, 30 for none, right by the tools' schemas, and not
among what is made up to learn from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from linnet.evals import examples
from linnet.evals.training.synthesis.leaks import runs
from linnet.evals.training.synthesis.synthesise import own
from linnet.schema import problems
from linnet.tool_files import load_tools

ROOT = Path(__file__).parents[4]
CASES = examples.load(Path(__file__).with_name("paraphrases.jsonl"))
TOOLS = {tool.name: tool for tool in load_tools([ROOT / "examples" / "tools.py"])}


def test_there_are_forty_for_each_tool_and_thirty_for_none() -> None:
    wanted = Counter(case.expect.calls[0].name if case.expect.calls else "" for case in CASES)
    assert wanted == {**dict.fromkeys(TOOLS, 40), "": 30}
    assert len({case.text.lower() for case in CASES}) == len(CASES)


def test_every_allowed_value_fits_its_tool() -> None:
    for case in CASES:
        for call in case.expect.calls or ():
            first = {name: allowed[0] for name, allowed in call.arguments.items() if allowed[0] != ""}
            assert list(problems(first, TOOLS[call.name].parameters)) == [], case.id
            for name, allowed in call.arguments.items():
                schema = TOOLS[call.name].parameters["properties"][name]
                assert not [v for v in allowed if v != "" and list(problems(v, schema))], case.id


def test_none_of_them_was_an_example_before() -> None:
    known = {
        case.text.lower()
        for name in ("requests.jsonl", "requests_blind.jsonl")
        for case in examples.load(ROOT / "examples" / name)
    }
    assert [case.text for case in CASES if case.text.lower() in known] == []


def test_they_share_no_run_of_words_with_what_is_made_up() -> None:
    held = {run for case in CASES for run in runs(case.text)}
    made = {run for each in own(list(TOOLS.values()), 0).examples(2_000) for run in runs(each.request)}
    assert held & made == set()

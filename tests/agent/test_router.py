"""The router: rules of tools and of intents, then the classifier; the first that understands decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet import Intent
from linnet.agent.intents.classifier import Classifier, Confidence
from linnet.agent.intents.file import save
from linnet.agent.router import Check, Decision, Router
from linnet.errors import LinnetError, RequestError, RequestTooLarge, SettingsInvalid, ToolInvalid
from linnet.limits import LIMITS
from linnet.tools import Rule, Tool, tool


def _saying(name: str, *rules: Rule) -> Tool:
    @tool(name=name, rules=rules)
    def said(text: str = "", times: int = 1) -> str:
        """Says a text."""
        return text * times

    return said


HELLO = _saying("hello", Rule(pattern=r"say (?P<text>\w+)(?: (?P<times>\d+) times)?"))
ECHO = _saying("echo", Rule(prefix="echo:", to="text"), Rule(pattern=r"say (?P<text>.*)"))


def test_no_rule_no_decision() -> None:
    assert Router([HELLO, ECHO]).decide("Sing!") is None
    assert Router([]).decide("say hi") is None
    assert Router([_saying("mute")]).decide("say hi") is None


def test_the_first_tool_decides() -> None:
    for tools, name in (([HELLO, ECHO], "hello"), ([ECHO, HELLO], "echo")):
        decision = Router(tools).decide("say hi")
        assert decision is not None
        assert (decision.tool.name, decision.arguments) == (name, {"text": "hi"})
        assert decision.why == f"a rule of {name} matches"


def test_a_rule_wants_the_whole_request() -> None:
    decision = Router([HELLO, ECHO]).decide("say hi to all of them")
    assert decision is not None
    assert (decision.tool.name, decision.arguments) == ("echo", {"text": "hi to all of them"})


def test_arguments_have_the_types_of_the_tool() -> None:
    decision = Router([HELLO]).decide("SAY hi 3 times")
    assert decision is not None
    assert decision.arguments == {"text": "hi", "times": 3}


def test_a_rule_that_fails_is_its_authors_error() -> None:
    def extract(text: str) -> dict[str, str]:
        raise KeyError(text)

    with pytest.raises(ToolInvalid, match="a rule of broken failed with KeyError: 'hi'") as caught:
        Router([_saying("broken", Rule(extract=extract))]).decide("hi")
    assert caught.value.who == "tool author"


# --- intents -------------------------------------------------------------------------------------

HOURS = Intent("hours", answer="We open at {opens}.", values={"opens": "8:00"})
POEM = Intent(
    "poem",
    rules=[Rule(pattern=r"a poem about (?P<about>.+)")],
    prompt="Write a poem about {about}.",
    checks=[Check("short", longest=20), Check("it rhymes", test=lambda text: text.endswith("rose"))],
    otherwise="{about} is {about}.",
)


def knowing(*intents: str, margin: float = 0.0) -> Classifier:
    """Each intent is told by the word that it is named by."""
    size = len(intents)
    return Classifier(
        intents,
        tuple(f"w{name}" for name in intents),
        (200 * np.eye(size) - 100).astype(np.int8),
        np.full(size, 0.05, np.float32),
        np.zeros(size, np.float32),
        np.full(size, 9, np.uint32),
        Confidence(bias=0.0, best=1.0, gap=0.0, rarity=-1.0),
        margin,
    )


def decided(router: Router, text: str) -> Decision:
    decision = router.decide(text)
    assert decision is not None
    return decision


def test_a_rule_of_an_intent_fills_its_template() -> None:
    hello = Intent("hello", answer="Hello {name}, {text}!", rules=[Rule(prefix="i am", to="name")])
    decision = decided(Router(intents=[hello]), "I am {text}")
    assert (decision.answer, decision.how) == ("Hello {text}, I am {text}!", "rule"), "what is said is no template"
    assert decision.why == "a rule of intent hello matches" and decision.intent is hello and decision.tool is None


def test_the_rules_of_tools_come_first_and_the_classifier_last() -> None:
    said = Intent("said", answer="by the intent", rules=[Rule(pattern="say hi|hours now")])
    router = Router(intents=[said, HOURS], classifier=knowing("said", "hours"))
    assert decided(router, "say hi").answer == "by the intent"
    assert decided(router.over([HELLO]), "say hi").tool is HELLO
    assert decided(router, "hours now").why == "a rule of intent said matches"
    classified = decided(router, "hours please")
    assert (classified.answer, classified.how) == ("We open at 8:00.", "intent")
    assert classified.why.startswith("intent hours rather than said") and "'hours' +" in classified.why


def test_an_agents_tools_take_the_place_of_a_routers_own() -> None:
    router = Router([HELLO])
    assert router.over([ECHO]).decide("say hi there") is not None and router.decide("echo: hi") is None
    assert router.over([]).decide("say hi") is None and router.decide("say hi") is not None


def test_what_nobody_understands_is_said_with_a_reason() -> None:
    assert Router().consider("hi") == Decision(why="no rule matches")
    router = Router(intents=[HOURS, POEM], classifier=knowing("hours", "poem"), margin=99)
    assert router.decide("hours") is None
    looked = router.consider("hours")
    assert looked.why.startswith("no rule matches; out of scope: nearest is hours") and looked.intent is None
    assert looked.reading is not None and looked.reading.nearest == "hours"


def test_a_prompt_and_its_checks() -> None:
    decision = decided(Router(intents=[POEM]), "A poem about a rose")
    assert (decision.prompt, decision.answer) == ("Write a poem about a rose.", None)
    assert decision.otherwise == "a rose is a rose."
    assert decision.failed("a rose is a rose") == ()
    assert decision.failed("a rose") == ()
    assert decision.failed("a rose is a rose is a rose") == ("short",)
    assert decision.failed("roses are red, violets are blue") == ("short", "it rhymes")


@pytest.mark.parametrize(
    ("check", "holds", "fails"),
    [
        (Check("at most", longest=3), "abc", "abcd"),
        (Check("a year", pattern=r"\b\d{4}\b"), "in 1999.", "in 99"),
        (Check("all", longest=9, pattern="a", test=str.islower), "a", "A"),
        (Check("nothing"), "", None),
    ],
)
def test_checks(check: Check, holds: str, fails: str | None) -> None:
    assert check.holds(holds) and (fails is None or not check.holds(fails))


def test_without_a_value_or_a_template_the_intent_is_known_and_nothing_is_said() -> None:
    late = Intent("late", answer="At {opens} and {closes}.", values={"opens": 8})
    decision = decided(Router(intents=[late, Intent("bare")], classifier=knowing("late", "bare")), "late")
    assert decision.answer is None and decision.intent is late
    assert decision.why.endswith("but closes has no value") and decision.reading is not None
    bare = decided(Router(intents=[late, Intent("bare")], classifier=knowing("late", "bare")), "bare")
    assert bare.intent is not None and bare.intent.name == "bare" and bare.why.endswith("but it has no template")


def test_values_may_be_a_function_of_the_request() -> None:
    size = Intent("size", answer="{size} letters", values=lambda text: {"size": len(text)})
    assert decided(Router(intents=[size, HOURS], classifier=knowing("size", "hours")), "size?").answer == "5 letters"


def test_code_of_an_intent_that_fails_is_its_authors_error() -> None:
    def fails(text: str) -> dict[str, str]:
        raise KeyError(text)

    rule = Intent("r", rules=[Rule(extract=fails)])
    values = Intent("v", answer="{a}", rules=[Rule(pattern=".*")], values=fails)
    check = Intent("c", prompt="{text}", rules=[Rule(pattern=".*")], checks=[Check("odd", test=fails)])
    for intent, told in ((rule, "a rule of intent r"), (values, "`values` of intent v")):
        with pytest.raises(ToolInvalid, match=f"{told} failed with KeyError: 'hi'"):
            Router(intents=[intent]).decide("hi")
    with pytest.raises(ToolInvalid, match="the check odd failed with KeyError"):
        decided(Router(intents=[check]), "hi").failed("hi")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": ""}, "1 to 128 characters"),
        ({"name": "a" * (LIMITS.intent_name_chars + 1)}, "1 to 128 characters"),
        ({"examples": "when do you open"}, "should be a list"),
        ({"answer": "a", "prompt": "b"}, "both an answer and a prompt"),
        ({"answer": "a", "checks": [Check("a")]}, "checks are for the answer to a prompt"),
        ({"otherwise": "a"}, "checks are for the answer to a prompt"),
        ({"answer": "{text.__class__}"}, "plain fields only"),
        ({"answer": "{text!r}"}, "plain fields only"),
        ({"answer": "{0}"}, "plain fields only"),
        ({"answer": "{text"}, "is wrong"),
        ({"prompt": "a", "otherwise": "}"}, "is wrong"),
    ],
)
def test_intents_that_cannot_be(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        Intent(**{"name": "a", **options})


def test_a_check_with_a_wrong_pattern() -> None:
    with pytest.raises(SettingsInvalid, match="the check 'a' is wrong"):
        Check("a", pattern="(")


def test_a_name_at_the_limit() -> None:
    assert Intent("a" * LIMITS.intent_name_chars).name


@pytest.mark.parametrize("text", ["", "h" * (LIMITS.intent_chars + 1), "\ud800", 7])
def test_examples_that_cannot_be(text: Any) -> None:
    with pytest.raises(RequestError, match="is no example of hours"):
        Router(intents=[Intent("hours", examples=["when", text]), Intent("more", examples=["what"])])
    with pytest.raises(RequestError, match="is no example of anything"):
        Router(intents=[Intent("hours", examples=["when"])], out_of_scope=[text])


def test_two_intents_of_one_name() -> None:
    with pytest.raises(SettingsInvalid, match="two intents are named 'hours'"):
        Router(intents=[HOURS, Intent("hours")])


def test_a_classifier_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "intents.npz"
    save(knowing("hours", "poem"), path)
    for given in (path, str(path)):
        assert decided(Router(intents=[HOURS, POEM], classifier=given), "hours").answer == "We open at 8:00."
    with pytest.raises(SettingsInvalid, match="knows 'poem', and there is no such intent"):
        Router(intents=[HOURS], classifier=path)
    late = Intent("late", examples=["too late"])
    with pytest.raises(SettingsInvalid, match="'late' has examples, and the classifier does not know it"):
        Router(intents=[HOURS, POEM, late], classifier=path)
    Router(intents=[HOURS, POEM], classifier=path).save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").stat().st_size == path.stat().st_size
    with pytest.raises(SettingsInvalid, match="nothing was learnt"):
        Router(intents=[HOURS]).save(tmp_path / "none.npz")
    with pytest.raises(LinnetError, match="cannot be read"):
        Router(intents=[HOURS], classifier=tmp_path / "away")


def test_a_request_over_the_limit_of_intents_has_none() -> None:
    router = Router(intents=[HOURS, POEM], classifier=knowing("hours", "poem"))
    assert router.decide("hours".ljust(LIMITS.intent_chars)) is not None
    assert router.decide("hours".ljust(LIMITS.intent_chars + 1)) is None


def test_intents_one_past_the_limit() -> None:
    most = [Intent(str(n)) for n in range(LIMITS.intents)]
    assert Router(intents=most).decide("hi") is None
    with pytest.raises(RequestTooLarge, match="1,025 intents"):
        Router(intents=[*most, HOURS])

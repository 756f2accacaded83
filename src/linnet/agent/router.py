"""Logic outside the prompt: rules first, a trained classifier second, and templates for what is then said.

A request that a rule understands never reaches a classifier, and one whose intent is known never reaches the
choosing of tools. An intent's answer is a template, or a minimal prompt for a model whose answer is then held
against the intent's checks. Nothing here asks a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.agent.wording import Wording
from linnet.errors import LinnetError, RequestTooLarge, SettingsInvalid, ToolInvalid
from linnet.limits import LIMITS
from linnet.tools import Rule, Tool

if TYPE_CHECKING:
    from linnet.agent.intents.classifier import Classifier, Embed, Reading

Values = Mapping[str, Any] | Callable[[str], Mapping[str, Any]]
"""What the fields of a template are filled with, or a function of the request that says so."""


_FEWER = "Divide them among several routers."


@dataclass(frozen=True)
class Check:
    """What an answer must be: `pattern` is found in it, it is at most `longest` characters, `test` says yes.

    All that are given must hold. `name` is what a result calls it by.
    """

    name: str
    pattern: str = ""
    longest: int | None = None
    test: Callable[[str], bool] | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise SettingsInvalid(f"the pattern of the check {self.name!r} is wrong: {error}") from error

    def holds(self, answer: str) -> bool:
        if self.longest is not None and len(answer) > self.longest:
            return False
        if self.pattern and not re.search(self.pattern, answer):
            return False
        return self.test is None or bool(self.test(answer))


@dataclass(frozen=True)
class Intent:
    """A kind of request, how it is recognised, and what is done about it.

    Recognised by `rules` (prefix, pattern or a function, see Rule), or learnt from `examples`. Done about it:
    `answer` is a template of the answer; `prompt` is one of what a model is asked, and `checks` hold its answer
    against what it must be, `otherwise` standing in for an answer that fails. With none of these an Agent goes on
    as it would without a router, and says so. Fields of templates are `text`, the request itself, what a rule's
    named groups found, and `values`. Raises SettingsInvalid.
    """

    name: str
    examples: Sequence[str] = ()
    answer: str = ""
    prompt: str = ""
    values: Values = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    checks: Sequence[Check] = ()
    otherwise: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= LIMITS.intent_name_chars:
            raise SettingsInvalid(f"the name of an intent has 1 to {LIMITS.intent_name_chars} characters")
        if isinstance(self.examples, str):
            raise SettingsInvalid(f"intent {self.name!r}: `examples` should be a list of texts")
        if self.answer and self.prompt:
            raise SettingsInvalid(f"intent {self.name!r} has both an answer and a prompt; give it one")
        if (self.checks or self.otherwise) and not self.prompt:
            raise SettingsInvalid(f"intent {self.name!r}: checks are for the answer to a prompt, and it has none")
        for template in (self.answer, self.prompt, self.otherwise):
            Wording(template)

    def matched(self, text: str) -> dict[str, str] | None:
        """What the first fitting rule finds in a request."""
        for rule in self.rules:
            found = _asked(rule.match, text, f"a rule of intent {self.name}")
            if found is not None:
                return dict(found)
        return None

    def filled(self, text: str, found: Mapping[str, str]) -> Mapping[str, Any]:
        """The values of the fields for this request; what a rule found in it comes first."""
        own = self.values
        if callable(own):
            own = _asked(own, text, f"`values` of intent {self.name}")
        return {"text": text, **own, **found}


@dataclass(frozen=True)
class Decision:
    """What is to be done about a request, and why.

    Either a `tool` with its `arguments`; or an `intent` with the `answer` to give or the `prompt` to ask a model,
    filled in; or neither, and `why` says what was looked at. `reading` is the classifier's, where it was asked.
    """

    tool: Tool | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    why: str = "no rule matches"
    intent: Intent | None = None
    answer: str | None = None
    prompt: str | None = None
    otherwise: str | None = None
    reading: Reading | None = None

    @property
    def how(self) -> str:
        """What a result says of an answer that needed no model: by a rule, or by a classified intent."""
        return "rule" if self.reading is None else "intent"

    def failed(self, answer: str) -> tuple[str, ...]:
        """Names of the intent's checks that an answer to the prompt does not pass."""
        if self.intent is None:
            return ()
        return tuple(c.name for c in self.intent.checks if not _asked(c.holds, answer, f"the check {c.name}"))


class Router:
    """Rules of tools, rules of intents, then the classifier of intents; the first that understands decides.

    `classifier` is one trained before, or its file. Without one, intents that have examples are learnt at once,
    which wants `linnet[intents]`; `save` keeps what was learnt. With `embed`, such as an Embedding, they are learnt
    by vectors too, and every request that no rule understands is embedded. `margin` overrides the confidence that the
    classifier asks for. An Agent asks the rules of its own tools, not of these. Raises SettingsInvalid for intents
    that do not go together.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        intents: Iterable[Intent] = (),
        *,
        classifier: Classifier | Path | str | None = None,
        out_of_scope: Sequence[str] = (),
        margin: float | None = None,
        embed: Embed | None = None,
    ) -> None:
        self._tools = tuple(tools)
        self._intents: dict[str, Intent] = {}
        for intent in intents:
            if self._intents.setdefault(intent.name, intent) is not intent:
                raise SettingsInvalid(f"two intents are named {intent.name!r}")
        if len(self._intents) > LIMITS.intents:
            most = f"the limit is {LIMITS.intents:,}"
            raise RequestTooLarge(f"{len(self._intents):,} intents are too many for a router; {most}", hint=_FEWER)
        self._margin = margin
        self.classifier = _classifier(classifier, tuple(self._intents.values()), out_of_scope, embed)

    def over(self, tools: Iterable[Tool]) -> Router:
        """This router with the rules of these tools in place of its own."""
        other = copy(self)
        other._tools = tuple(tools)
        return other

    def save(self, path: Path | str) -> None:
        """Keep what was learnt, for `classifier`. Raises InputInvalid where it cannot be written, SettingsInvalid
        where nothing was learnt."""
        from linnet.agent.intents.file import save

        if self.classifier is None:
            raise SettingsInvalid("nothing was learnt: no intent has examples", hint="Give intents examples.")
        save(self.classifier, Path(path))

    def decide(self, text: str) -> Decision | None:
        """The decision about a request; None where nothing understands it."""
        decision = self.consider(text)
        return decision if decision.tool is not None or decision.intent is not None else None

    def consider(self, text: str) -> Decision:
        """As `decide`, with a decision for nothing that says what was looked at. Raises ToolInvalid where the
        author's own code, a rule or `values`, fails."""
        return self._by_tool(text) or self._by_rule(text) or self._by_classifier(text)

    def _by_tool(self, text: str) -> Decision | None:
        for tool in self._tools:
            arguments = _asked(tool.match, text, f"a rule of {tool.name}", tool=tool.name)
            if arguments is not None:
                return Decision(tool, arguments, f"a rule of {tool.name} matches")
        return None

    def _by_rule(self, text: str) -> Decision | None:
        for intent in self._intents.values():
            found = intent.matched(text)
            if found is not None:
                return _worded(intent, text, found, f"a rule of intent {intent.name} matches")
        return None

    def _by_classifier(self, text: str) -> Decision:
        if self.classifier is None:
            return Decision()
        try:
            reading = self.classifier.read(text, self._margin)
        except LinnetError as error:  # of the model that embeds
            return Decision(why=f"no rule matches; intents were not looked at: {error.message}")
        if reading.intent is None:
            return Decision(why=f"no rule matches; {reading.why}", reading=reading)
        return replace(_worded(self._intents[reading.intent], text, {}, reading.why), reading=reading)


def _worded(intent: Intent, text: str, found: Mapping[str, str], why: str) -> Decision:
    """The intent's templates filled in; where a field has no value the intent is known and nothing is said."""
    values = intent.filled(text, found)
    template = Wording(intent.answer or intent.prompt)
    missing = template.missing(values)
    if missing or not template.template:
        lacks = f"{', '.join(missing)} has no value" if missing else "it has no template"
        return Decision(why=f"{why}, but {lacks}", intent=intent)
    said = template.fill(values)
    otherwise = Wording(intent.otherwise).fill(values) or None
    if intent.prompt:
        return Decision(why=why, intent=intent, prompt=said, otherwise=otherwise)
    return Decision(why=why, intent=intent, answer=said)


def _classifier(
    given: Classifier | Path | str | None,
    intents: Sequence[Intent],
    out_of_scope: Sequence[str],
    embed: Embed | None,
) -> Classifier | None:
    """The one that was given, read or trained, if there is anything to classify."""
    if isinstance(given, Path | str):
        from linnet.agent.intents.file import load

        given = load(Path(given))
    if given is None and any(intent.examples for intent in intents):
        given = _trained(intents, out_of_scope, embed)
    if given is not None:
        _check_names(given, intents)
        given = _with_vectors(given, embed)
    return given


def _with_vectors(classifier: Classifier, embed: Embed | None) -> Classifier:
    """With the embedding that it was trained with, if with any."""
    from linnet.agent.intents.classifier import name_of

    wanted, there = classifier.about.get("vectors"), embed or classifier.embed
    if wanted and there is None:
        raise SettingsInvalid(
            "the classifier was trained with vectors", hint="Give `embed`, the same as in training."
        )
    if wanted and there is not None and name_of(there) != wanted:
        hint = "Give the same as in training, or train again."
        raise SettingsInvalid("the classifier was trained with other vectors than those of `embed`", hint=hint)
    return replace(classifier, embed=there if wanted else None)


def _check_names(classifier: Classifier, intents: Sequence[Intent]) -> None:
    """What a classifier knows there is, and what has examples it knows."""
    hint = "Train the classifier again on the intents as they are now."
    unknown = set(classifier.intents) - {intent.name for intent in intents}
    if unknown:
        raise SettingsInvalid(f"the classifier knows {min(unknown)!r}, and there is no such intent", hint=hint)
    unlearnt = {intent.name for intent in intents if intent.examples} - set(classifier.intents)
    if unlearnt:
        raise SettingsInvalid(f"{min(unlearnt)!r} has examples, and the classifier does not know it", hint=hint)


def _trained(intents: Sequence[Intent], out_of_scope: Sequence[str], embed: Embed | None) -> Classifier:
    from linnet.agent.intents.examples import example
    from linnet.agent.intents.training import train

    known = [example(text, intent.name) for intent in intents for text in intent.examples]
    return train([*known, *(example(text, None) for text in out_of_scope)], embed=embed)


def _asked(work: Callable[[str], Any], text: str, whose: str, **details: Any) -> Any:
    """Code of an author's own; where it fails, the author is told."""
    try:
        return work(text)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:500]}"
        raise ToolInvalid(f"{whose} failed with {reason}", **details) from error

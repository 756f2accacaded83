"""What tools and parameters say of themselves, in the voices of many authors."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from linnet.evals.training.synthesis.catalogue import acts

_TOOL = (
    "{Does}.", "{Does}.", "{Does}.", "{Bare}.", "{Bare}.", "{Bare}", "Use this to {bare}.", "A tool that {does}.",
    "This function {does}.", "Call it to {bare}.", "{Bare}. Returns the result as JSON.", "API endpoint: {bare}.",
    "Lets the user {bare}.", "{Does} ({domain}).", "Part of the {domain} module. {Bare}.", "Helper that {does}.",
    "{Bare}. Raises an error if this is not possible.", "Will {bare} for the current user.",
)  # fmt: skip
_PARAMETER = (
    "{About}.", "{About}.", "{About}", "{about}", "The {about}.", "The {about}", "{About} (see the manual).",
    "Required: {about}.", "Specifies {about}.", "String/number with the {about}.", "{About}, as given by the user.",
    "Input: {about}.", "[{about}]", "{About}; leave out if unknown.",
)  # fmt: skip
_ASKED = (
    "{About}.",
    "{About}",
    "Tells {about}.",
    "{About}?",
    "Says {about}.",
    "Determines {about}.",
    "Defines {about}.",
)
_WH = re.compile(r"(?:how|who|where|what|when|which|whether|whose|true|to whom|at what|in which|only)\b")
_DEFAULTS = ("Defaults to {}.", "Default is {}.", "The default is {}.", "Optional, {} by default.")
_EXAMPLES = ("e.g. {}", "such as {}", "for example {}", "like '{}'")


def tool(does: str, domain: str, draw: random.Random) -> str:
    """What a tool says of itself: `does` is a sentence in the third person."""
    does = does.rstrip(".")
    bare = imperative(does)
    made = draw.choice(_TOOL).format(
        Does=does, Bare=bare, does=_small(does), bare=_small(bare), domain=domain.replace("_", " ")
    )
    return made if draw.random() < 0.9 else made.replace(". ", "\n")


def parameter(about: str, schema: Mapping[str, Any], example: str, draw: random.Random) -> str:
    """What a parameter says of itself, with an example where one is given, and perhaps options and default."""
    about = re.sub(r"^(?:the|an?) ", "", about) if draw.random() < 0.8 else about
    forms: tuple[str, ...] = _ASKED if _WH.match(about) else _PARAMETER
    if about.startswith(("the ", "a ", "an ")):
        forms = ("{About}.", "{About}", "{about}")
    text = draw.choice(forms).format(about=about, About=about[:1].upper() + about[1:])
    if example:
        text = f"{text.rstrip('.?')}, {draw.choice(_EXAMPLES).format(example)}"
    if (options := schema.get("enum")) and draw.random() < 0.3:
        text = f"{text.rstrip('.')}: {', '.join(map(str, options))}."
    if "default" in schema and draw.random() < 0.5:
        text = f"{text.rstrip('.')}. {draw.choice(_DEFAULTS).format(schema['default'])}"
    return text


def imperative(does: str) -> str:
    """`Switches on or dims the light` -> `Switch on or dim the light`."""
    first, _, rest = does.partition(" ")
    words = [_bare(first)]
    for before, word in zip([first, *rest.split(" ")], rest.split(" "), strict=False):
        words.append(_bare(word) if before in ("or", "and") and word in _verbs() else word)
    return " ".join(words)


@cache
def _verbs() -> frozenset[str]:
    return frozenset({act.does.split()[0].lower() for act in acts()} | {"dims", "unlocks", "sets"})


def _bare(verb: str) -> str:
    if verb.lower() == "has":
        return verb[:-1] + "ve"
    if verb.lower() in ("does", "goes"):
        return verb[:-2]
    for ending, bare in ((r"ies$", "y"), (r"(ss|x|ch|sh|zz)es$", r"\1"), (r"([^siu])s$", r"\1")):
        if re.search(ending, verb):
            return re.sub(ending, bare, verb)
    return verb


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]

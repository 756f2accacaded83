"""Names of tools and of their parameters in the styles of the field, abbreviations and nonsense included."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

_CASES = ("snake", "snake", "snake", "camel", "camel", "pascal", "kebab", "upper")
_SYLLABLES = "ba zor ni ket lu pra vex mo tri gan do lis fer qua nu shi rok ela".split()
_PREFIXES = ("{domain}", "{domain}", "{domain}_api", "{thing}", "api.v2", "svc", "{domain}.{thing}")
_ACTIONS = ("{}", "{}", "{}", "{}", "{}", "{} api", "do {}", "{} tool", "{} v2", "run {}", "handle {}", "api {}")


@dataclass(frozen=True)
class Style:
    """How the author of one tool writes names: the case, a prefix in front of the tool's, and how often a name is
    cut short or means nothing."""

    case: str
    prefix: str
    short: float
    blank: float

    @classmethod
    def drawn(cls, draw: random.Random) -> Style:
        prefix = draw.choice(_PREFIXES) if draw.random() < 0.33 else ""
        short, blank = draw.choice(((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.6, 0.0), (0.2, 0.25), (0.0, 1.0)))
        return cls(draw.choice(_CASES), prefix, short, blank)

    def tool(self, act: str, domain: str, draw: random.Random) -> str:
        """`get forecast` -> `weather.getForecast`."""
        if draw.random() < self.blank * 0.6:
            return _nonsense(draw)
        words = draw.choice(_ACTIONS).format(act).split()
        if draw.random() < self.short * 0.5:
            words = [_cut(word, draw) for word in words]
        prefix = self.prefix.format(domain=domain, thing=act.split()[-1])
        return f"{prefix}.{cased(words, self.case)}" if prefix else cased(words, self.case)

    def parameter(self, words: str, draw: random.Random) -> str:
        """`check in` -> `checkIn`, `chk_in`, or a name that tells nothing."""
        if draw.random() < self.blank:
            return _blank(draw)
        parts = words.split()
        if draw.random() < self.short:
            parts = [_cut(part, draw) for part in parts]
        case = {"pascal": "camel", "upper": "snake"}.get(self.case, self.case)
        return cased(parts, case)


def cased(words: list[str], case: str) -> str:
    """Words as one name."""
    words = [word for word in words if word]
    match case:
        case "camel":
            return words[0].lower() + "".join(word.capitalize() for word in words[1:])
        case "pascal":
            return "".join(word.capitalize() for word in words)
        case "kebab":
            return "-".join(words).lower()
        case "upper":
            return "_".join(words).upper()
    return "_".join(words).lower()


def _cut(word: str, draw: random.Random) -> str:
    """`quantity` -> `qty`-like: without its vowels, or its beginning."""
    if len(word) < 5:
        return word
    if draw.random() < 0.5:
        return word[0] + "".join(c for c in word[1:] if c not in "aeiou")[:4]
    return word[: draw.randint(3, 4)]


def _nonsense(draw: random.Random) -> str:
    made = "".join(draw.sample(_SYLLABLES, draw.randint(2, 3)))
    return draw.choice((made, f"fn_{draw.randint(1, 99)}", f"tool{draw.randint(1, 400)}", f"{made}.{made[:3]}"))


def _blank(draw: random.Random) -> str:
    forms = (
        f"p{draw.randint(1, 9)}",
        f"arg{draw.randint(0, 9)}",
        f"param_{draw.choice(string.ascii_lowercase)}",
        "".join(draw.sample(_SYLLABLES, 2)),
        f"field{draw.randint(1, 20)}",
        draw.choice(string.ascii_lowercase),
    )
    return draw.choice(forms)

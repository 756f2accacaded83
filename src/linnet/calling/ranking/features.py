"""What speaks for and against a candidate, as named numbers. `ranker` weighs them; nothing here decides.

A feature's name says what was seen; most are conjoined with the parameter's type or sense, so that `from`
before a word can mean one thing for an origin and another for an amount.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from linnet.calling.evidence import codes, dates
from linnet.calling.evidence.codes import known_place
from linnet.calling.evidence.lexicon import NEGATIVE, SYNONYMS
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading, Word
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.candidates import OMITTED, Candidate
from linnet.tools import Tool

Features = dict[str, float]

_PREVIOUS = frozenset(
    "in for of from to at by on with about named called titled is are was the a an as into between and or than my "
    "using like over under per until that's it's through since during before after it that this me against".split()
)
_NEXT = frozenset(
    "in for of from to at by on with is are and or as between who that which using than per during".split()
)
_MOST_OF_TOOL = 0.99


class Scene:
    """All that features are read from: one tool, its parameters, one request."""

    def __init__(self, tool: Tool, parameters: Sequence[Parameter], reading: Reading) -> None:
        self.tool, self.parameters, self.reading = tool, parameters, reading
        self.tool_stems = frozenset(words(f"{tool.name.replace('.', ' ')} {tool.description}"))
        self._spans: dict[tuple[int, int], Features] = {}
        self.numbers = sorted({(q.start, q.end) for q in reading.quantities})
        self.numeric = [p for p in parameters if p.type == "number"]
        self.needed_numbers = sum(p.required for p in self.numeric)
        self.textual = [p for p in parameters if p.type == "string"]
        self._others: dict[str, frozenset[str]] = {}

    def features(self, parameter: Parameter, candidate: Candidate) -> Features:
        """Named numbers for one candidate of one parameter."""
        if candidate.value is OMITTED or candidate.source in ("default", "example"):
            return self._unsaid(parameter, candidate)
        if candidate.source == "legend":
            return {"legend": 1.0, f"legend|{parameter.required}": 1.0}
        if parameter.type == "number":
            return self._number(parameter, candidate)
        if parameter.type == "options":
            return self._option(parameter, candidate)
        if parameter.type == "boolean":
            return self._boolean(parameter, candidate)
        if parameter.type == "array":
            return self._list(parameter, candidate)
        if parameter.type in ("const", "object"):
            return {f"{parameter.type}:{candidate.source}": 1.0}
        return self._text(parameter, candidate)

    # --- what the request does not say -------------------------------------------------------------

    def _unsaid(self, parameter: Parameter, candidate: Candidate) -> Features:
        source = "omitted" if candidate.value is OMITTED else candidate.source
        key = f"{source}|{parameter.type}"
        found = {key: 1.0, f"{key}|req={parameter.required}": 1.0}
        if parameter.default is not None:
            found[f"{key}|default"] = 1.0
        own = parameter.name_stems
        share = len(own & self.reading.stems) / max(1, len(own))
        found[f"{key}|spoken"] = share
        found[f"{key}|described"] = self._share(parameter.description_stems)
        for sense in parameter.senses:
            found[f"{key}|{sense}"] = 1.0
        if parameter.type == "number":
            spare = len(self.numbers) - self.needed_numbers
            found[f"{key}|spare={max(-1, min(2, spare))}"] = 1.0
            optional = len(self.numeric) - self.needed_numbers
            found[f"{key}|fits={'yes' if spare >= optional else 'no'}"] = 1.0
        if source == "example":
            said = words(str(candidate.value))
            inside = sum(s in self.reading.stems for s in said) / max(1, len(said))
            found[f"{key}|said"] = inside
            found[f"{key}|said all"] = float(inside == 1.0)
        if parameter.type == "array":
            found[f"{key}|len"] = float(len(self.reading.words) < 12)
        return found

    def _share(self, stems: frozenset[str]) -> float:
        fresh = stems - self.tool_stems
        return len(fresh & self.reading.stems) / max(1, len(fresh))

    # --- text --------------------------------------------------------------------------------------

    def _text(self, parameter: Parameter, candidate: Candidate) -> Features:
        base = self._span(candidate.first, candidate.last)
        found: Features = {}
        kinds = ("", *(f"|{sense}" for sense in parameter.senses))
        for name, value in base.items():
            for kind in kinds:
                found[f"{name}{kind}"] = value
        forms = (
            "date"
            if dates.asked(parameter)
            else "any date"
            if dates.forms(parameter)
            else "code"
            if codes.tables(parameter)
            else ""
        )
        if forms:
            found[f"asks {forms}|{candidate.source}"] = 1.0
        for kind in kinds:
            found[f"source:{candidate.source}{kind}"] = 1.0
        need = "req" if parameter.required else "opt"
        found[f"span|{need}"] = 1.0
        found.update(self._relation(parameter, candidate, need))
        found.update(self._looks(parameter, candidate))
        found.update(self._place(parameter, candidate, self.textual, "text"))
        return found

    def _span(self, first: int, last: int) -> Features:
        if (first, last) not in self._spans:
            self._spans[first, last] = self._read_span(first, last)
        return self._spans[first, last]

    def _read_span(self, first: int, last: int) -> Features:
        reading = self.reading
        said = reading.words[first : last + 1]
        length = last - first + 1
        found: Features = {f"len={length if length < 5 else '5-7' if length < 8 else '8+'}": 1.0}
        before, gap = (reading.words[first - 1] if first else None), said[0].gap
        after, end = (reading.words[last + 1] if last + 1 < len(reading.words) else None), reading.after(last)
        found[f"prev={self._before(first, before, gap)}"] = 1.0
        found[f"next={self._after(after, end)}"] = 1.0
        if mark := gap.strip()[-1:]:
            found[f"open={mark}"] = 1.0
        if mark := end.strip()[:1]:
            found[f"close={mark}"] = 1.0
        capitals = [w.capital for w in said]
        starts = first in reading.sentence_starts
        found[
            "caps=" + ("all" if all(capitals) else "first" if capitals[0] else "some" if any(capitals) else "none")
        ] = 1.0
        if starts:
            found["starts sentence"] = 1.0
        if starts and last == first:
            found["first word alone"] = 1.0
        if before and before.capital and capitals[0] and gap.isspace() and first - 1 not in reading.sentence_starts:
            found["cut name left"] = 1.0
        if before and before.common and first > 1 and capitals[0] and reading.words[first - 2].capital:
            found[f"behind name and {before.lower if before.lower in ('of', 'the', 'and') else 'word'}"] = 1.0
        if (
            after
            and after.common
            and last + 2 < len(reading.words)
            and capitals[-1]
            and reading.words[last + 2].capital
        ):
            found[f"before name and {after.lower if after.lower in ('of', 'the', 'and') else 'word'}"] = 1.0
        if after and after.capital and capitals[-1] and end.isspace():
            found["cut name right"] = 1.0
        if after and not after.common and end.isspace() and not after.capital and not capitals[-1]:
            found["cut phrase right"] = 1.0
        if before and not before.common and gap.isspace() and not before.capital and not capitals[0]:
            found["cut phrase left"] = 1.0
        common = sum(w.common for w in said)
        found["common inside"] = float(bool(common))
        found["commas inside"] = float(any("," in w.gap for w in said[1:]))
        found["and inside"] = float(any(w.lower in ("and", "or") for w in said))
        digits = sum(any(c.isdigit() for c in w.text) for w in said)
        found["digits=" + ("all" if digits == length else "some" if digits else "none")] = 1.0
        if any(c.isdigit() for c in said[0].text) and any(c.isalpha() for c in said[0].text) and length == 1:
            found["code"] = 1.0
        if length == 1 and said[0].text.isupper() and len(said[0].text) > 1:
            found["acronym"] = 1.0
        found["tool words"] = sum(w.stem in self.tool_stems for w in said) / length
        found["all tool words"] = float(all(w.stem in self.tool_stems for w in said))
        found.update(self._marks(said))
        found[f"ends -{_ending(said[-1].lower)}"] = 1.0
        if length == 1:
            found[f"alone -{_ending(said[0].lower)}|caps={capitals[0]}"] = 1.0
        if any(capitals):
            found["known place"] = float(known_place(self.reading.text[said[0].start : said[-1].end]))
        if before and first > 1 and reading.words[first - 2].text and "," in gap:
            found["behind comma|caps" if before.capital else "behind comma"] = 1.0
        return found

    def _before(self, first: int, before: Word | None, gap: str) -> str:
        if before is None or first in self.reading.sentence_starts:
            return "^"
        if "," in gap:
            return ","
        if before.text[0].isdigit():
            return "#"
        return before.lower if before.lower in _PREVIOUS else "Cap" if before.capital else "word"

    def _after(self, after: Word | None, end: str) -> str:
        if after is None or re.match(r"[\"'”’)\]]*[.!?;:]\s", end):
            return "$"
        if end.lstrip("\"'”’)").startswith(","):
            return ","
        if end.startswith(("'s", "’s")):
            return "'s"
        return after.lower if after.lower in _NEXT else "Cap" if after.capital else "word"

    def _marks(self, said: Sequence[Word]) -> Features:
        """How the span stands to quotations, numbers and phrases of time."""
        start, end = said[0].start, said[-1].end
        found: Features = {}
        for name, places in (
            ("quote", [(q.start, q.end) for q in self.reading.quotations]),
            ("moment", self.reading.moments),
            ("number", self.numbers),
        ):
            if relation := _stands(start, end, places):
                found[f"{name} {relation}"] = 1.0
            elif name == "quote" and places:
                found["quotes elsewhere"] = 1.0
        return found

    def _relation(self, parameter: Parameter, candidate: Candidate, need: str) -> Features:
        """How the words around a candidate and in it relate to the parameter's own and to the others'."""
        words_, first, last = self.reading.words, candidate.first, candidate.last
        own, described = parameter.name_stems, parameter.description_stems - parameter.name_stems
        before = [w.stem for w in words_[max(0, first - 4) : first]][::-1]
        after = [w.stem for w in words_[last + 1 : last + 3]]
        inside = [w.stem for w in words_[first : last + 1]]
        others = self._of_others(parameter)
        found: Features = {}
        for i, word in enumerate(before):
            if word in own:
                found[f"own word {-i - 1}"] = 1.0
                found[f"own word before|{need}"] = 1.0
                break
        for i, word in enumerate(before[:3]):
            if word in described:
                found[f"described {-i - 1}"] = 1.0
                break
        for i, word in enumerate(before[:2]):
            if word in others:
                found[f"other's word {-i - 1}"] = 1.0
                break
        if after and after[0] in own:
            found["own word next"] = 1.0
            found[f"own word next|{need}"] = 1.0
        elif len(after) > 1 and after[1] in own:
            found["own word next but one"] = 1.0
        if after and after[0] in others:
            found["other's word next"] = 1.0
        if after and after[0] in described:
            found["described next"] = 1.0
        size = len(inside)
        found["own inside"] = sum(w in own for w in inside) / size
        found["own ends"] = float(inside[-1] in own and size > 1)
        found["own begins"] = float(inside[0] in own and size > 1)
        found["is own name"] = float(all(w in own for w in inside))
        found["described inside"] = sum(w in described for w in inside) / size
        found["others inside"] = sum(w in others for w in inside) / size
        return found

    def _of_others(self, parameter: Parameter) -> frozenset[str]:
        if parameter.name not in self._others:
            others = frozenset().union(*(p.name_stems for p in self.parameters if p is not parameter))
            self._others[parameter.name] = others - parameter.name_stems
        return self._others[parameter.name]

    def _looks(self, parameter: Parameter, candidate: Candidate) -> Features:
        """Whether the candidate is, or looks like, the values that the description gives as examples."""
        said, found = str(candidate.value), {}
        lowered = said.lower()
        if any(lowered == e.lower() for e in parameter.examples):
            found["is example"] = 1.0
        elif parameter.examples and {stem(w) for w in lowered.split()} & {
            stem(w) for e in parameter.examples for w in e.lower().split()
        }:
            found["shares example words"] = 1.0
        if parameter.default is not None and lowered == str(parameter.default).lower():
            found["is default"] = 1.0
        like = [e for e in parameter.examples if e[:1].isalnum() and e != parameter.default]
        if like:
            found["like case"] = float(any(e[:1].isupper() == said[:1].isupper() for e in like))
            found["unlike case"] = 1.0 - found["like case"]
            found["like comma"] = float(("," in said) and any("," in e for e in like))
            found["no comma"] = float(("," not in said) and all("," in e for e in like))
            found["like length"] = float(any(len(e.split()) == len(said.split()) for e in like))
            found["like digits"] = float(any(c.isdigit() for c in said) and any(c.isdigit() for e in like for c in e))
        return found

    def _place(self, parameter: Parameter, candidate: Candidate, peers: Sequence[Parameter], what: str) -> Features:
        """Whether it comes early or late, against the parameter's place among its like."""
        if len(peers) < 2 or not self.reading.words:
            return {}
        mine = peers.index(parameter) / (len(peers) - 1) if parameter in peers else 0.5
        at = candidate.first / max(1, len(self.reading.words) - 1)
        return {
            f"{what} apart": abs(mine - at),
            f"{what} {'first' if mine == 0 else 'last' if mine == 1 else 'mid'} at": at,
        }

    # --- numbers -----------------------------------------------------------------------------------

    def _number(self, parameter: Parameter, candidate: Candidate) -> Features:
        quantity = candidate.quantity
        assert quantity is not None
        text = self.reading.text
        key = f"num:{candidate.source}"
        found: Features = {key: 1.0, f"{key}|req={parameter.required}": 1.0, f"{key}|int={parameter.integer}": 1.0}
        if quantity.spelled:
            found[f"{key}|spelled"] = 1.0
            found[f"spelled:{text[quantity.start : quantity.end].lower()}"] = 1.0
        for sense in parameter.senses:
            found[f"{key}|{sense}"] = 1.0
        near = self._relation(parameter, candidate, "number")
        found.update({f"num {name}": value for name, value in near.items()})
        before = text[max(0, quantity.start - 1) : quantity.start]
        found[f"num money|{bool({'amount', 'currency'} & set(parameter.senses))}"] = float(
            before in "$€£" and bool(before)
        )
        speaks = f"{parameter.name} {parameter.description}".lower()
        percent = any(word in speaks for word in ("percent", "per cent", "%"))
        fraction = any(word in speaks for word in ("decimal", "fraction", "between 0 and 1", "0 to 1", "float"))
        if quantity.percent or percent:
            found[f"percent={quantity.percent}|means={percent}|{candidate.source}|int={parameter.integer}"] = 1.0
            found[f"percent={quantity.percent}|fraction={fraction}|{candidate.source}"] = 1.0
        if self._year(candidate.value):
            found[f"year|named={bool(parameter.name_stems & {'year'})}"] = 1.0
        found.update(self._unit(parameter, quantity.end))
        found.update(self._turn(parameter, (quantity.start, quantity.end)))
        found[
            f"num prev={self._before(candidate.first, self.reading.words[candidate.first - 1] if candidate.first else None, '')}"
        ] = 1.0
        if isinstance(candidate.value, float):
            found[f"decimal|int={parameter.integer}"] = 1.0
        return found

    @staticmethod
    def _year(value: Any) -> bool:
        return isinstance(value, int) and 1500 <= value <= 2100

    def _unit(self, parameter: Parameter, end: int) -> Features:
        """Whether the unit behind a number is one that the description, or the name, speaks of."""
        match = re.match(r"[\s-]*([^\W\d_]+)", self.reading.text[end : end + 24])
        if not match:
            return {}
        unit = _UNITS.get(match[1].lower(), stem(match[1].lower()))
        spoken = {
            _UNITS.get(w, stem(w)) for w in re.findall(r"[a-z]+", f"{parameter.name} {parameter.description}".lower())
        }
        others = {
            _UNITS.get(w, stem(w))
            for p in self.numeric
            if p is not parameter
            for w in re.findall(r"[a-z]+", f"{p.name} {p.description}".lower())
        }
        if unit in spoken:
            return {"unit spoken" if unit not in others else "unit spoken by several": 1.0}
        return {"unit spoken by other": 1.0} if unit in others else {}

    def _turn(self, parameter: Parameter, place: tuple[int, int]) -> Features:
        """Whether the n-th number meets the n-th parameter."""
        if place not in self.numbers:
            return {"num turn none": 1.0}
        at = self.numbers.index(place)
        mine, needed = self.numeric.index(parameter) if parameter in self.numeric else 0, self.needed_numbers
        required = [p for p in self.numeric if p.required]
        found = {f"num turn {max(-3, min(3, at - mine))}": 1.0}
        if len(self.numbers) == len(self.numeric):
            found[f"num even turn {max(-2, min(2, at - mine))}"] = 1.0
        if parameter.required and len(self.numbers) == needed:
            found[f"num even required {max(-2, min(2, at - required.index(parameter)))}"] = 1.0
        return found

    # --- options, yes or no --------------------------------------------------------------------------

    def _option(self, parameter: Parameter, candidate: Candidate) -> Features:
        option = str(candidate.value)
        said = words(option) or [option.lower()]
        share = sum(s in self.reading.stems for s in said) / len(said)
        alike = sum(bool(SYNONYMS.get(s, frozenset((s,))) & self.reading.stems) for s in said) / len(said)
        key, need = f"option:{candidate.source}", f"req={parameter.required}"
        found = {key: 1.0, f"{key}|{need}": 1.0, "option share": share, f"option share|{need}": share}
        found["option alike"] = found[f"option alike|{key}"] = alike
        if candidate.value == parameter.default:
            found[f"{key}|default"] = 1.0
        if candidate.value == parameter.schema["enum"][0]:
            found["option first"] = 1.0
        if candidate.covers:
            relation = self._relation(parameter, candidate, need)
            found.update({f"option {name}": value for name, value in relation.items()})
            found[
                "option prev="
                + self._before(
                    candidate.first, self.reading.words[candidate.first - 1] if candidate.first else None, ""
                )
            ] = 1.0
        prefix = max((_common_prefix(option.lower(), w.lower) for w in self.reading.words), default=0)
        found["option prefix"] = float(prefix >= 4 and not candidate.covers)
        if option.lower() in ("dontcare", "none", "any", "all"):
            found[f"option {option.lower()}|{need}"] = 1.0
        if option.lower() in ("true", "false"):
            found[f"option {option.lower()}|{need}"] = 1.0
            found[f"option {option.lower()}|spoken"] = self._share(parameter.name_stems | parameter.description_stems)
        return found

    def _boolean(self, parameter: Parameter, candidate: Candidate) -> Features:
        key = f"bool:{candidate.value}"
        own = parameter.name_stems - {
            stem(w) for w in ("include", "is", "has", "flag", "enable", "enabled", "show", "return")
        }
        share = len(own & self.reading.stems) / max(1, len(own))
        negated = NEGATIVE.search(self.reading.text) is not None
        found = {
            key: 1.0,
            f"{key}|req={parameter.required}": 1.0,
            f"{key}|own": share,
            f"{key}|all own": float(share == 1.0),
        }
        found[f"{key}|fresh"] = len((own - self.tool_stems) & self.reading.stems) / max(1, len(own))
        found[f"{key}|negated={negated}"] = 1.0
        found[f"{key}|described"] = self._share(parameter.description_stems)
        if parameter.default is not None:
            found[f"{key}|default={parameter.default}"] = 1.0
        return found

    # --- lists ---------------------------------------------------------------------------------------

    def _list(self, parameter: Parameter, candidate: Candidate) -> Features:
        items = parameter.schema.get("items")
        kind = str(items.get("type", "string")) if isinstance(items, dict) else "any"
        kind = "number" if kind == "integer" else kind
        need = f"req={parameter.required}"
        size = len(candidate.value)
        key = f"list:{candidate.source}|{kind}"
        found = {
            key: 1.0,
            f"{key}|{need}": 1.0,
            f"list size {min(size, 5)}|{kind}": 1.0,
            "list size": float(min(size, 10)),
        }
        if not candidate.covers:
            return found
        for name, value in self._relation(parameter, candidate, need).items():
            found[f"list {name}"] = value
            found[f"list {name}|{kind}"] = value
        span = self._span(candidate.first, candidate.last)
        found.update(
            {
                f"list {n}": v
                for n, v in span.items()
                if n.startswith(("prev=", "next=", "open=", "close=", "quote", "cut", "starts", "first"))
            }
        )
        if kind == "number":
            return found
        sizes = [len(str(item).split()) for item in candidate.value]
        found["list uneven"] = (max(sizes) - min(sizes)) / max(sizes)
        found["list first longer"] = max(0.0, sizes[0] - (sum(sizes[1:]) / len(sizes[1:]) if size > 1 else sizes[0]))
        found["list last longer"] = max(
            0.0, sizes[-1] - (sum(sizes[:-1]) / len(sizes[:-1]) if size > 1 else sizes[-1])
        )
        capitals = [str(item)[:1].isupper() for item in candidate.value]
        found["list caps=" + ("all" if all(capitals) else "some" if any(capitals) else "none")] = 1.0
        if size > 1:
            found["list first odd case"] = float(capitals[0] != capitals[1] and len(set(capitals[1:])) == 1)
            found["list last odd case"] = float(capitals[-1] != capitals[0] and len(set(capitals[:-1])) == 1)
        else:
            found.update({f"single {n}": v for n, v in span.items()})
        found["list tool words"] = span["tool words"]
        return found


def _stands(start: int, end: int, places: Sequence[tuple[int, int]]) -> str:
    for a, b in places:
        if start < b and a < end:
            if abs(a - start) <= 1 and abs(b - end) <= 1:
                return "is"
            if a <= start and end <= b:
                return "inside"
            return "around" if start <= a and b <= end else "across"
    return ""


_ENDINGS = (
    "ing",
    "ed",
    "ly",
    "tion",
    "sion",
    "ian",
    "ese",
    "ish",
    "ist",
    "ology",
    "ics",
    "ment",
    "ity",
    "er",
    "al",
    "ic",
    "an",
    "s",
)


def _ending(word: str) -> str:
    return next((e for e in _ENDINGS if word.endswith(e) and len(word) > len(e) + 2), "?")


def _common_prefix(a: str, b: str) -> int:
    size = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        size += 1
    return size


_UNITS = {
    form: unit
    for unit, forms in {
        "meter": "m meter meters metre metres",
        "kilometer": "km kms kilometer kilometers kilometre kilometres",
        "centimeter": "cm centimeter centimeters",
        "kilogram": "kg kgs kilogram kilograms kilo kilos",
        "gram": "g gram grams",
        "second": "s sec secs second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "mile": "mi mile miles",
        "mph": "mph",
        "joule": "j joule joules",
        "newton": "n newton newtons",
        "volt": "v volt volts",
        "ampere": "a amp amps ampere amperes",
        "ohm": "ohm ohms",
        "coulomb": "c coulomb coulombs",
        "tesla": "t tesla teslas",
        "pascal": "pa pascal pascals",
        "degree": "degree degrees",
        "pound": "lb lbs pound pounds",
        "foot": "ft foot feet",
        "year": "year years yr yrs",
        "day": "day days",
        "month": "month months",
        "liter": "l liter liters litre litres",
    }.items()
    for form in forms.split()
}

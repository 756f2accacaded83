"""Which portion of a request is for which tool, where it asks for several things at once.

The request is cut at sentences, commas and conjunctions. Each stretch speaks for a tool by the words that it
shares with it, the more so the fewer of the other tools have them; fitted weights say from that which tools
are meant. The stretches are then dealt out to those so that few changes of tool explain them best (Viterbi).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from linnet.calling.evidence.naming import words
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import weigh
from linnet.calling.ranking.split import said
from linnet.tools import Tool

_CUT_WORDS = frozenset(("and", "then", "also", "while", "plus", "finally", "lastly"))
_NEW_TOOL, _NEW_TOOL_IN_SENTENCE = 0.3, 1.0
"""What a change of tool costs at a sentence's beginning, and elsewhere, in units of shared words."""
_KEYWORDS = ("then", "also", "and", "lastly", "finally", "second")


class Portions:
    """A request cut up, and how much each stretch speaks for each tool."""

    def __init__(self, tools: Sequence[Tool], reading: Reading) -> None:
        self.tools, self.reading = tuple(tools), reading
        self._edges = _edges(reading)
        self._shares = _shares(self._edges, reading, [_vocabulary(tool) for tool in self.tools])

    def features(self) -> list[Features]:
        """For each tool, what speaks for its being one of those that are meant."""
        numbers = range(len(self.tools))
        total = [sum(share[t] for share in self._shares) for t in numbers]
        names = [frozenset(words(tool.name.replace(".", " "))) for tool in self.tools]
        return [self._of(t, total, names) for t in numbers]

    def _of(self, tool: int, total: Sequence[float], names: Sequence[frozenset[str]]) -> Features:
        others = [t for t in range(len(self.tools)) if t != tool]
        rival = [max((share[t] for t in others), default=0.0) for share in self._shares]
        mine = [share[tool] for share in self._shares]
        won = sum(own > 0 and own >= other for own, other in zip(mine, rival, strict=True))
        lead = max((own - other for own, other in zip(mine, rival, strict=True)), default=0.0)
        heard = self.reading.stems
        alone = names[tool].difference(*(names[t] for t in others))
        length = min(100, len(self.reading.words)) / 30
        found = {
            "total": total[tool],
            "relative": total[tool] / max(1e-6, *total),
            "best": float(total[tool] >= max(total)),
            "lead": max(-3.0, min(3.0, total[tool] - max((total[t] for t in others), default=0.0))),
            "won": float(min(3, won)),
            "wins": float(won > 0),
            "most": max(mine, default=0.0),
            "margin": max(0.0, min(3.0, lead)),
            "name": len(names[tool] & heard) / max(1, len(names[tool])),
            "own name": len(alone & heard) / max(1, len(alone)),
            "sentences": float(min(5, len(self.reading.sentence_starts))),
            "tools": float(len(self.tools)),
            "length": length,
        }
        for name in ("wins", "own name", "margin", "best"):
            found[f"{name} by length"] = found[name] * length
        found["own name wins"] = found["own name"] * found["wins"]
        for keyword in _KEYWORDS:
            if any(word.lower == keyword for word in self.reading.words):
                found |= {keyword: 1.0, f"wins|{keyword}": found["wins"], f"own name|{keyword}": found["own name"]}
        return found

    def meant(self, weights: Mapping[str, float]) -> list[float]:
        """For each tool, the log-odds that it is one of those that are meant."""
        return [weigh(found, weights) for found in self.features()]

    def deal(self, among: Sequence[int]) -> dict[int, str]:
        """The text for each of these tools, by its number; its stretches are lines of it."""
        path = self._path(among)
        runs: list[tuple[int, int, int]] = []
        for number, tool in enumerate(path):
            begin, end = self._edges[number], self._edges[number + 1]
            if runs and runs[-1][0] == tool:
                runs[-1] = (tool, runs[-1][1], end)
            else:
                runs.append((tool, begin, end))
        texts: dict[int, list[str]] = {}
        for tool, begin, end in runs:
            texts.setdefault(tool, []).append(said(self.reading, begin, end))
        return {tool: "\n".join(lines) for tool, lines in texts.items()}

    def _path(self, among: Sequence[int]) -> list[int]:
        """The tool of each stretch: the likeliest sequence when a change of tool has its price."""
        best = [self._shares[0][t] for t in among]
        back: list[list[int]] = []
        for number in range(1, len(self._shares)):
            starts = self._edges[number] in self.reading.sentence_starts
            price = _NEW_TOOL if starts else _NEW_TOOL_IN_SENTENCE
            steps = [max(range(len(among)), key=lambda u: best[u] - price * (u != t)) for t in range(len(among))]
            best = [best[u] - price * (u != t) + self._shares[number][among[t]] for t, u in enumerate(steps)]
            back.append(steps)
        at = max(range(len(among)), key=best.__getitem__)
        path = [at]
        for steps in reversed(back):
            at = steps[at]
            path.append(at)
        return [among[i] for i in reversed(path)]


def _edges(reading: Reading) -> list[int]:
    heard = reading.words
    inner = [
        i
        for i in range(1, len(heard))
        if i in reading.sentence_starts or heard[i].lower in _CUT_WORDS or re.search(r"[,;]", heard[i].gap)
    ]
    return [0, *inner, len(heard)]


def _vocabulary(tool: Tool) -> dict[str, float]:
    """The stems of a tool's words, with how much each counts: those of its name most."""
    found: dict[str, float] = {}
    own = parameters(tool)
    for weight, text in (
        (0.3, " ".join(p.description for p in own)),
        (0.6, " ".join(p.path[-1] for p in own)),
        (1.0, tool.description),
        (1.5, tool.name.replace(".", " ")),
    ):
        found |= dict.fromkeys(words(text), weight)
    return found


def _shares(edges: Sequence[int], reading: Reading, known: Sequence[Mapping[str, float]]) -> list[list[float]]:
    """For each stretch and tool, the weights of the words they share, rare ones counted more."""
    spread = Counter(word for vocabulary in known for word in vocabulary)
    shares = []
    for begin, end in pairwise(edges):
        heard = {word.stem for word in reading.words[begin:end] if not word.common}
        shares.append(
            [
                sum(vocabulary[w] * math.log((len(known) + 1) / spread[w]) for w in sorted(heard) if w in vocabulary)
                for vocabulary in known
            ]
        )
    return shares

"""Which few tools could be meant, out of many: BM25 over what each tool says of itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from linnet.calling.evidence.naming import words
from linnet.tools import Tool


def described(tool: Tool) -> list[str]:
    """Content words of a tool: its name, description, examples, and its parameters with their options."""
    parts = [tool.name.replace(".", " "), tool.description, *tool.examples]
    for name, schema in tool.parameters["properties"].items():
        parts += [name, schema.get("description", ""), *map(str, schema.get("enum", ()))]
    return words(" ".join(parts))


def introduce(tool: Tool) -> str:
    """A tool as a text that a request for it may follow."""
    name = re.sub(r"[._]", " ", tool.name)
    return f"Function: {name}({', '.join(tool.parameters['properties'])})\n{tool.description}\nUser request:"


class Retriever:
    """An index over a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tuple(tools)
        self._words = [described(tool) for tool in self._tools]
        self._known = frozenset(word for tool in self._words for word in tool)
        self._index: Any = None

    def candidates(self, request: str, k: int) -> list[Tool]:
        """The k tools that match best, best first; those that match as well as each other, in their own order."""
        scores = self._scores(words(request))
        order = sorted(range(len(self._tools)), key=lambda i: -scores[i])
        return [self._tools[i] for i in order[:k]]

    def _scores(self, query: list[str]) -> list[float]:
        known = [word for word in query if word in self._known]
        if not known:
            return [0.0] * len(self._tools)
        import bm25s

        if self._index is None:
            index = bm25s.BM25()
            index.index(self._words, show_progress=False)
            self._index = index  # whole: another thread may ask meanwhile
        return [float(score) for score in self._index.get_scores(known)]

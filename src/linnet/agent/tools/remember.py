"""`remember that ...`: a fact into the memory, by a rule and by nothing else.

It is not offered to the model: what is kept for ever is what the user said, word for word.
"""

from __future__ import annotations

from linnet.agent.memory import Memory
from linnet.tools import Rule, Tool, tool


def remember(memory: Memory) -> Tool:
    """The tool over one memory."""

    @tool(
        name="remember",
        answer="I will remember: {result}",
        rules=[Rule(prefix="remember that", to="fact"), Rule(prefix="remember:", to="fact")],
    )
    def kept(fact: str) -> str:
        """Keep a fact for later conversations.

        Args:
            fact: what to remember
        """
        return memory.add(fact, source="request").text

    return kept

"""Against going round in circles: the same call twice in one turn is a loop."""

from __future__ import annotations

import json

from linnet.messages import ToolCall


class Guard:
    """Watches the calls of one turn."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def repeats(self, call: ToolCall) -> bool:
        """Whether this call, with these arguments, was made before in this turn; remembers it."""
        key = json.dumps([call.name, call.arguments], sort_keys=True, default=str)
        if key in self._seen:
            return True
        self._seen.add(key)
        return False

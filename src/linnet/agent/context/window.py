"""Window: how the room in a model's context is shared out, and what becomes of what has no room. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from linnet.errors import SettingsInvalid

SUMMARISE = "Summarize this conversation in two short sentences. Keep names, numbers and dates."


@dataclass(frozen=True)
class ShortRoles:
    """Of what has left the window its newest exchanges stay, as lines `U: ...` and `A: ...`, cut at `chars`."""

    tokens: int = 128
    exchanges: int = 4
    chars: int = 80


@dataclass(frozen=True)
class KeyFacts:
    """Of what has left the window the user's own statements stay, word for word, the newest first to stay.

    Which sentences state something is decided by code: it takes no token, and nothing is made up.
    """

    tokens: int = 128


@dataclass(frozen=True)
class Summary:
    """Of what has left the window a summary stays, in the model's own words: one short answer for each block.

    With another `instruction` it is something else, a list of facts for example.
    """

    tokens: int = 96
    instruction: str = SUMMARISE


Older = ShortRoles | KeyFacts | Summary


@dataclass(frozen=True)
class Window:
    """How a conversation is fitted to a model's context. Shares are of the context, in 0 to 1.

    `tokens` is the window, where it is to be smaller than the context. `system`, `tools` and `memory` are the most
    that each of these sections takes; what they leave over, and the answer does not need, is the history's.
    When the history outgrows its room, its oldest exchanges give way at once down to `kept` of that room, and not
    one by one: until then each prompt goes on from the one before, which need not be computed again. The last
    `whole` exchanges stay in any case if they fit. One message takes at most `longest` of the history's room, and
    is shortened in its middle beyond that. `asking` bounds the prompt where the model is asked about tools between
    two answers: the engine keeps finished prompts in half of the context, and both are to be there. `older` is what
    stays of exchanges that have left: nothing without it.
    """

    tokens: int | None = None
    system: float = 0.25
    tools: float = 0.25
    memory: float = 0.125
    kept: float = 0.5
    whole: int = 2
    longest: float = 0.5
    asking: float = 0.375
    older: Older | None = None

    def __post_init__(self) -> None:
        """Raises SettingsInvalid."""
        for name in ("system", "tools", "memory", "kept", "longest", "asking"):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0 < share <= 1:
                raise SettingsInvalid(f"`{name}` of the window is {share!r}: it should be a share over 0, at most 1")
        if self.tokens is not None and self.tokens < 1:
            raise SettingsInvalid(f"`tokens` of the window is {self.tokens}: it should be at least 1")
        if self.whole < 0:
            raise SettingsInvalid(f"`whole` of the window is {self.whole}: it should be at least 0")
        if self.older is not None and self.older.tokens < 1:
            raise SettingsInvalid(f"`older.tokens` of the window is {self.older.tokens}: it should be at least 1")

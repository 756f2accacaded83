"""Command lines in a request: what is said after `run`, `using the command` and the like, marks and all.

Runs of words end at the dash of `git log --oneline -5`, and words leave out the signs of `echo %time%`: a command
line is taken as it is typed, from the word that announces it to where the sentence goes on in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate, standing

_LINE_CHARS = 1_000
"""Of the longest command line."""
_CUES = 20
"""Words that announce one; those after them are not looked at."""
_ENDS = 4
"""Places where one may end, besides the text's own end."""
_CUE = re.compile(
    r"\b(?:commands?|run|runs|execute|exec|do|type|enter|start|launch|use|using|via|through|by|program)\b:?\s+"
    r"(?:(?:the|this|that|exact|following|an?|command|program|script)\b:?\s+)*",
    re.IGNORECASE,
)
_ON = re.compile(
    r"[.?!;,]?\s+(?:(?:and|then|but|so|please|now|command|with|in|on|for|to|every|at|if|when)\b|\()"
    r"|[.?!]\s+(?=[A-Z])|[.?!;,]*\s*\n|:\s+command\b",
    re.IGNORECASE,
)
"""Where the sentence goes on in words behind a command line."""
_OPENING, _CLOSING = "`'\"“‘ ", "`'\"”’.,;!? "


def commands(reading: Reading) -> Iterator[Candidate]:
    """From each word that announces a command line to every place where it may end, the text's own end included."""
    for cue, _ in zip(_CUE.finditer(reading.text), range(_CUES), strict=False):
        whole = reading.text[cue.end() : cue.end() + _LINE_CHARS]
        ends = [match.start() for match in _ON.finditer(whole)][:_ENDS]
        for end in dict.fromkeys((*ends, len(whole))):
            said = whole[:end].lstrip(_OPENING).rstrip(_CLOSING)
            start = cue.end() + whole.find(said)
            if said:
                yield from standing(said, "command", reading, start, start + len(said))

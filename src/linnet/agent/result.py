"""Result: an answer and how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from linnet import errors
from linnet.agent.question import Question
from linnet.messages import Step, ToolResult
from linnet.requests import Usage


@dataclass(frozen=True)
class Result:
    """What `Agent.run` returns.

    `how` names what produced the answer: `rule` (code alone, and the model was asked nothing: its calls have a `how`
    of their own, `rule`, or `evidence` for what fitted weights read out of the request beyond doubt), `intent` (the
    template of an intent that a classifier saw), `model`, `cache` (where all that the model would have been asked was
    remembered), `abstained`, or what a Model of Models had it from (`fallback:NAME`, `specialist:NAME`,
    `remote:NAME`); of many requests, one that got none has `failed`, and one whose tool may have run when its program
    ended `interrupted`. `error` is the described error of that, or of the call that failed, if one did. `dropped`
    lists what did not fit the context, `degraded` what was not as it should have been. `encoding` tells of weights
    that stood in for those of the model's file, "" if none did. `seconds` is wall time, and `questions` are what the
    model was asked, for `linnet.agent.trace`.
    """

    answer: str
    how: str
    calls: tuple[ToolResult, ...] = ()
    steps: tuple[Step, ...] = ()
    usage: Usage = Usage()
    seconds: float = 0.0
    dropped: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    model: str = ""
    encoding: str = ""
    error: dict[str, Any] | None = None
    questions: tuple[Question, ...] = ()

    @property
    def exit_code(self) -> int:
        """Of a command that ends with this result: 0 unless a call failed."""
        if self.error is None:
            return 0
        return errors.from_code(self.error["code"], "").exit_code

    def describe(self) -> dict[str, Any]:
        """The one JSON form. Questions are told in that of a trace."""
        calls = [
            {
                "name": done.call.name,
                "arguments": done.call.arguments,
                "result": done.value,
                "error": done.error,
                "how": done.call.how,
                "repairs": list(done.call.repairs),
                "seconds": round(done.seconds, 4),
            }
            for done in self.calls
        ]
        return {
            "answer": self.answer,
            "how": self.how,
            "calls": calls,
            "steps": [asdict(step) for step in self.steps],
            "usage": asdict(self.usage),
            "seconds": round(self.seconds, 4),
            "dropped": list(self.dropped),
            "degraded": list(self.degraded),
            "model": self.model,
            "encoding": self.encoding,
            "error": self.error,
        }

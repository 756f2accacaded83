"""A file of requests -> a file of answers: what is open is run, what was begun is told, nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from linnet.agent.agent import Agent
from linnet.agent.batch import lines
from linnet.agent.batch.ledger import Ledger
from linnet.agent.batch.lines import Asked
from linnet.agent.events import TurnEvent
from linnet.agent.many import failed
from linnet.agent.result import Result
from linnet.errors import ToolInterrupted
from linnet.limits import LIMITS
from linnet.messages import ToolCall


def answer_file(
    agent: Agent,
    requests: Path,
    ledger: Ledger,
    *,
    retry: bool = False,
    at_once: int = LIMITS.turns_at_once,
    tools_in_order: bool = False,
    ordered: bool = True,
    ended: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Give every request of the file a row in the ledger, and the ledger the order of the file, if `ordered`.

    Those that have a row keep it; those whose tools may have run before their program ended get one that says so.
    With `retry` both those and the ones whose row tells of an error are run once more. `ended` is called for each
    request that has its row, from several threads. Returns how many there are (`requests`), and of these `done`,
    `failed`, `interrupted` and `kept` (from before). Raises InputInvalid before anything is run for a file that
    cannot be read or has an id twice, and StorageFull.
    """
    keys = lines.keys(requests)
    work = Work(ledger, retry, ended)
    turns = _Turns(work)
    for _ in agent.run_many(turns.texts(requests), at_once=at_once, tools_in_order=tools_in_order, watch=turns.watch):
        pass
    return work.settle(keys, ordered)


class Work:
    """Which requests are to be run, and the rows of the others. `ended` is called for each that has its row."""

    def __init__(self, ledger: Ledger, retry: bool, ended: Callable[[], None] = lambda: None) -> None:
        self.ledger, self._retry, self._ended = ledger, retry, ended
        self._kept = 0

    def wanted(self, asked: Asked) -> bool:
        """Whether it is to be run now. If not, it has its row when this returns."""
        row = self.ledger.rows.get(asked.key)
        again = self._retry and (row is None or row.bad)
        if self.ledger.interrupted(asked.key) and not again:
            self.interrupt(asked)
        elif row is not None and not again:
            self._kept += 1
            self._ended()
        elif asked.error is not None:
            self.finish(asked, failed(asked.error))
        else:
            return True
        return False

    def interrupt(self, asked: Asked) -> None:
        told = f"the program ended while a tool of request {asked.key} may have run"
        self.finish(asked, failed(ToolInterrupted(told), "interrupted"))

    def finish(self, asked: Asked, result: Result) -> None:
        self.ledger.finish({"id": asked.id, "line": asked.line, **result.describe()})
        self._ended()

    def settle(self, keys: Sequence[str], ordered: bool = True) -> dict[str, int]:
        """All have their rows: the ledger is closed off, and what became of these requests counted."""
        self.ledger.settle(keys if ordered else ())
        rows = [self.ledger.rows[key] for key in keys if key in self.ledger.rows]
        interrupted = sum(row.how == "interrupted" for row in rows)
        bad = sum(row.bad for row in rows)
        counts = {"done": len(rows) - bad, "failed": bad - interrupted, "interrupted": interrupted}
        return {"requests": len(rows), **counts, "kept": self._kept}


class _Turns:
    """The requests that one agent has in hand, by the number of their turn."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._asked: dict[int, Asked] = {}

    def texts(self, requests: Path) -> Iterator[str]:
        """The open ones; the others get their rows as they come by."""
        for number, asked in enumerate(filter(self._work.wanted, lines.read(requests))):
            self._asked[number] = asked
            yield asked.text

    def watch(self, number: int, event: TurnEvent) -> None:
        if isinstance(event, ToolCall):
            self._work.ledger.begin(self._asked[number].key)
        elif isinstance(event, Result):
            self._work.finish(self._asked.pop(number), event)

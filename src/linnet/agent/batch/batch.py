"""A file of requests -> a file of answers: what is open is run, what was begun is told, nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    ended: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Give every request of the file a row in the ledger, and the ledger the order of the file.

    Those that have a row keep it; those whose tools may have run before their program ended get one that says so.
    With `retry` both those and the ones whose row tells of an error are run once more. `ended` is called for each
    request that has its row, from several threads. Returns how many there are (`requests`), and of these `done`,
    `failed`, `interrupted` and `kept` (from before). Raises InputInvalid before anything is run for a file that
    cannot be read or has an id twice, and StorageFull.
    """
    keys = lines.keys(requests)
    work = _Work(ledger, retry, ended)
    for _ in agent.run_many(work.texts(requests), at_once=at_once, tools_in_order=tools_in_order, watch=work.watch):
        pass
    ledger.settle(keys)
    rows = [ledger.rows[key] for key in keys if key in ledger.rows]
    interrupted = sum(row.how == "interrupted" for row in rows)
    bad = sum(row.bad for row in rows)
    counts = {"done": len(rows) - bad, "failed": bad - interrupted, "interrupted": interrupted}
    return {"requests": len(rows), **counts, "kept": work.kept}


class _Work:
    """Which requests are to be run, and what becomes of them."""

    def __init__(self, ledger: Ledger, retry: bool, ended: Callable[[], None]) -> None:
        self._ledger, self._retry, self._ended = ledger, retry, ended
        self._asked: dict[int, Asked] = {}
        self.kept = 0

    def texts(self, requests: Path) -> Iterator[str]:
        """The open ones; the others get their rows as they come by."""
        number = 0
        for asked in lines.read(requests):
            row = self._ledger.rows.get(asked.key)
            again = self._retry and (row is None or row.bad)
            if self._ledger.interrupted(asked.key) and not again:
                told = f"the program ended while a tool of request {asked.key} may have run"
                self._finish(asked, failed(ToolInterrupted(told), "interrupted"))
            elif row is not None and not again:
                self.kept += 1
                self._ended()
            elif asked.error is not None:
                self._finish(asked, failed(asked.error))
            else:
                self._asked[number] = asked
                yield asked.text
                number += 1

    def watch(self, number: int, event: TurnEvent) -> None:
        if isinstance(event, ToolCall):
            self._ledger.begin(self._asked[number].key)
        elif isinstance(event, Result):
            self._finish(self._asked.pop(number), event)

    def _finish(self, asked: Asked, result: Result) -> None:
        self._ledger.finish({"id": asked.id, "line": asked.line, **result.describe()})
        self._ended()

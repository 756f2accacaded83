"""A Model that says what it is told to, for steps and what is made of them; and the real one, opened once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linnet.errors import LinnetError
from linnet.requests import Capabilities, Done, Event, Finish, Generate, Infill, Request, Usage
from linnet.runtime.local import LocalModel, open_local


class Saying:
    """Gives these answers one after the other, the last one again and again; an error among them is raised.

    `heard` are the requests. A text is what fills the one hole of a request that has one.
    """

    def __init__(self, *answers: str | LinnetError, infill: Infill | None = None, finish: Finish = "stop") -> None:
        self.capabilities = Capabilities("saying", 1_000, infill=infill)
        self.heard: list[Generate] = []
        self._answers, self._finish = list(answers), finish

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Generate)
        self.heard.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, LinnetError):
            raise answer
        yield Done(text=answer, finish=self._finish, usage=Usage(10, 0, 2), degraded=("resumed",))


@pytest.fixture
def saying() -> type[Saying]:
    return Saying


@pytest.fixture(scope="session")
def real() -> Iterator[LocalModel]:
    """SmolLM2 as anybody opens it; nobody kills its worker."""
    model = open_local(context=2_048)
    yield model
    model.close()

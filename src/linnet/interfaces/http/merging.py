"""Several streams of a model as one, in the order in which things come: a thread for each where there are several."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue

from linnet.requests import Event

_Told = tuple[int, Event | BaseException | None]


def merged(streams: Sequence[Iterator[Event]]) -> Iterator[tuple[int, Event]]:
    """Each event with the number of its stream. The first error of any is raised; the others are whoever made them's
    to end."""
    if len(streams) == 1:
        return ((0, event) for event in streams[0])
    return _together(streams)


def _together(streams: Sequence[Iterator[Event]]) -> Iterator[tuple[int, Event]]:
    told: SimpleQueue[_Told] = SimpleQueue()
    for number, stream in enumerate(streams):
        threading.Thread(target=_pump, args=(number, stream, told), name="linnet-choice", daemon=True).start()
    running = len(streams)
    while running:
        number, event = told.get()
        if isinstance(event, BaseException):
            raise event
        if event is None:
            running -= 1
        else:
            yield number, event


def _pump(number: int, stream: Iterator[Event], told: SimpleQueue[_Told]) -> None:
    try:
        for event in stream:
            told.put((number, event))
        told.put((number, None))
    except BaseException as error:
        told.put((number, error))

"""Plain loops over a model, `python -P -m linnet.worker.raw SOCKET_FD PARENT_PID`: a worker's limit.

Loaded and locked down as a worker is, with the same `Llama`. No request, no constraint, no text and nothing on the
pipe while a clock runs: what a worker takes longer than this, it spends itself.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from linnet.channel import Channel
from linnet.errors import ContextOverflow, LinnetError, ProtocolBroken, RequestError
from linnet.limits import LIMITS
from linnet.protocol import Beat, Load, Loop, Looped, Ready, Stop, failed
from linnet.worker import errand, llama, lockdown
from linnet.worker.batch import LARGEST
from linnet.worker.llama import Entry, Llama


class Loops:
    """The loops over one model; each begins with an empty KV cache."""

    def __init__(self, model: Llama, sequences: int) -> None:
        self._model = model
        self._sequences = sequences

    def go(self, loop: Loop) -> Looped:
        """Seconds of each part. Raises ContextOverflow, or RequestError for more than one batch can hold."""
        self._check(loop)
        for stream in range(self._sequences):
            self._model.cut(stream)
        started = time.perf_counter()
        last = self._prefill(loop)
        filled = time.perf_counter()
        if loop.run:
            last = self._run(loop)
        fed = time.perf_counter()
        self._decode(loop, last)
        ended = time.perf_counter()
        # a part without tokens takes no time, whatever the clock says of the lines between
        return Looped(
            loop.id, filled - started, fed - filled if loop.run else 0.0, ended - fed if loop.generate else 0.0
        )

    def _check(self, loop: Loop) -> None:
        wanted = loop.streams * (loop.prompt + loop.run + loop.generate)
        if wanted > self._model.context:
            message = f"the loop needs {wanted} tokens and the context is {self._model.context}"
            raise ContextOverflow(message, wanted=wanted, context=self._model.context)
        if loop.streams > self._sequences:
            raise RequestError(f"{loop.streams} streams are over the {self._sequences} that were loaded")
        if max(loop.step, loop.streams * max(1, loop.run)) > LARGEST:
            raise RequestError(f"one batch holds at most {LARGEST} tokens")

    def _prefill(self, loop: Loop) -> list[int]:
        last = []
        for stream in range(loop.streams):
            for start in range(0, loop.prompt, loop.step):
                end = min(start + loop.step, loop.prompt)
                self._model.decode(self._entries(stream, start, end, last=end == loop.prompt))
            last.append(self._likeliest(end - start - 1))
        return last

    def _run(self, loop: Loop) -> list[int]:
        entries: list[Entry] = []
        for stream in range(loop.streams):
            entries += self._entries(stream, loop.prompt, loop.prompt + loop.run, last=True)
        self._model.decode(entries)
        return [self._likeliest((stream + 1) * loop.run - 1) for stream in range(loop.streams)]

    def _decode(self, loop: Loop, last: list[int]) -> None:
        start = loop.prompt + loop.run
        for position in range(start, start + loop.generate):
            self._model.decode([Entry(token, position, stream, True) for stream, token in enumerate(last)])
            last = [self._likeliest(stream) for stream in range(loop.streams)]

    def _entries(self, stream: int, start: int, end: int, *, last: bool) -> list[Entry]:
        """Made-up tokens, other ones in each stream; logits of the very last, if asked for."""
        size = self._model.vocabulary.size
        return [Entry((17 * i + 101 * stream) % size, i, stream, last and i + 1 == end) for i in range(start, end)]

    def _likeliest(self, index: int) -> int:
        return int(np.argmax(self._model.logits(index)))


# --- the child -----------------------------------------------------------------------------------


def main() -> int:
    return errand.live(sys.argv, Load, lambda load, channel: _serve(channel, _start(channel, load)))


def _start(channel: Channel, load: Load) -> Loops:
    started = beaten = time.monotonic()
    llama.warm_imports()
    enforced, missing = lockdown.apply(load.sandbox)

    def loading(fraction: float) -> None:
        nonlocal beaten
        if time.monotonic() - beaten >= LIMITS.chunk_seconds:
            beaten = time.monotonic()
            channel.send(Beat("load", fraction))

    model = Llama(load, loading)
    seconds = time.monotonic() - started
    channel.send(Ready("raw", model.context, model.vocabulary.size, seconds, enforced, missing))
    return Loops(model, load.sequences)


def _serve(channel: Channel, loops: Loops) -> None:
    """Until a Stop or the end of the pipe."""
    while (record := channel.receive()) is not None and not isinstance(record, Stop):
        if not isinstance(record, Loop):
            raise ProtocolBroken(f"the plain loops cannot take a {record.record} record")
        try:
            channel.send(loops.go(record))
        except LinnetError as error:
            channel.send(failed(record.id, error))


if __name__ == "__main__":
    sys.exit(main())

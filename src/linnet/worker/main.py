"""The model worker, `python -P -m linnet.worker.main SOCKET_FD PARENT_PID`: one model, served until told to stop.

The order matters: tie the process to its parent, import everything that this load needs, lock down while
single-threaded, and only then let native code see the file.
"""

from __future__ import annotations

import socket
import sys
import time

from linnet.channel import Channel
from linnet.errors import LinnetError, ProtocolBroken
from linnet.limits import LIMITS
from linnet.protocol import Beat, Cancel, Freed, Load, Ready, Record, Stop, Submit, Threads, failed
from linnet.worker import lockdown
from linnet.worker.face import Face

BEAT_SECONDS = LIMITS.chunk_seconds
"""Beats are sent no oftener than this, and always when a step ends after it."""


class Worker:
    """One engine behind one channel, single-threaded: the loop never waits longer than a step."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._beaten = 0.0
        self._engine: Face | None = None

    def start(self, load: Load) -> Face:
        started = time.monotonic()
        engine: Face
        if load.script is not None:
            from linnet.worker.scripted import ScriptedEngine

            enforced, missing = lockdown.apply(load.sandbox)
            engine = ScriptedEngine(load.script, load.generation, self._raw)
            context, vocabulary, name = load.context, 256, "scripted"
        else:  # NumPy and llama.cpp, half the time of a start: nothing that a script needs
            from linnet.worker import llama
            from linnet.worker.engine import Engine
            from linnet.worker.snapshots import Snapshots

            started = time.monotonic()  # the time of loading is told, not that of importing this
            llama.warm_imports()
            enforced, missing = lockdown.apply(load.sandbox)
            model = llama.Llama(load, self._loading)
            snapshots = Snapshots(model, load)
            engine, name = Engine(model, load.sequences, snapshots, self._ticked, load.pooling), "llama.cpp"
            engine.use_threads(load.decode_threads, load.prefill_threads)
            context, vocabulary = model.context, model.vocabulary.size
        self._engine = engine
        self._channel.send(Ready(name, context, vocabulary, time.monotonic() - started, enforced, missing))
        return engine

    def serve(self, engine: Face) -> None:
        """Until a Stop or the end of the pipe."""
        while True:
            arrived = self._arrived(wait=not engine.busy)
            for record in arrived:
                if isinstance(record, Stop):
                    for last in engine.leave():  # a short run ends with its last answer: its prefix is saved before
                        self._channel.send(last)
                    return
                self._handle(engine, record)
                self._tell(engine)
            if engine.busy:
                for record in engine.step():
                    self._channel.send(record)
            elif not arrived:
                engine.rest()
            self._tell(engine)

    def _handle(self, engine: Face, record: Record) -> None:
        match record:
            case Submit():
                answers = engine.submit(record)
            case Cancel(id=id):
                answers = engine.cancel(id)
            case Freed(offset=offset):
                engine.freed(offset)
                answers = []
            case Threads(decode=decode, prefill=prefill):
                engine.use_threads(decode, prefill)
                answers = []
            case _:
                raise ProtocolBroken(f"a worker cannot take a {record.record} record now")
        for answer in answers:
            self._channel.send(answer)

    def _arrived(self, *, wait: bool) -> list[Record]:
        records: list[Record] = []
        if wait:
            self._channel.wait(LIMITS.heartbeat_seconds)
        while (record := self._channel.pending()) is not None:
            records.append(record)
        return records

    def _tell(self, engine: Face) -> None:
        self._beat(Beat(engine.phase, float(engine.progress)))

    def _ticked(self) -> None:
        """Within a step: the engine has done some part of it."""
        if self._engine is not None and time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._tell(self._engine)

    def _beat(self, beat: Beat) -> None:
        if (now := time.monotonic()) - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            self._channel.send(beat)

    def _loading(self, fraction: float) -> None:
        self._beat(Beat("load", fraction))

    def _raw(self, data: bytes) -> None:
        self._channel.socket.sendall(data)


def main() -> int:
    channel = Channel(socket.socket(fileno=int(sys.argv[1])), child=True)
    lockdown.die_with_parent(int(sys.argv[2]))
    load = channel.receive()
    if not isinstance(load, Load):
        return 0 if load is None else 2
    worker = Worker(channel)
    try:
        worker.serve(worker.start(load))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return 0
    except LinnetError as error:
        channel.send(failed(0, error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

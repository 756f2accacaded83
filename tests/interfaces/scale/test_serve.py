"""The command's own part: what it refuses before Ray is looked for, and that nothing of Ray is imported unasked."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from linnet.errors import EngineError, InputInvalid, ProtocolBroken, QueueFull
from linnet.interfaces.scale import wire
from linnet.interfaces.scale.deployment import offered
from linnet.interfaces.scale.figures import page
from linnet.interfaces.scale.serve import Signals, read_bounds
from linnet.messages import Message
from linnet.requests import Begun, Done, Generate, Piece, Usage
from linnet.settings import Settings


@pytest.mark.parametrize(("text", "bounds"), [("1", (1, 1)), ("3", (3, 3)), ("1:4", (1, 4))])
def test_numbers_of_replicas(text: str, bounds: tuple[int, int]) -> None:
    assert read_bounds(text) == bounds


@pytest.mark.parametrize("text", ["", "0", "2:1", "0:3", "a", "1:2:3", "-1", "1:", "123456"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(InputInvalid):
        read_bounds(text)


def test_names_on_offer_with_the_model_and_adapter_that_they_mean() -> None:
    settings = Settings(model="default+home", preload=("other.gguf",))
    assert offered(settings) == {"default": ("default", "home"), "other.gguf": ("other.gguf", "")}


def test_nothing_of_ray_is_imported_unasked() -> None:
    program = (
        "import sys; import linnet.interfaces.cli.main, linnet.interfaces.scale.serve;"
        " import linnet.interfaces.scale.ingress, linnet.interfaces.scale.deployment; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0


def test_calls_and_replies_are_what_they_were() -> None:
    call = wire.Call(Generate((Message("user", "ünï\ud800"[:3]),)), "home", Begun((1, 2), 3))
    assert wire.read_call(wire.write_call(call)) == call
    outcomes = [Piece("a", (1,)), Done("ab", usage=Usage(1, 2)), QueueFull("full", hint="wait", retry_after=3)]
    piece, done, error = wire.read_replies(wire.write_replies(outcomes))
    assert (piece, done) == tuple(outcomes[:2])
    assert isinstance(error, QueueFull) and error.describe() == outcomes[2].describe()
    assert wire.read_replies(b"[]") == []


@pytest.mark.parametrize("data", [b"", b"{}", b'[{"piece": 1}]', b"[{}]", b'[{"failure": {"code": "no_such"}}]'])
def test_what_no_replica_sends_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        wire.read_replies(data)


def test_the_page_tells_every_replica() -> None:
    stands = {"replica": "r1", "pid": 7, "ongoing": 2, "answered": 5, "failed": 1, "resumed": 0, "worker_starts": 1}
    text = page({"default": [{**stands, "tokens": {"generated": 9}}], "other": []}).decode()
    assert 'linnet_replica_ongoing{model="default",replica="r1"} 2.0' in text
    assert 'linnet_replica_tokens{kind="generated",model="default",replica="r1"} 9.0' in text
    assert 'linnet_replicas{model="other"} 0.0' in text


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_what_ray_raises_is_told_apart() -> None:
    pytest.importorskip("ray", reason="the extra linnet[ray] is not installed: `make test-ray` does it")
    from ray.exceptions import ActorDiedError, ActorUnavailableError, RayTaskError, TaskCancelledError
    from ray.serve.exceptions import DeploymentUnavailableError

    from linnet.interfaces.scale.flow import Lost
    from linnet.interfaces.scale.handles import translated

    for gone in (ActorDiedError(), ActorUnavailableError("gone", b"1" * 16), TaskCancelledError()):
        assert isinstance(translated(gone), Lost)
    assert isinstance(translated(RayTaskError("f", "trace", ValueError("x"))), EngineError)
    assert isinstance(translated(DeploymentUnavailableError("d")), EngineError)
    assert isinstance(translated(ValueError("x")), EngineError)
    ours = QueueFull("full")
    assert translated(ours) is ours


def test_a_signal_ends_what_ray_lets_wait_and_what_is_cleaned_up_then_is_not_ended() -> None:
    signals = Signals()
    with pytest.raises(KeyboardInterrupt), signals.interrupting():
        signals.note(signal.SIGHUP)  # it may wait
        try:
            signals.note(signal.SIGTERM)
        finally:
            signals.note(signal.SIGINT)
    assert [signals.next() for _ in range(3)] == [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]


def test_a_signal_that_came_between_is_not_forgotten() -> None:
    signals = Signals()
    signals.note(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), signals.interrupting():
        pytest.fail("it waits for ever")


def test_while_it_serves_signals_are_read_in_turn() -> None:
    signals = Signals()
    with signals.interrupting():
        pass
    for number in (signal.SIGHUP, signal.SIGINT):
        signals.note(number)
    assert [signals.next(), signals.next()] == [signal.SIGHUP, signal.SIGINT]

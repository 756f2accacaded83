"""What is deployed where others have deployed, with Serve itself played: no cluster is begun."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from linnet.app import open_model
from linnet.errors import EngineError, LinnetError, ModelNotFound, OutOfMemory, SettingsInvalid
from linnet.interfaces.http.guard import Door
from linnet.interfaces.scale import deployment
from linnet.interfaces.scale.deployment import Bounds, Plan
from linnet.interfaces.scale.ingress import Front, Ingress
from linnet.settings import Settings


class Serve(ModuleType):
    """As much of `ray.serve` as starts and ends. `client` is None where the cluster has no Serve."""

    def __init__(self) -> None:
        super().__init__("ray.serve")
        self.applications: dict[str, Any] = {}
        self.client: Any = None
        self.done: list[Any] = []
        self.fault: Exception = RuntimeError()

    def start(self, **named: Any) -> None:
        self.done.append("start")

    def status(self) -> Any:
        return SimpleNamespace(applications=self.applications)

    def run(self, *_: Any, **named: Any) -> Any:
        raise self.fault

    def shutdown(self) -> None:
        self.done.append("shutdown")

    def delete(self, name: str) -> None:
        self.done.append(f"delete {name}")


def listening(port: int) -> Any:
    return SimpleNamespace(http_config=SimpleNamespace(host="127.0.0.1", port=port))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    serve, ray = Serve(), ModuleType("ray")
    ray.serve = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.serve", serve)
    monkeypatch.setattr(deployment, "_running", lambda: serve.client)
    monkeypatch.setattr(deployment, "_cores", lambda: [2.0])
    yield serve


def test_what_was_begun_here_ends_whole(serve: Serve) -> None:
    assert deployment.start("127.0.0.1", 8000)
    serve.applications = {"linnet": "RUNNING"}
    deployment.stop(begun=True)
    assert serve.done == ["start", "shutdown"]


@pytest.mark.parametrize(("begun", "names"), [(True, ("linnet", "theirs")), (False, ("linnet",)), (False, ())])
def test_nothing_of_others_ends(serve: Serve, begun: bool, names: tuple[str, ...]) -> None:
    serve.applications = dict.fromkeys(names, "RUNNING")
    deployment.stop(begun)
    assert serve.done == ["delete linnet"]


def test_a_cluster_that_serves_a_linnet_is_left_alone(serve: Serve) -> None:
    serve.client, serve.applications = listening(8000), {"linnet": "RUNNING"}
    with pytest.raises(SettingsInvalid) as caught:
        deployment.start("127.0.0.1", 8000)
    assert "serve.delete" in caught.value.hint and not serve.done


class Foreign(Exception):
    """As Ray's are: of no kind that is ours, nor of Python's own."""


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (Foreign("no controller"), EngineError, "no controller"),
        (Foreign(), EngineError, "Foreign"),
        (TimeoutError("late"), EngineError, "late"),
        (ModelNotFound("none"), ModelNotFound, "none"),
    ],
)
def test_whatever_ray_raises_is_told_as_ours(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, fault: Exception, kind: type[LinnetError], told: str
) -> None:
    monkeypatch.setattr(deployment, "_model", lambda *_: None)
    monkeypatch.setattr(deployment, "_ingress", lambda *_: None)
    serve.fault = fault
    with pytest.raises(kind, match=told):
        deployment.deploy(Plan(Front(Settings(), Door(), 1, 1), open_model))


def test_more_replicas_than_cores_are_refused_before_anything_is_deployed(serve: Serve) -> None:
    with pytest.raises(OutOfMemory) as caught:
        deployment.deploy(Plan(Front(Settings(), Door(), 1, 1), open_model, Bounds(3, 4)))
    assert caught.value.details["largest"] == 2 and "--replicas" in caught.value.hint and not serve.done


def test_each_model_takes_its_cores(serve: Serve) -> None:
    settings = Settings(preload=("one.gguf", "two.gguf", "one.gguf+home"))
    with pytest.raises(OutOfMemory, match="3 replicas of 1 cores"):
        deployment.deploy(Plan(Front(settings, Door(), 1, 1), open_model))


def test_a_serve_that_listens_elsewhere_is_not_waited_for(serve: Serve) -> None:
    serve.client = listening(9000)
    with pytest.raises(SettingsInvalid) as caught:
        deployment.start("127.0.0.1", 8000)
    assert "--port 9000" in caught.value.hint and not serve.done
    assert deployment.start("127.0.0.1", 9000) is False


def test_relative_paths_begin_where_the_command_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, rays = tmp_path / "given", tmp_path / "rays"
    given.mkdir(), rays.mkdir()
    monkeypatch.chdir(given)
    front = Front(Settings(root="files"), Door(), 1, 1)
    monkeypatch.chdir(rays)
    opened: Any = deployment.opened_in(front.folder, lambda: Path("model.gguf").absolute())  # type: ignore[arg-type]
    assert opened == given / "model.gguf"
    monkeypatch.chdir(rays)
    monkeypatch.setattr(Ingress, "_open", lambda *_: pytest.fail(str(Path.cwd())))
    with pytest.raises(pytest.fail.Exception, match=str(given)):  # by then it is there
        Ingress(front, {"default": SimpleNamespace()})
    deployment.opened_in(tmp_path / "gone", lambda: None)  # type: ignore[arg-type, return-value]
    assert Path.cwd() == given

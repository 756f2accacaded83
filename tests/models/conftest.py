"""What tests of the store share: a hub on this machine, a store and settings of their own, and small models."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def beside(name: str) -> ModuleType:
    """A module that lies beside this file: the folders of tests are no packages."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec and spec.loader
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def hub() -> Iterator[Any]:
    with beside("hub_server").serving() as server:
        yield server


@pytest.fixture
def fault() -> Any:
    return beside("hub_server").Fault


@pytest.fixture(scope="session")
def gguf_bytes() -> Callable[..., bytes]:
    """`gguf_bytes(seed=0, kind=7)`: a whole small model, of about 400 KB, that says to be of this file type."""
    writer = beside("gguf_writer")
    made: dict[tuple[int, int], bytes] = {}

    def make(seed: int = 0, kind: int = 7) -> bytes:
        if (seed, kind) not in made:
            body = writer.small().but(general__file_type=(writer.U32, kind)).write()
            made[seed, kind] = body[:-8] + seed.to_bytes(8, "little")  # the last two weights
        return made[seed, kind]

    return make


@pytest.fixture(scope="session")
def adapter_bytes() -> bytes:
    """A small adapter, of the models that `gguf_bytes` makes."""
    writer = beside("gguf_writer")
    return writer.adapter(writer.small()).write()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store, a cache and a home of their own, and no setting of whoever runs the tests. Returns the store."""
    import os

    for name in [name for name in os.environ if name.startswith(("LINNET_", "HF_", "HUGGING", "TRANSFORMERS_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "models"

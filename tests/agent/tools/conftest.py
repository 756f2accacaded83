"""Torture commands as modules, for their small versions here; and a web server on loopback."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

TORTURE = Path(__file__).parents[2] / "torture"


def loaded(name: str) -> ModuleType:
    """`tests/torture/NAME.py`, imported once."""
    whole = f"linnet_torture_{name}"
    if whole not in sys.modules:
        spec = importlib.util.spec_from_file_location(whole, TORTURE / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[whole] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[whole])
    return sys.modules[whole]


@pytest.fixture(scope="session")
def torture() -> Callable[[str], ModuleType]:
    return loaded


Served = Callable[[str], bytes]
"""A path with its query -> a whole answer, head included."""


@pytest.fixture
def serve() -> Iterator[Callable[[Served], str]]:
    """`serve(answer)` -> `127.0.0.1:PORT`."""
    with ExitStack() as stack:

        def start(answer: Served) -> str:
            web = loaded("tools_web")
            port = stack.enter_context(web.serving(lambda path, line: line.sendall(answer(path))))
            return f"127.0.0.1:{port}"

        yield start

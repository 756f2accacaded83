"""What `import linnet` gives, and what it costs: names are there when asked for, and nothing heavy before."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import pytest

import linnet

HEAVY = {
    "pydantic", "numpy", "llama_cpp", "llguidance", "jinja2", "bm25s", "rapidfuzz", "simpleeval", "typer", "rich",
    "huggingface_hub", "httpx", "multiprocessing", "asyncio", "subprocess", "ssl",
}  # fmt: skip
NATIVE = {"llama_cpp", "llguidance", "jinja2"}
"""What only children may load."""


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has after some code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", linnet.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(linnet, name)
    assert value is not None
    assert name in dir(linnet)
    assert getattr(value, "__name__", name).rpartition(".")[2] == name


def test_the_names_are_sorted_and_no_more_than_needed() -> None:
    assert linnet.__all__ == sorted(set(linnet.__all__))
    assert {"Agent", "Tool", "tool", "Result", "Settings", "errors", "LinnetError"} <= set(linnet.__all__)


def test_a_star_gives_them_all() -> None:
    space: dict[str, object] = {}
    exec("from linnet import *", space)
    assert set(linnet.__all__) <= set(space)


@pytest.mark.parametrize("name", ["Agnet", "_HOMES", "no_such_name", "Tools"])
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'linnet' has no attribute '{name}'"):
        getattr(linnet, name)


def test_an_unknown_name_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="Agnet"):
        exec("from linnet import Agnet")


@pytest.mark.parametrize(
    "first", ["", "import linnet.tools", "import linnet.agent.tools.calculator", "import linnet.errors"]
)
def test_the_decorator_is_the_decorator_whatever_was_imported_before(first: str) -> None:
    code = f"{first}\nfrom linnet import tool, errors, Tool\n"
    loaded(f"{code}@tool\ndef f(x: int) -> int:\n    'F.'\n    return x\nassert isinstance(f, Tool), f")


def test_the_names_are_those_of_their_modules() -> None:
    assert linnet.tool is import_module("linnet.tools").tool
    assert linnet.errors is import_module("linnet.errors")
    assert linnet.errors.LinnetError is linnet.LinnetError


def test_importing_linnet_imports_nothing_heavy() -> None:
    before, after = loaded("pass"), loaded("import linnet")
    ours = {name for name in after if name.partition(".")[0] == "linnet"}
    assert ours == {"linnet"}
    assert not {name.partition(".")[0] for name in after - before} & HEAVY


def test_an_agent_and_a_rule_load_no_native_code() -> None:
    after = loaded(
        "from linnet import Agent\nwith Agent() as agent:\n    assert agent.run('1 + 1').answer == '1 + 1 = 2'"
    )
    assert "linnet.agent.agent" in after
    assert not {name.partition(".")[0] for name in after} & (NATIVE | {"numpy", "bm25s"})
    assert not {name for name in after if name.startswith("linnet.worker")}

"""Small versions of the torture commands that no other test file runs, and the page about tools."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "tools.md"
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_calculator_is_not_abused(torture: Callable[[str], ModuleType]) -> None:
    tries, passed, _ = torture("tools_calculator").abuse_case(tries=400, seed=9)
    assert passed == tries == 400


def test_no_result_of_a_tool_forges_a_control_token(torture: Callable[[str], ModuleType], llama: Any) -> None:
    module = torture("tools_forged")
    tries, passed, _ = module.forged_case(module.counter(llama), tries=70, seed=9)
    assert passed == tries >= 70


def test_a_marker_from_the_template_is_counted(torture: Callable[[str], ModuleType], llama: Any) -> None:
    """So that the count above can fail."""
    from linnet.requests import Segment

    count = torture("tools_forged").counter(llama)
    assert count((Segment("<|im_start|>", True),)) == 1 and count((Segment("<|im_start|>", False),)) == 0


EXAMPLES = [(body, FENCES[place + 1][1]) for place, (kind, body) in enumerate(FENCES) if kind == "python"]


@pytest.mark.parametrize(("program", "printed"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_pages_examples_print_what_it_says(program: str, printed: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == (printed, "")


def test_the_pages_settings_are_known(tmp_path: Path) -> None:
    from linnet.settings import load

    (toml,) = (body for kind, body in FENCES if kind == "toml")
    (tmp_path / "linnet.toml").write_text(toml)
    found = load(tmp_path / "linnet.toml", {})
    assert found.tool_tables.shell is not None and found.deny == ("delete_file",)

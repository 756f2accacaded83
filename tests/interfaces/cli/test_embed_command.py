"""`linnet embed`: texts from the command and from lines, on the real model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app


def invoke(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(app, ["embed", *arguments], env={"LINNET_THREADS": "1"}, **more)


def test_texts_become_vectors_and_where_they_come_from_is_told() -> None:
    done = invoke("when do you open", "-", "--json", input="first line\n\nsecond line\n")
    told = json.loads(done.stdout)
    assert done.exit_code == 0 and [len(row) for row in told["vectors"]] == [told["width"]] * 3
    assert not told["trained"] and told["tokens"] > 0 and told["degraded"] == []


def test_for_people_a_line_for_each_and_a_warning() -> None:
    done = invoke(input="hello\n")
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()[:1]
    assert sum(float(number) ** 2 for number in line.split()) == pytest.approx(1, abs=1e-3)
    assert "not made for embedding" in done.output


@pytest.mark.parametrize(("arguments", "given"), [((" ",), ""), (("-",), ""), ((), "\n\n")])
def test_there_must_be_something_to_embed(arguments: tuple[str, ...], given: str) -> None:
    assert invoke(*arguments, input=given).exit_code == 2

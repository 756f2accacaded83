"""`linnet models probe`, as a user sees it, over the real model; and what `models show` tells of it afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.calling import profile as profiles
from linnet.evals import behaviour
from linnet.interfaces.cli.commands import app


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("LINNET_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / ".local" / "share" / "linnet" / "profiles"


def models(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    done = models(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_probe_is_stored_and_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "LEAST", 5)  # a whole one takes a minute
    before = told("show", "default")
    assert before["profile"] is None and before["profile_note"] == ""
    found = told("probe", "default", "--arm", "guided", "--limit", "5", "--context", "1024")
    assert found["way"] == "guided" and found["not_stored"] == "" and found["suite"] == "1"
    (path,) = data.iterdir()
    assert found["stored"] == str(path) and len(found["requests"]) == 5
    (score,) = found["profile"]["scores"]
    assert (score["arm"], score["of"], score["errors"]) == ("guided", 5, 0) and score["right"] >= 2
    assert found["profile"]["engine"] and found["profile"]["model"] == "smollm2-135m"
    shown = told("show", "default")["profile"]
    assert shown == {"way_in_words": "guided", **found["profile"]}
    text = models("show", "default").stdout
    assert f"calls: guided, as probed on {shown['date']}" in text and f"{score['right']}/5" in text
    path.write_text("{")
    text = models("show", "default").stdout
    assert "calls: guided; the profile" in " ".join(text.split()) and "passed over" in text


def test_too_few_are_told_and_not_stored(data: Path) -> None:
    done = models("probe", "default", "--limit", "2", "--arm", "guided", "--arm", "native free")
    assert done.exit_code == 0 and not data.exists()
    assert "guided" in done.stdout and "right by kind" in done.stdout
    assert "not tried: native free: its chat template has no tools" in done.stdout
    assert done.stderr == "note: not stored: 2 cases are too few to decide by: at least 16 are needed\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("default", "--arm", "magic"), "input_invalid"), (("no-such-model",), "model_not_found")],
)
def test_what_cannot_be_probed(arguments: tuple[str, ...], code: str) -> None:
    done = models("probe", *arguments, "--json")
    assert done.exit_code == 2 and json.loads(done.stdout)["error"]["code"] == code


def test_only_native_arms_that_are_closed_leave_nothing_to_try() -> None:
    done = models("probe", "default", "--arm", "native free")
    assert done.exit_code == 2 and "nothing to try" in done.stderr


def test_a_folder_that_cannot_be_written_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(profiles, "save", refuse)
    monkeypatch.setattr(behaviour, "LEAST", 1)
    found = told("probe", "default", "--arm", "guided", "--limit", "1")
    assert found["stored"] is None and "Permission denied" in found["not_stored"]

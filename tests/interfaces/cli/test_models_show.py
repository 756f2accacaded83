"""`linnet models show`: what was detected, from what, and where each value of the configuration is from."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.calling import profile as profiles
from linnet.calling.profile import Profile, Way
from linnet.calling.ranking.ranker import fitted
from linnet.calling.trust import Trust
from linnet.interfaces.cli.commands import app

BESIDE = Path(__file__).parents[2] / "models"
TEMPLATE = "<|im_start|>{{ m.role }}\x1b[31m<|im_end|>{% if enable_thinking is false %}</think>{% endif %}"


def writer() -> Any:
    if "gguf_writer" not in sys.modules:
        spec = importlib.util.spec_from_file_location("gguf_writer", BESIDE / "gguf_writer.py")
        assert spec and spec.loader
        sys.modules["gguf_writer"] = made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    return sys.modules["gguf_writer"]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of a home of its own."""
    for name in [name for name in os.environ if name.startswith(("LINNET_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    path = tmp_path / ".config" / "linnet" / "linnet.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small Qwen3, by its marks; by its name it is a Gemma."""
    w = writer()
    path = tmp_path / "gemma-3-1b-it.gguf"
    small = w.small("qwen3").but(tokenizer__chat_template=(w.STRING, TEMPLATE), qwen3__context_length=(w.U32, 8192))
    path.write_bytes(small.write())
    return path


def show(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", "show", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    done = show(*arguments, "--json")
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


def test_what_was_detected_and_from_what(model: Path) -> None:
    found = told(model)
    assert (found["model"], found["architecture"], found["family"]) == ("gemma-3-1b-it", "qwen3", "qwen3")
    assert found["detected"] == ["tokenizer.chat_template: <|im_start|>", "general.architecture: qwen3"]
    rows = found["configuration"]
    assert rows["context"] == {"value": 4096, "from": "Linnet's own: trained are 8192 (file: qwen3.context_length)"}
    assert rows["thinking"] == {"value": "on", "from": "file: tokenizer.chat_template"}
    assert rows["stops"]["value"] == ["</s>"] and rows["dialect"] == {"value": "hermes", "from": "family"}
    assert all(set(row) == {"value", "from"} and row["from"] for row in rows.values())


def test_settings_are_named_as_the_source(model: Path, config: Path) -> None:
    config.write_text(f'context = 1024\n[models."{model}"]\ntop_k = 7\nthinking = false\n')
    rows = told(model)["configuration"]
    assert rows["context"] == {"value": 1024, "from": "settings"}
    assert rows["top_k"] == {"value": 7, "from": f"settings: models.{str(model)!r}"}
    assert rows["thinking"]["value"] == "off" and rows["template_options"]["value"] == {"enable_thinking": False}
    assert rows["temperature"]["from"].endswith("without thinking")


def test_for_people(model: Path) -> None:
    done = show(model)
    assert done.exit_code == 0 and done.stdout.startswith("gemma-3-1b-it: Qwen3 (qwen3)\n")
    assert "  general.architecture: qwen3\n" in done.stdout
    assert any(line.split()[:2] == ["dialect", "hermes"] for line in done.stdout.splitlines())


def test_weights_of_its_own_are_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = replace(Trust.of(fitted()), requests=70, decisions=200, right=150, shipped=130)
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    profiles.save(sha256, Profile(Way(), "guided", trust=found))
    assert told(model)["profile"]["trust"]["stale"] is False
    line = (
        "weights of its own beside evidence, found on 70 requests: of 200 held-out decisions 150 right, 130 by those"
    )
    assert line in " ".join(show(model).stdout.split())
    profiles.save(sha256, Profile(Way(), "guided", trust=replace(found, beside="others")))
    assert "passed over, as others ship now" in " ".join(show(model).stdout.split())


def test_what_a_file_says_does_not_drive_the_terminal(model: Path, config: Path) -> None:
    config.write_text(f'[models."{model}"]\nstops = ["a\\u001b[31m", "\\n"]\n')
    done = show(model)
    assert "\x1b[31m" not in done.stdout and "\\x1b" in done.stdout and '"\\n"' in done.stdout


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ("[models.x]\ntop_kk = 1", 2, 'did you mean `models."x".top_k`?'),
        ('[models."{model}"]\ndialect = "klingon"', 2, "`dialect` is 'klingon', which is none; there are: hermes"),
        ('[models."{model}"]\nfamily = "qwen33"', 2, "`family` is 'qwen33', which is none; did you mean 'qwen3'?"),
        ('[models."{model}"]\ntemplate = "none.jinja"', 2, "none.jinja' cannot be read: No such file or directory"),
    ],
)
def test_wrong_settings(model: Path, config: Path, settings: str, code: int, message: str) -> None:
    config.write_text(settings.replace("{model}", str(model)))
    done = show(model)
    assert done.exit_code == code and message in done.stderr
    assert told(model)["error"]["code"] == "settings_invalid"


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(60))
    assert show(tmp_path / "x.gguf").exit_code == 3
    assert show("no-such-model").exit_code == show(tmp_path / "none.gguf").exit_code == show().exit_code == 2


# --- adapters ------------------------------------------------------------------------------------


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    w = writer()
    path = tmp_path / "lora.gguf"
    names = [f"blk.{i}.{kind}.weight" for i in range(2) for kind in ("attn_q", "ffn_up")]
    path.write_bytes(w.adapter(w.small("qwen3"), names, rank=4, alpha=6.0).write())
    return path


def test_what_of_a_model_an_adapter_changes(model: Path, lora: Path) -> None:
    found = told(f"{model}+{lora}")
    assert (found["model"], found["family"], found["adapter"]["model"]) == ("gemma-3-1b-it", "qwen3", "lora")
    changed = found["adapter"]
    assert (changed["rank"], changed["alpha"], changed["scale"], changed["name"]) == (4, 6.0, 1.5, "small adapter")
    assert changed["bytes"] == 2 * 4 * 4 * (64 + 64 + 64 + 96) and len(changed["tensors"]) == 4
    assert found["configuration"] == told(model)["configuration"]
    done = show(f"{model}+{lora}")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and "adapter: lora" in lines and "  blk.*.attn_q.weight: 2" in lines
    assert any(line.startswith("  scale 1.5 = alpha 6 / rank 4, 0.0 MiB, 4 matrices changed") for line in lines)


def test_settings_of_the_model_hold_behind_an_adapter(model: Path, lora: Path, config: Path) -> None:
    config.write_text(f'[models."{model}"]\ntop_k = 7\n')
    assert told(f"{model}+{lora}")["configuration"]["top_k"]["value"] == 7


def test_an_adapter_by_itself(lora: Path) -> None:
    found = told(lora)
    assert set(found) == {"model", "path", "architecture", "adapter"} and found["architecture"] == "qwen3"
    assert show(lora).stdout.startswith("lora: an adapter for models of the architecture qwen3\n  small adapter\n")


def test_an_adapter_that_does_not_fit(model: Path, lora: Path) -> None:
    assert show(f"default+{lora}").exit_code == show(f"{lora}+{lora}").exit_code == 3
    assert show(f"{model}+{model}").exit_code == 3
    assert show(f"{model}+none").exit_code == show(f"{model}+a+b").exit_code == 2


def test_what_an_adapter_says_does_not_drive_the_terminal(model: Path, lora: Path) -> None:
    w = writer()
    lora.write_bytes(w.adapter(w.small("qwen3")).but(general__name=(w.STRING, "\x1b[2J[bold]x")).write())
    done = show(f"{model}+{lora}")
    assert done.exit_code == 0 and "\x1b[2J" not in done.stdout and "[bold]x" in done.stdout

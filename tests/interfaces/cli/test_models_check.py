"""`linnet models check`, as a user sees it: what a file is, each fault, and honest exit codes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app

sys.path.append(str(Path(__file__).parents[2] / "models"))

from gguf_writer import F32, STRING, U32, adapter, small


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["models", "check", *map(str, arguments)])


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.gguf"
    path.write_bytes(small().write())
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.gguf"
    changes = {"llama__rope__freq_base": (F32, 0.0), "llama__attention__head_count_kv": (U32, 3)}
    path.write_bytes(small().but(**changes).write())
    return path


def test_a_sound_file(sound: Path) -> None:
    done = check(sound)
    assert done.exit_code == 0 and done.stderr == ""
    first, last = done.stdout.splitlines()
    assert (
        last == "sound" and "llama, 0.3 MiB, F32, 20 tensors with 0.1 M parameters" in first and "286 tokens" in first
    )


def test_a_known_model_by_name() -> None:
    done = check("default", "--digest")
    assert done.exit_code == 0 and "sound" in done.stdout and "SHA-256: b179c952" in done.stdout


def test_every_fault_is_told(wrong: Path) -> None:
    done = check(wrong)
    assert done.exit_code == 3 and "sound" not in done.stdout
    assert done.stderr.count("fault: at byte ") == 2 and "no worker will be started" in done.stderr


def test_one_json_object(sound: Path, wrong: Path) -> None:
    done = check(sound, wrong, "--json", "--digest")
    good, bad = json.loads(done.stdout)["models"]
    assert done.exit_code == 3 and (good["exit_code"], bad["exit_code"]) == (0, 3)
    assert good["sound"] and good["architecture"] == "llama" and good["context"] == 512 and len(good["sha256"]) == 64
    assert [set(fault) for fault in bad["faults"]] == [{"where", "what", "key"}] * 2


def test_what_is_no_file_is_a_mistake_in_the_command(tmp_path: Path, sound: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.gguf"))
    for path in (tmp_path, tmp_path / "pipe.gguf", tmp_path / "socket.gguf", "/dev/zero", tmp_path / "none.gguf"):
        done = check(path)
        assert done.exit_code == 2 and done.stdout == "" and "error: " in done.stderr
    assert check(sound, tmp_path).exit_code == 2


def test_a_run_with_a_folder_for_a_model_is_a_mistake_in_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "linnet", "run", "--model", str(tmp_path), "Tell me a story"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "is a directory, not a regular file" in done.stderr


def test_a_run_with_a_file_that_is_refused_says_where(wrong: Path) -> None:
    command = [sys.executable, "-m", "linnet", "run", "--json", "--model", str(wrong), "Tell me a story"]
    done = subprocess.run(command, capture_output=True, text=True)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 3 and error["code"] == "model_invalid" and error["details"]["where"] > 0


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "loud.gguf"
    path.write_bytes(small().but(general__architecture=(STRING, "\x1b[2Jllama")).write())
    done = check(path)
    assert done.exit_code == 3 and "\x1b" not in done.stderr


# --- adapters ------------------------------------------------------------------------------------


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    path = tmp_path / "lora.gguf"
    path.write_bytes(adapter(small(), rank=4, alpha=6.0).write())
    return path


def test_an_adapter_by_itself(lora: Path) -> None:
    done = check(lora)
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == "sound"
    assert (
        "adapter for llama, 0.0 MiB, F32, 6 tensors with 0.0 M parameters, rank 4, alpha 6, 3 matrices" in done.stdout
    )


def test_an_adapter_behind_its_model(lora: Path, sound: Path) -> None:
    told = json.loads(check(f"{sound}+{lora}", "--json").stdout)["models"][0]
    assert told["sound"] and (told["kind"], told["path"]) == ("adapter", str(lora))
    assert told["adapter"]["rank"] == 4 and told["adapter"]["scale"] == 1.5 and len(told["adapter"]["tensors"]) == 3


def test_an_adapter_behind_another_model(lora: Path) -> None:
    done = check(f"default+{lora}")
    assert done.exit_code == 3 and done.stderr.count("fault: at byte ") == 6
    assert "has the dimensions (64, 4), not (576, 4), for (576, 576) of the model's" in done.stderr


def test_one_for_the_other(lora: Path, sound: Path, wrong: Path) -> None:
    done = check(f"{sound}+{sound}")
    assert done.exit_code == 3 and "the file is a model, not an adapter" in done.stderr
    told = json.loads(check(f"{lora}+{lora}", f"{wrong}+{lora}", "default+none", "a+b+c", "--json").stdout)["models"]
    assert [one["exit_code"] for one in told] == [3, 3, 2, 2]
    assert "is none by itself" in told[0]["error"]["message"] and "MODEL+ADAPTER" in told[0]["error"]["hint"]


def test_a_run_with_an_adapter_for_a_model_says_how_to_use_it(lora: Path) -> None:
    command = [sys.executable, "-m", "linnet", "run", "--model", str(lora), "Tell me a story"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3 and "it changes a model, and is none by itself" in done.stderr
    assert "hint: Name it behind its model: MODEL+ADAPTER" in done.stderr

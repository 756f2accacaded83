"""`linnet models pull|list|rm`: what they print, and what they end with."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.interfaces.cli.commands import app
from linnet.models import locks
from linnet.models.shelf import Shelf

BESIDE = Path(__file__).parents[2] / "models"


def module(name: str) -> Any:
    """A helper of the tests of the models: the folders of tests are no packages."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BESIDE / f"{name}.py")
        assert spec and spec.loader
        sys.modules[name] = made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    return sys.modules[name]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("LINNET_", "HF_", "TRANSFORMERS_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK", "HF_HUB_DISABLE_XET"):
        monkeypatch.setenv(name, "1")  # which the command sets: here it shall not outlive the test
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Small-Q8_0.gguf"
    writer = module("gguf_writer")
    path.write_bytes(writer.small().but(general__file_type=(writer.U32, 7)).write())
    return path


@pytest.fixture
def hub(file: Path) -> Iterator[Any]:
    with module("hub_server").serving() as server:
        server.add("o/r", file.name, file.read_bytes())
        yield server


def models(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    done = models(*arguments, "--json")
    assert len(done.stdout.splitlines()) == 1
    return json.loads(done.stdout)


def test_pull_list_rm(hub: Any, home: Path, file: Path) -> None:
    pulled = told("pull", "hf:o/r", "--endpoint", hub.url)
    assert (pulled["name"], pulled["already"], pulled["kept_bytes"]) == ("small-q8_0", False, 0)
    assert pulled["fetched_bytes"] == file.stat().st_size and Path(pulled["path"]).is_file()
    assert "was chosen" in pulled["notes"][0] or "only whole model" in pulled["notes"][0]
    assert pulled["model"]["commit"] == hub.commit

    listed = told("list")
    assert listed["folder"] == str(home)
    (mine,) = [model for model in listed["models"] if model["name"] == "small-q8_0"]
    assert (mine["state"], mine["quantisation"], mine["revision"]) == ("complete", "Q8_0", "main")
    assert mine["source"] == f"hf:o/r@{hub.commit}:{file.name}" and mine["commit"] == hub.commit
    assert mine["stored"].endswith("+00:00") and mine["size"] == mine["have"] == file.stat().st_size

    assert told("rm", "small-q8_0") == {"removed": [{"name": "small-q8_0", "freed_bytes": mine["size"]}]}
    assert not any(model["name"] == "small-q8_0" for model in told("list")["models"])


def test_in_words(hub: Any) -> None:
    done = models("pull", "hf:o/r:Q8_0", "--endpoint", hub.url, "--as", "mine")
    assert done.exit_code == 0 and done.stdout.startswith("mine is stored (0.3 MiB came): ")
    assert done.stderr == "", "no bar and no remark in a pipe"
    assert models("pull", "mine").stdout.startswith("mine is here already: ")
    listed = models("list").stdout
    assert "mine" in listed and "Q8_0" in listed and "main=11111111" in listed
    assert models("rm", "mine").stdout == "mine is removed, 0.3 MiB are free again\n"


def test_the_endpoint_of_the_settings_and_of_the_variable(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert told("pull", "hf:o/r", "--as", "one")["model"]["endpoint"] == hub.url
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LINNET_ENDPOINT", hub.url)
    assert told("pull", "hf:o/r", "--as", "two")["model"]["endpoint"] == hub.url


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["pull", "hf:../x"], 2, "input_invalid"),
        (["pull", "hf:o/r:../m.gguf"], 2, "input_invalid"),
        (["pull", "https://huggingface.co/o/r"], 2, "input_invalid"),
        (["pull", "hf:o/r", "--as", "../x"], 2, "input_invalid"),
        (["pull", "hf:o/r", "--endpoint", "file:///etc"], 2, "settings_invalid"),
        (["pull", "hf:o/r", "--offline"], 3, "hub_offline"),
        (["pull", "hf:o/absent"], 2, "model_not_found"),
        (["pull", "hf:o/r:Q2_K"], 2, "model_not_found"),
        (["pull", "absent.gguf"], 2, "model_not_found"),
        (["pull", "absent"], 2, "model_not_found"),
        (["pull", "pkg:no-such-distribution-here"], 2, "model_not_found"),
        (["rm", "absent"], 2, "input_invalid"),
        (["rm", "../../etc/passwd"], 2, "input_invalid"),
        (["rm", "default"], 2, "input_invalid"),
    ],
)
def test_errors(hub: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, error: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    done = models(*arguments, "--json")
    assert done.exit_code == code
    assert json.loads(done.stdout)["error"]["code"] == error
    words = models(*arguments)
    assert words.exit_code == code and words.stderr.startswith("error: ") and "\nhint: " in words.stderr


def test_a_hub_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from linnet.models import hub

    monkeypatch.setattr(hub.time, "sleep", lambda seconds: None)
    done = models("pull", "hf:o/r", "--endpoint", "http://127.0.0.1:9")
    assert done.exit_code == 1 and "could not be fetched from http://127.0.0.1:9" in done.stderr


def test_what_a_cut_pull_left_is_listed(file: Path, home: Path) -> None:
    told("pull", file, "--as", "whole")
    record = Shelf().find("whole")
    assert record
    half = replace(record, name="half", sha256="a" * 64, source="hf:o/r@main:m.gguf", size=1000)
    Shelf().begin(half)
    Shelf().part(half.sha256).write_bytes(b"x" * 250)
    listed = models("list")
    assert "25% of" in listed.stdout and "incomplete" in listed.stdout
    assert "to go on with half: linnet models pull hf:o/r@main:m.gguf" in listed.stderr
    found = {model["name"]: (model["state"], model["have"]) for model in told("list")["models"]}
    assert found["half"] == ("incomplete", 250)
    with locks.exclusive(Shelf().lock(half.sha256)):
        (busy,) = [model for model in told("list")["models"] if model["name"] == "half"]
        assert (busy["state"], busy["owner"]) == ("fetching", os.getpid())
        assert models("rm", "half").exit_code == 1
    assert told("rm", "half")["removed"] == [{"name": "half", "freed_bytes": 250}]


def test_what_is_in_use_is_left_alone_unless_forced(file: Path) -> None:
    pulled = told("pull", file, "--as", "mine")
    with Path(pulled["path"]).open("rb") as opened:
        locks.hold(opened.fileno())
        error = told("rm", "mine")["error"]
        assert error["code"] == "model_in_use" and error["details"]["processes"] == [os.getpid()]
        assert error["details"]["removed"] == []
        assert told("rm", "mine", "--force")["removed"][0]["name"] == "mine"


def test_several_at_once_and_one_that_is_not_there(file: Path) -> None:
    for name in ("one", "two"):
        told("pull", file, "--as", name)
    done = models("rm", "one", "absent", "two")
    assert done.exit_code == 2 and "one is removed" in done.stdout and "no stored model" in done.stderr
    assert [record.name for record in Shelf().records()] == ["two"]


def test_a_stored_model_can_be_run(file: Path, home: Path) -> None:
    """With the real engine: the model is tiny and knows nothing, so the request asks for little."""
    told("pull", file, "--as", "mine")
    run = [
        sys.executable,
        "-P",
        "-m",
        "linnet",
        "run",
        "Say something.",
        "--model",
        "mine",
        "--context",
        "512",
        "--json",
    ]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    result = json.loads(done.stdout)
    assert result.get("model") == "mine", done.stdout


def test_hostile_names_of_a_hub_do_not_drive_the_terminal(hub: Any, file: Path) -> None:
    hub.add("o/r", "\x1b[2J-Q4_0.gguf", file.read_bytes())
    done = models("pull", "hf:o/r:Q4_0", "--endpoint", hub.url)
    assert done.exit_code == 2 and "\x1b" not in done.stderr + done.stdout


def test_a_bar_on_a_terminal_and_none_in_a_pipe(hub: Any) -> None:
    """Standard error is a real terminal here."""
    ours, theirs = pty.openpty()
    run = [sys.executable, "-P", "-m", "linnet", "models", "pull", "hf:o/r:Q8_0", "--endpoint", hub.url]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        seen = b""
        try:
            while block := os.read(ours, 65_536):
                seen += block
        except OSError:  # the other end is closed
            pass
        assert process.stdout and b"is stored" in process.stdout.read()
    os.close(ours)
    assert process.returncode == 0 and "checking" in seen.decode() and b"try: linnet run" in seen


def test_the_group_imports_nothing_heavy() -> None:
    code = "import sys, linnet.interfaces.cli.commands as c; print([m for m in sys.modules if m.split('.')[0] in "
    code += "('huggingface_hub', 'httpx2', 'numpy', 'hf_xet')])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_pulling_imports_no_transport_of_its_own(hub: Any) -> None:
    code = "import sys\nfrom linnet.models.pull import pull\n"
    code += f"pull('hf:o/r:Q8_0', endpoint={hub.url!r})\nprint('hf_xet' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_adapters_are_told_apart(file: Path, tmp_path: Path) -> None:
    writer = module("gguf_writer")
    lora = tmp_path / "Home.gguf"
    lora.write_bytes(writer.adapter(writer.small()).write())
    told("pull", file, "--as", "mine")
    assert told("pull", lora)["model"]["kind"] == "adapter"
    kinds = {model["name"]: (model["kind"], model["architecture"]) for model in told("list")["models"]}
    assert kinds["home"] == ("adapter", "llama") and kinds["mine"] == ("model", "llama")
    lines = [line for line in models("list").stdout.splitlines() if "adapter for llama" in line]
    assert {line.split()[0] for line in lines} == {"home", "calls"}, "one that is stored, and the one that ships"
    assert told("check", "mine+home")["models"][0]["sound"] and told("show", "mine+home")["adapter"]["rank"] == 4
    assert models("pull", "mine+home").exit_code == 2 and models("rm", "mine+home").exit_code == 2
    assert models("rm", "home").stdout == "home is removed, 0.0 MiB are free again\n"
    assert [record.name for record in Shelf().records()] == ["mine"]


def test_where_a_pulled_adapter_belongs(tmp_path: Path) -> None:
    """The advice is for a terminal, which standard error is here."""
    writer = module("gguf_writer")
    lora = tmp_path / "home.gguf"
    lora.write_bytes(writer.adapter(writer.small()).write())
    ours, theirs = pty.openpty()
    run = [sys.executable, "-P", "-m", "linnet", "models", "pull", str(lora)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        seen = b""
        try:
            while block := os.read(ours, 65_536):
                seen += block
        except OSError:  # the other end is closed
            pass
        assert process.stdout and b"home is stored" in process.stdout.read()
    os.close(ours)
    assert process.returncode == 0 and b"--model MODEL+home" in seen.replace(b"\r\n", b"")

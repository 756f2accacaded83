"""Every block of code of every page: its commands are commands, and it runs, or says why not.

A block is run here unless a marker stands before it: `<!-- not run: WHY -->`, or `<!-- run by TEST -->` for one that
another test runs with its outputs. All Python is run in one process, on one model; the lines of a shell as they are.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from linnet.interfaces.cli.commands import app

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

NOT_RUN = {
    "linnet batch examples/batch.jsonl --tools examples/tools.py --out answers.jsonl": "docs/batch.md runs it",
    'linnet run "What is 17 times 24?"': "is the first line of the tutorial",
    "make run": "CI runs it by itself",
    "make test": "is this",
    "linnet tools check --tools examples/tools.py --per-tool 4": "takes half a minute",
    "linnet models encode default --for-host": "takes minutes",
    "linnet models check default": "hashes 98 MB, as the tests of the store do",
    "linnet doctor": "measures the machine for seconds, as its own tests do",
    "linnet eval examples --limit 5": "its own tests run it",
    'linnet run --tools web --allow network "web: https://example.org"': "needs the network",
    "linnet bench --quick": "takes a minute",
    "linnet prompt run examples/prompt_lab.yaml --html report.html": "takes half a minute, and its own tests run it",
    "linnet serve &": "the tests of docs/http.md run it, with the request below it",
    "curl http://127.0.0.1:8177/v1/chat/completions -d @examples/chat_request.json": "the same",
}
"""Lines of the README that are not run here, and why: its blocks have no markers."""

ENDS = {"docs/batch.md": 1}
"""Exit codes of pages whose commands are to fail: a file of requests in which one is at fault on purpose."""

MOST = 14
"""Blocks that are not run at all. Who adds one says so here."""


def _loaded(name: str) -> Any:
    """The file beside this one."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


SHARED = _loaded("pages")
BLOCKS = [block for page in SHARED.pages() for block in SHARED.blocks_of(page)]
RUNNABLE = [block for block in BLOCKS if block.kind in ("sh", "console", "python")]
RUN = [block for block in RUNNABLE if not block.marker.startswith(("not run: ", "run by ", "file: "))]
LINES = [(block, line) for block in RUNNABLE for line in block.commands]
INLINE = sorted(
    {
        (page.name, text)
        for page in SHARED.pages()
        for text in re.findall(r"(?<!`)`(linnet [^`\n]+)`(?!`)", SHARED.prose(page))
    }
)


def _bare(line: str) -> str:
    """Without the comment behind it."""
    return re.sub(r"\s+#.*$", "", line).strip()


def command_of(words: list[str]) -> tuple[Any, list[str], str]:
    """The command that words run, its own words, and its name."""
    command: Any = typer.main.get_command(app)
    name, rest = "linnet", words[1:]
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no command {rest[0]!r}"
        command, name, rest = command.commands[rest[0]], f"{name} {rest[0]}", rest[1:]
    return command, rest, name


# --- what is written down is there ---------------------------------------------------------------


def test_there_is_something_to_check() -> None:
    assert len(RUNNABLE) > 50 and len(RUN) > 35 and len(LINES) > 40 and len(INLINE) > 40


@pytest.mark.parametrize(
    "line",
    [
        "linnet run hi --nope",
        "linnet run",
        "linnet run hi --context many",
        "linnet rnu hi",
        "A=b linnet models shw x",
        "echo hi | linnet run - --jsn > x",
    ],
)
def test_what_is_no_command_would_be_seen(line: str) -> None:
    with pytest.raises(
        (AssertionError, Exception), match=r"no command|No such option|Missing parameter|Input should be"
    ):
        test_every_command_line_is_one(None, line)


def test_markers_are_of_two_kinds_and_name_what_is_there() -> None:
    for block in RUNNABLE:
        if block.marker.startswith("run by "):
            test = ROOT / block.marker.removeprefix("run by ")
            assert test.is_file() and Path(block.page).name in test.read_text(), block.id
        elif block.marker and not block.marker.startswith("file: "):
            assert block.marker.startswith("not run: ") and len(block.marker) > 20, f"{block.id}: {block.marker}"


def test_blocks_that_are_not_run_are_few_and_counted() -> None:
    skipped = [f"{block.id}: {block.marker}" for block in RUNNABLE if block.marker.startswith("not run: ")]
    assert len(skipped) == MOST, "\n".join(skipped)


def test_the_lines_of_the_readme_that_are_not_run_stand_there() -> None:
    written = {_bare(line) for block, line in LINES if block.page == "README.md"}
    assert set(NOT_RUN) <= written


@pytest.mark.parametrize(("block", "line"), LINES, ids=[f"{b.id}-{n}" for n, (b, _) in enumerate(LINES)])
def test_every_command_line_is_one(block: Any, line: str) -> None:
    """Parsed by the command line itself, types and required arguments included; nothing is run."""
    for words in SHARED.programs(line):
        if words and words[0] == "linnet":
            command, rest, name = command_of(words)
            with command.make_context(name, list(rest)):
                pass
        elif words and words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line


@pytest.mark.parametrize(("page", "text"), INLINE)
def test_every_command_in_a_sentence_is_known_with_its_options(page: str, text: str) -> None:
    """A sentence may leave out what is required, or end in dots."""
    for words in SHARED.programs(text.replace("[", " ").replace("]", " ")):
        if words[:1] == ["linnet"] and words[1:2] != ["..."]:
            command, rest, _ = command_of(words)
            known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
            asked = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
            assert [name for name in asked if name not in known] == [], page


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in (*SHARED.pages(), *(ROOT / "docs" / "reference").glob("*.md"))
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[\w-]+)?\)", SHARED.prose(page))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_map_has_every_page() -> None:
    text = (ROOT / "docs" / "README.md").read_text()
    listed = set(re.findall(r"\]\(([\w/-]+\.md)\)", text))
    there = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert sorted(there - listed - {"README.md"} - {p for p in there if p.startswith("decisions/")}) == []


# --- and it runs ---------------------------------------------------------------------------------

RUNNER = '''
import json, sys, traceback
from linnet.agent import agent
from linnet.runtime import local
real, opened = local.open_local, {}

def shared(name="default", **options):
    """One model for all that ask for the same: blocks open and close one each, which takes a second or two."""
    key = (str(name), repr(sorted(options.items())))
    if key not in opened:
        opened[key] = real(name, **options)
        opened[key].close = lambda: None
    return opened[key]

local.open_local = agent.open_local = shared
for block in json.load(sys.stdin):
    try:
        exec(compile(block["body"], block["id"], "exec"), {"__name__": "__main__"})
    except BaseException as error:
        print(f"FAILED {block['id']}: {traceback.format_exc()}", file=sys.stderr)
for model in opened.values():
    type(model).close(model)
'''


@pytest.mark.timeout(1_800)  # twenty models' worth of work, on whatever machine this is
def test_all_python_runs(tmp_path: Path) -> None:
    place = SHARED.made(tmp_path)
    given = [{"id": block.id, "body": block.body} for block in RUN if block.kind == "python"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUNNER],
        input=json.dumps(given),
        env=place.environment,
        cwd=place.folder,
        capture_output=True,
        text=True,
        timeout=1_780,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


ELSEWHERE = {_bare(line) for block in RUN if block.page != "README.md" for line in block.commands}
"""Lines that stand on another page too, and are run there."""

SHELL = sorted({block.page for block in RUN if block.commands})


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("page", SHELL)
def test_all_lines_of_a_shell_run(page: str, tmp_path: Path) -> None:
    """Those of a page one after the other, in one folder, as they are written."""
    place = SHARED.made(tmp_path)
    for line in (line for block in RUN if block.page == page for line in block.commands):
        if _bare(line) in NOT_RUN or (page == "README.md" and _bare(line) in ELSEWHERE):
            continue
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            stdin=subprocess.DEVNULL,
            env=place.environment,
            cwd=place.folder,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == ENDS.get(page, 0) and "Traceback" not in done.stderr, (
            f"{line}\n{done.stdout}\n{done.stderr}"
        )

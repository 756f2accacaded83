"""docs/reference: what the code makes is what stands there, it is the whole of it, and it reads as Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import linnet
from linnet.errors import code_of, tree
from linnet.interfaces.reference import pages
from linnet.interfaces.reference.__main__ import main
from linnet.interfaces.reference.commands import each
from linnet.interfaces.reference.http import document
from linnet.interfaces.reference.markdown import MADE, table
from linnet.limits import LIMITS
from linnet.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages.pages(DOCS)


def test_what_stands_there_is_what_the_code_makes(made: dict[str, str]) -> None:
    found = {file.name: file.read_text(encoding="utf-8") for file in (DOCS / pages.FOLDER).glob("*.md")}
    stale = sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))
    assert stale == [], "run `make docs`"


def test_each_says_that_it_is_made(made: dict[str, str]) -> None:
    assert all(text.startswith("# ") and text.count(MADE) == 1 for text in made.values())


def test_nothing_is_left_out(made: dict[str, str]) -> None:
    for words, command in each():
        section = made["cli.md"].split(f"\n## {' '.join(words)}\n")[1].split("\n## ")[0]
        assert all(f"`{name}`" in section for one in command.params for name in one.opts if name.startswith("-"))
    assert all(f"`{row['name']}`" in made["limits.md"] for row in LIMITS.rows())
    assert all(f"`{code_of(kind)}`" in made["errors.md"] for kind in tree())
    assert all(f"`{name}`" in made["settings.md"] for name in Settings.model_fields if name != "tool_tables")
    assert all(f"\n## {name}\n" in made["python.md"] for name in linnet.__all__)
    assert all(f" {path}`" in made["http.md"] for path in document()["paths"])


def test_every_command_has_an_example(made: dict[str, str]) -> None:
    sections = made["cli.md"].split("\n## ")[1:]
    assert [section.splitlines()[0] for section in sections if "\nExample: `" not in section] == []


def test_nothing_in_it_changes_from_run_to_run(made: dict[str, str]) -> None:
    whole = "".join(made.values())
    assert not re.search(r"0x[0-9a-f]{6}|<function|object at|/home/|/tmp/", whole)
    assert all(f"{folder}/" not in whole for folder in DOCS.parents if folder != folder.parent)


def test_tables_have_as_many_cells_in_each_row_as_headings(made: dict[str, str]) -> None:
    for name, text in made.items():
        counts: list[int] = []
        for line in text.splitlines():
            counts = [*counts, len(re.findall(r"(?<!\\)\|", line))] if line.startswith("| ") else []
            assert len(set(counts)) <= 1, f"{name}: {line}"


def test_a_cell_stays_one() -> None:
    assert table(("a",), [["x|y\nz"]]) == "| a |\n| --- |\n| x\\|y z |"


def test_the_command_writes_what_is_stale_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], made: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pages, "pages", lambda docs: {"cli.md": made["cli.md"], "limits.md": made["limits.md"]})
    assert main([]) == 2 and "where docs/ is" in capsys.readouterr().err
    folder = tmp_path / "docs" / "reference"
    folder.mkdir(parents=True)
    (folder / "cli.md").write_text(made["cli.md"])
    (folder / "old.md").write_text("a page that nothing makes any more")
    assert main(["--check"]) == 1
    assert capsys.readouterr().out.split("\n")[:2] == [
        "docs/reference/limits.md is stale",
        "docs/reference/old.md is stale",
    ]
    assert main([]) == 0 and main(["--check"]) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["cli.md", "limits.md"]
    assert main(["--wrong"]) == 2

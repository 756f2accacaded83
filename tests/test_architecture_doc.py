"""docs/architecture.md against the tree: every module is on the page, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "linnet"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

NAMED = set(re.findall(r"[\w/.-]+\.py\b", PAGE))
BUILT = {
    path.relative_to(SOURCE).as_posix()
    for path in SOURCE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
}


def test_every_module_is_named() -> None:
    assert sorted(BUILT - NAMED) == []


def test_every_path_named_exists() -> None:
    """Modules are named from src/linnet/ on, all else from the root of the project."""
    missing = [path for path in NAMED - BUILT if not (ROOT / path).is_file()]
    assert sorted(missing) == []


def test_every_module_has_one_row() -> None:
    rows = re.findall(r"^\| `([\w/]+\.py)` \| \S", PAGE, re.MULTILINE)
    assert len(rows) == len(set(rows)), "a module is described twice"
    assert sorted(BUILT - set(rows)) == ["app.py"], "app.py has a heading of its own"


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []

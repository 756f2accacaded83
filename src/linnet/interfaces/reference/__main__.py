"""`python -m linnet.interfaces.reference [--check]`, from the project's folder: makes docs/reference/, or says what
of it is stale (exit code 1)."""

from __future__ import annotations

import sys
from pathlib import Path

from linnet.interfaces.reference.pages import stale, write

_DOCS = Path("docs")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]) or not _DOCS.is_dir():
        print("usage: python -m linnet.interfaces.reference [--check], where docs/ is", file=sys.stderr)
        return 2
    checking = bool(arguments)
    names = stale(_DOCS) if checking else write(_DOCS)
    for name in names:
        print(f"docs/reference/{name} {'is stale' if checking else 'is written'}")
    return 1 if checking and names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

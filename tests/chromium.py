"""A browser for the tests of the page: Debian's Chromium, driven by Playwright, which downloads none of its own.

    with browser() as chromium: ...   # Playwright's Browser

It is installed (`apt-get install chromium`) if it is missing and we are root. Raises `Missing` where it cannot be
had.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

_INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]


class Missing(Exception):
    """There is no Chromium here, and none can be had."""


def program() -> str:
    """The path of the browser's program."""
    found = _found()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (_INSTALL, ["apt-get", "update"], _INSTALL):  # the list of packages may be old, or not there
            _run(command)
            if found := _found():
                break
    if found is None:
        raise Missing("there is no Chromium: apt-get install chromium")
    return found


def _run(command: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """With a profile of its own, and nothing of whoever runs the tests. It refuses its sandbox to root, and sees no
    page here but ours."""
    where = program()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Missing("playwright is not installed: make install") from error

    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=where, args=arguments, timeout=120_000)
        try:
            yield chromium
        finally:
            chromium.close()

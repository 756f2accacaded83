"""Linnet: an agent runtime for small language models.

The names below are imported when they are first used: children import this package too, and a rule needs
no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Agent": "linnet.agent.agent",
    "Result": "linnet.agent.agent",
    "Tool": "linnet.tool",
    "tool": "linnet.tool",
    "Permission": "linnet.tool",
    "Settings": "linnet.settings",
    "open_agent": "linnet.app",
    "LinnetError": "linnet.errors",
    "errors": "linnet",
}
__all__ = ["Agent", "LinnetError", "Permission", "Result", "Settings", "Tool", "errors", "open_agent", "tool"]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("linnet.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'linnet' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

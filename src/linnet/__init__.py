"""Linnet: an agent runtime for small language models.

The names below are imported when they are first used: children import this package too, and a rule needs
no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linnet import errors
    from linnet.agent.agent import Agent
    from linnet.agent.cascade import Cascade
    from linnet.agent.chain import Chain
    from linnet.agent.micro import MicroAgent
    from linnet.agent.result import Result
    from linnet.agent.router import Intent, Router
    from linnet.app import open_agent
    from linnet.errors import LinnetError
    from linnet.settings import Settings
    from linnet.tools import Permission, Rule, Tool, tool

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Cascade",
    "Chain",
    "Intent",
    "LinnetError",
    "MicroAgent",
    "Permission",
    "Result",
    "Router",
    "Rule",
    "Settings",
    "Tool",
    "errors",
    "open_agent",
    "tool",
]

_HOME = {
    "Agent": "linnet.agent.agent",
    "Cascade": "linnet.agent.cascade",
    "Chain": "linnet.agent.chain",
    "MicroAgent": "linnet.agent.micro",
    "Result": "linnet.agent.result",
    "Intent": "linnet.agent.router",
    "Router": "linnet.agent.router",
    "open_agent": "linnet.app",
    "LinnetError": "linnet.errors",
    "Settings": "linnet.settings",
    "Permission": "linnet.tools",
    "Rule": "linnet.tools",
    "Tool": "linnet.tools",
    "tool": "linnet.tools",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("linnet.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'linnet' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

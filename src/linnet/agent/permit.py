"""Permit: what calls may do unasked, and what they may not do at all. Plain names, no machinery.

A name is a permission (`files.write`) or a tool (`write_file`), which stands for all permissions of that tool. Deny
beats allow. Not covered: what a tool does once it may; a permission is a promise of the tool, and confines nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from linnet.errors import SettingsInvalid
from linnet.tools import Permission, Tool

NOT_BY_NAME = frozenset({Permission.SEND_TAINTED})
"""What a tool's name does not stand for: it is no trait of the tool, and wants to be allowed by its own name."""


@dataclass(frozen=True)
class Permit:
    """Names of permissions and tools that are allowed, and that are denied."""

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()

    def denied(self, tool: Tool) -> list[str]:
        """Which of the names that concern this tool are denied."""
        return sorted(self.deny & {tool.name, *map(str, tool.permissions)})

    def missing(self, tool: Tool) -> list[str]:
        """The permissions of this tool that were not given beforehand."""
        by_name = tool.name in self.allow and tool.name not in set(Permission)  # a server may name its tools anything
        needed = tool.permissions & NOT_BY_NAME if by_name else tool.permissions
        return sorted(map(str, needed - self.allow))


def permit(allow: Iterable[str], deny: Iterable[str], tools: Collection[str], always: Iterable[str] = ()) -> Permit:
    """A Permit, its names held against the permissions that there are and the names of `tools`; `always` is allowed
    beside. Raises SettingsInvalid for a name that is neither."""
    allowed, denied = (_names(key, names, tools) for key, names in (("allow", allow), ("deny", deny)))
    return Permit(allowed | frozenset(always), denied)


def _names(key: str, names: Iterable[str], tools: Collection[str]) -> frozenset[str]:
    if isinstance(names, str):
        names = (names,)
    known = [*map(str, Permission), *tools]
    found = frozenset(map(str, names))
    for name in sorted(found - set(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(Permission)}, and the tools on offer."
        raise SettingsInvalid(f"`{key}`: {name!r} is neither a permission nor a tool", hint=hint)
    return found

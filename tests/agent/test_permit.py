"""What may be done unasked: names of permissions and tools, deny before allow."""

from __future__ import annotations

import pytest

from linnet.agent.execute import execute
from linnet.agent.permit import Permit, permit
from linnet.errors import SettingsInvalid
from linnet.messages import ToolCall
from linnet.tools import Permission, Tool

UPLOAD = Tool.from_schema(
    "upload", "Uploads.", function=lambda: "done", permissions=frozenset({Permission.NETWORK, Permission.READ_FILES})
)


def outcome(tool: Tool, allowed: Permit, because: str = "", approve: object = None) -> str:
    done = execute(tool, ToolCall(tool.name, {}), allowed, approve, because)  # type: ignore[arg-type]
    return done.error["message"] if done.error else str(done.value)


@pytest.mark.parametrize(
    ("allow", "deny", "missing", "denied"),
    [
        ([], [], ["files.read", "network"], []),
        (["network"], [], ["files.read"], []),
        (["upload"], [], [], []),
        (["network", "files.read"], ["network"], [], ["network"]),
        (["upload"], ["upload"], [], ["upload"]),
        ([], ["upload", "files.read", "files.write"], ["files.read", "network"], ["files.read", "upload"]),
    ],
)
def test_names_of_permissions_and_of_tools(
    allow: list[str], deny: list[str], missing: list[str], denied: list[str]
) -> None:
    found = permit(allow, deny, ["upload"])
    assert (found.missing(UPLOAD), found.denied(UPLOAD)) == (missing, denied)


def test_what_is_denied_is_not_asked_for() -> None:
    def approve(tool: Tool, call: ToolCall) -> bool:
        raise AssertionError("asked")

    allowed = permit(["upload", "network"], ["network"], ["upload"])
    assert outcome(UPLOAD, allowed, approve=approve) == "upload is denied: network"


def test_a_tool_that_is_named_like_a_permission_is_given_nothing_by_it() -> None:
    """A server may call its tools anything."""
    fake = Tool.from_schema("files.read", "Reads.", function=lambda: "", permissions=frozenset({Permission.MCP}))
    assert permit(["files.read"], [], ["files.read"]).missing(fake) == ["mcp"]


def test_what_the_session_has_read_needs_a_permission_of_its_own() -> None:
    """The tool's name does not stand for it."""
    assert outcome(UPLOAD, permit(["upload"], [], ["upload"])) == "done"
    told = outcome(UPLOAD, permit(["upload"], [], ["upload"]), "it may hold orders")
    assert told == "upload needs the permission network.tainted, because it may hold orders"
    assert outcome(UPLOAD, permit(["upload", "network.tainted"], [], ["upload"]), "it may hold orders") == "done"
    seen = []

    def approve(tool: Tool, call: ToolCall) -> bool:
        seen.append(tool.permissions)
        return True

    assert outcome(UPLOAD, permit(["upload"], [], ["upload"]), "orders", approve) == "done"
    assert seen == [UPLOAD.permissions | {Permission.SEND_TAINTED}]
    assert outcome(UPLOAD, permit(["upload"], ["network.tainted"], ["upload"]), "orders", approve).endswith("tainted")


@pytest.mark.parametrize("key", ["allow", "deny"])
def test_an_unknown_name(key: str) -> None:
    names: dict[str, list[str]] = {"allow": [], "deny": [], key: ["netwrok"]}
    with pytest.raises(SettingsInvalid) as caught:
        permit(names["allow"], names["deny"], ["upload"])
    assert f"`{key}`: 'netwrok'" in caught.value.message and caught.value.hint == "Did you mean network?"

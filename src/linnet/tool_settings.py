"""What a user can set for the tools that come with Linnet: the tables `[tools.web]`, `[tools.database]` and so on.

A table that is there turns its tools on; one that is not leaves them off. Whether they may be used is another matter:
`allow` and `deny`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from linnet.limits import LIMITS

SEARCH_KEY = "LINNET_SEARCH_KEY"
"""The variable with the key of the search service: no setting, so that no file and no dump of settings holds it."""

Name = Annotated[str, StringConstraints(min_length=1)]
Variable = Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """TOML has lists and texts, and these models are strict."""
        return tuple(value) if isinstance(value, list) else value


class FilesTable(_Table):
    write: bool = Field(False, description="whether files below `root` may be written and deleted, if it is allowed")


class WebTable(_Table):
    hosts: tuple[Name, ...] = Field((), description="hosts beside the public web, as `name` or `name:port`")


class SearchTable(_Table):
    provider: Literal["searxng", "brave", "custom"] = Field("searxng", description="which service is asked")
    url: Name | None = Field(None, description="its address; brave has one")
    query: Name = Field("q", description="custom: parameter of the query")
    number: str = Field("", description="custom: parameter of the number of results")
    results: tuple[Name, ...] = Field(("results",), description="custom: keys that lead to the list of results")
    fields: tuple[Name, Name, Name] = Field(
        ("title", "url", "content"), description="custom: keys of title, address and text of a result"
    )
    key_header: str = Field("", description=f"custom: header that carries the key in {SEARCH_KEY}")

    @model_validator(mode="after")
    def _address(self) -> SearchTable:
        if self.provider != "brave" and self.url is None:
            raise PydanticCustomError("address", "should have a `url`")
        return self


class DatabaseTable(_Table):
    url: Name = Field(description="as SQLAlchemy writes it: sqlite:///FILE, postgresql://USER@HOST/NAME")


class ShellTable(_Table):
    programs: tuple[Name, ...] | None = Field(None, description="the only ones that may be run; unset: any")
    writable: bool = Field(False, description="whether programs may write below `root`")
    seconds: float = Field(LIMITS.tool_seconds - 5, gt=0, le=600, description="for one program")


class McpTable(_Table):
    command: tuple[Name, ...] = Field((), description="program of a server and its words")
    url: str = Field("", description="address of a server that runs")
    environment: dict[Variable, str] = Field(default_factory=dict, description="all that its program finds")
    headers: dict[Name, str] = Field(default_factory=dict, description="that go with every request to its address")
    only: tuple[Name, ...] = Field(("*",), description="patterns of names of its tools that are offered")
    seconds: float = Field(LIMITS.tool_seconds, gt=0, le=600, description="for one call")

    @model_validator(mode="after")
    def _one(self) -> McpTable:
        if bool(self.command) == bool(self.url):
            raise PydanticCustomError("server", "should have a `command` or a `url`")
        return self


class ToolTables(_Table):
    """Every table below `[tools]`."""

    files: FilesTable | None = None
    web: WebTable | None = None
    search: SearchTable | None = None
    database: DatabaseTable | None = None
    shell: ShellTable | None = None
    mcp: dict[Name, McpTable] = Field(default_factory=dict)

    def beside(self, folder: Path) -> ToolTables:
        """With a SQLite file's relative path taken from that folder."""
        start = "sqlite:///"
        if self.database is None or not self.database.url.startswith(start):
            return self
        file = folder / Path(self.database.url.removeprefix(start)).expanduser()
        return self.model_copy(update={"database": DatabaseTable(url=f"{start}{file}")})

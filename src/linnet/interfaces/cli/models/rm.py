"""`linnet models rm`: remove a stored model or adapter, or what a cut pull has left."""

from __future__ import annotations

from typing import Annotated

import typer

from linnet.errors import LinnetError
from linnet.interfaces.cli import options, output

EXAMPLE = "Example: linnet models rm my-model --force"


def remove_models(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `linnet models list` has them.")],
    force: Annotated[bool, typer.Option("--force", help="Also what a running Linnet has open.")] = False,
    as_json: options.Json = False,
) -> None:
    """Remove models and adapters from the store. One that a running Linnet has open is left alone, unless forced."""
    with output.reporting(as_json):
        from linnet.hardware.budget import size
        from linnet.models.inventory import check_removable
        from linnet.models.shelf import Shelf

        shelf, freed = Shelf(), dict[str, int]()
        for name in names:
            check_removable(name)
        try:
            for name in dict.fromkeys(names):
                freed[name] = shelf.remove(name, force=force)
        except LinnetError as error:
            error.details["removed"] = list(freed)
            raise
        finally:
            if not as_json:
                for name, count in freed.items():
                    output.say(f"{name} is removed, {size(count)} are free again")
        if as_json:
            output.say_json({"removed": [{"name": name, "freed_bytes": count} for name, count in freed.items()]})

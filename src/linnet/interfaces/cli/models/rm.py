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
    encodings: Annotated[
        bool, typer.Option("--encodings", help="Only what was encoded for a machine; the models stay.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Remove models and adapters from the store, and the encodings that were made of them. One that a running Linnet
    has open is left alone, unless forced."""
    with output.reporting(as_json):
        if encodings:
            _remove_encodings(names, force, as_json)
            return
        from linnet.models.inventory import check_removable
        from linnet.models.shelf import Shelf

        shelf, freed, left, shared = Shelf(), dict[str, int](), dict[str, str](), dict[str, list[str]]()
        for name in names:
            check_removable(name)
        try:
            for name in dict.fromkeys(names):
                there = shelf.find(name)
                freed[name] = shelf.remove(name, force=force)
                if there:
                    shared[name] = [one.name for one in shelf.records() if one.sha256 == there.sha256]
                if there and not shared[name]:
                    more, left[name] = _with_it(there.sha256, force)
                    freed[name] += more
        except LinnetError as error:
            error.details["removed"] = list(freed)
            raise
        finally:
            if not as_json:
                for name, count in freed.items():
                    _say(name, count, left.get(name), shared.get(name))
        if as_json:
            output.say_json(
                {"removed": [_told(name, count, left.get(name), shared.get(name)) for name, count in freed.items()]}
            )


def _say(name: str, freed: int, left: str | None, shared: list[str] | None) -> None:
    from linnet.hardware.budget import size

    what = f"its bytes belong to {', '.join(shared)} too" if shared else f"{size(freed)} are free again"
    output.say(f"{name} is removed, {what}")
    if left:
        output.complain(f"note: left: {left}")


def _told(name: str, freed: int, left: str | None, shared: list[str] | None) -> dict[str, object]:
    more = {"left": left, "shared_with": shared}
    return {"name": name, "freed_bytes": freed, **{key: value for key, value in more.items() if value}}


def _with_it(sha256: str, force: bool) -> tuple[int, str]:
    """`(bytes freed, what is left and why)` of the encodings of a model that has just been removed."""
    from linnet.errors import ModelInUse
    from linnet.models.encodings import Encodings

    try:
        return Encodings().remove(sha256, force=force)[1], ""
    except ModelInUse as error:
        return 0, f"{error.message} (linnet models rm --encodings)"


def _remove_encodings(names: list[str], force: bool, as_json: bool) -> None:
    """Those of stored models, of known ones, and of files that were named by a path."""
    from linnet.errors import InputInvalid, ModelNotFound
    from linnet.hardware.budget import size
    from linnet.models import catalogue
    from linnet.models.encodings import Encodings

    kept, removed = Encodings(), list[dict[str, object]]()
    for name in dict.fromkeys(names):
        try:
            proper = catalogue.find(name)[0]
        except ModelNotFound:
            proper = name
        originals = {one.original for one in kept.records() if one.name == proper}
        if not originals:
            hint = "See `linnet models list`."
            raise InputInvalid(f"nothing was encoded of a model {name[:100]!r}", hint=hint, name=name[:100])
        for original in originals:
            count, freed = kept.remove(original, force=force)
            removed.append({"name": proper, "encodings": count, "freed_bytes": freed})
            if not as_json:
                output.say(f"{proper}: {count} encodings are removed, {size(freed)} are free again")
    if as_json:
        output.say_json({"removed": removed})

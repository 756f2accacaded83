"""`linnet models show`: what a model was taken for, from what, and how it will be run; what an adapter changes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.calling.profile import Profile
    from linnet.models.configuration import Configuration
    from linnet.models.gguf import Header, ModelFile
    from linnet.models.store import Located
    from linnet.settings import Settings

EXAMPLE = "Example: linnet models show default"


def show_model(
    model: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="The name or file of a model or adapter, or MODEL+ADAPTER.")
    ],
    as_json: options.Json = False,
) -> None:
    """Say which family a model is of, by which fields of its file, and its configuration with where each value is
    from; of an adapter, what it changes. Only headers are read, and no process is started."""
    with output.reporting(as_json):
        told = _described(model)
        if as_json:
            output.say_json(told)
        else:
            output.show(*_shown(told))


def _described(model: str) -> dict[str, Any]:
    """`{model, path, architecture, family, title, detected, configuration: {name: {value, from}}, profile}`, and
    for MODEL+ADAPTER `adapter` beside them; of an adapter alone `{model, path, architecture, adapter}`."""
    from linnet.calling import profile as profiles
    from linnet.models import adapters, gguf, naming, store
    from linnet.models.configuration import configure, layers
    from linnet.models.integrity import checked_header

    settings = options.settings()
    model, behind = naming.split_adapter(model)
    located = store.locate(model)
    with gguf.open_model(located.path) as file:
        header = checked_header(file) if behind else gguf.read_header(file.fileno())
        if adapters.is_adapter(header):
            changed = adapters.info(adapters.checked_header(file))
            alone = {"model": located.name, "path": str(located.path), "architecture": header.architecture}
            return {**alone, "adapter": changed.describe()}
        adapter, digest = _behind(behind, header) if behind else (dict[str, Any](), "")
        profile, note = None, ""
        if profiles.any_stored():  # hashing takes long, and is for nothing where no model was ever probed
            base = store.fingerprint(file)
            profile, note = profiles.load(adapters.fingerprint(base, digest) if digest else base)
        found = configure(header, layers(model, located, settings.context, settings.models))
        _check_dialect(found)
        encoding = _encoding(model, located, file, found.context, settings)
    return {
        "model": located.name,
        "path": str(located.path),
        "architecture": header.architecture,
        "family": found.family.name,
        "title": found.family.title,
        "detected": list(found.family.detected),
        "trained_context": found.family.context,
        "configuration": {name: {"value": value, "from": origin} for name, value, origin in found.rows()},
        "not_applied": found.beside,
        "profile": _profiled(profile) if profile else None,
        "profile_note": note,
        "encoding": encoding,
        **adapter,
    }


def _profiled(profile: Profile) -> dict[str, Any]:
    told = {"way_in_words": str(profile.way), **profile.describe()}
    if profile.trust:
        told["trust"]["stale"] = profile.trust.stale
    return told


def _encoding(
    asked: str, located: Located, file: ModelFile, context: int, settings: Settings
) -> dict[str, Any] | None:
    """`{used, why, note}` and what was measured: which weights would be loaded here; None where nothing was ever
    encoded for this machine. `used` is a label, "" for those of the file itself."""
    from linnet.hardware import probe
    from linnet.models import encodings, store
    from linnet.runtime.stand_in import stand_in, wanted

    kept, machine = encodings.Encodings(), probe.probe()
    if not kept.any_stored():
        return None
    sha256 = located.sha256 or store.fingerprint(file)
    decided, note = kept.decided(sha256, encodings.host(machine), encodings.engine())
    if decided is None:
        return {"used": "", "why": "", "note": note} if note else None
    if wanted(asked, located, settings.models, settings.encoding) == "original":
        return {**decided.describe(), "used": "", "note": "the setting `encoding` is original"}
    instead, note = stand_in(located, file, context, machine)
    if instead is not None:
        instead.file.close()
    return {**decided.describe(), "used": instead.label if instead else "", "note": note}


def _behind(text: str, base: Header) -> tuple[dict[str, Any], str]:
    """`{adapter: {model, path, name, rank, alpha, scale, tensors, bytes}}` of the one behind it, and its SHA-256."""
    from linnet.models import adapters, gguf, store

    located = store.locate_adapter(text)
    with gguf.open_model(located.path) as file:
        changed, digest = adapters.checked(file, base), store.fingerprint(file)
    return {"adapter": {"model": located.name, "path": str(located.path), **changed.describe()}}, digest


def _check_dialect(found: Configuration) -> None:
    """A dialect that was set can be no other than one of those that there are. Raises SettingsInvalid."""
    from linnet.calling.dialects.families import FAMILIES
    from linnet.errors import SettingsInvalid

    if found.family.dialect and found.family.dialect not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise SettingsInvalid(f"`dialect` is {found.family.dialect!r}, which is none; there are: {known}")


# --- for people ----------------------------------------------------------------------------------


def _shown(told: dict[str, Any]) -> list[Any]:
    """What is printed, part by part."""
    if "family" not in told:
        name = output.cell(
            f"{told['model']}: an adapter for models of the architecture {told['architecture']}", "bold"
        )
        return [name, *_changed(told["adapter"])]
    parts: list[Any] = [output.cell(f"{told['model']}: {told['title']} ({told['family']})", "bold")]
    parts += [output.cell(f"  {field}") for field in told["detected"]]
    parts += [output.cell(""), _configured(told["configuration"])]
    if told["not_applied"]:
        parts.append(output.cell(f"\nrecommended too, and not applied: {told['not_applied']}"))
    profile = told["profile"]
    if profile is not None:
        parts.append(output.cell(f"\ncalls: {profile['way_in_words']}, as probed on {profile['date']}"))
        parts.append(scores_table(profile["scores"], profile["arm"]))
        parts += _trusted(profile["trust"])
    else:
        parts.append(output.cell(f"\ncalls: guided; {told['profile_note'] or 'the model was not probed'}"))
    if encoding := told["encoding"]:
        of = encoding["used"] or "the file's own"
        parts.append(output.cell(f"\nweights: {of}; {encoding['note'] or encoding['why']}"))
    if "adapter" in told:
        parts += [output.cell(f"\nadapter: {told['adapter']['model']}", "bold"), *_changed(told["adapter"])]
    return parts


def _trusted(trust: dict[str, Any] | None) -> list[Any]:
    """That a model has weights of its own, and what they are worth."""
    if trust is None:
        return []
    held = f"of {trust['decisions']} held-out decisions {trust['right']} right, {trust['shipped']} by those that ship"
    stale = "passed over, as others ship now than they were found beside: " if trust["stale"] else ""
    told = f"weights of its own beside evidence, found on {trust['requests']} requests: {stale}{held}"
    return [output.cell(told)]


def _changed(adapter: dict[str, Any]) -> list[Any]:
    """What an adapter changes, with alike matrices of several blocks in one line."""
    from linnet.hardware.budget import size

    kinds: dict[str, int] = {}
    for name in adapter["tensors"]:
        kind = re.sub(r"^blk\.\d+\.", "blk.*.", name)
        kinds[kind] = kinds.get(kind, 0) + 1
    scale = f"scale {adapter['scale']:g} = alpha {adapter['alpha']:g} / rank {adapter['rank']}"
    told = [f"  {scale}, {size(adapter['bytes'])}, {len(adapter['tensors'])} matrices changed"]
    told += [f"  {kind}" + (f": {count}" if count > 1 else "") for kind, count in kinds.items()]
    return [*([output.cell(f"  {adapter['name']}")] if adapter["name"] else []), *map(output.cell, told)]


def scores_table(scores: Sequence[dict[str, Any]], taken: str) -> Table:
    """What each way of calling tools came to; `taken` is the arm that was chosen."""
    table = output.table("way", "right", "share", "95 %", "median", "")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for row in scores:
        share = f"{100 * row['right'] / row['of']:.1f}" if row["of"] else "-"
        remarks = ["taken"] if row["arm"] == taken else []
        remarks += [f"{row['errors']} errors"] if row["errors"] else []
        remarks += [row["stopped"]] if row["stopped"] else []
        table.add_row(
            output.cell(row["arm"]),
            f"{row['right']}/{row['of']}",
            share,
            f"{100 * row['low']:.1f}-{100 * row['high']:.1f}",
            f"{row['seconds']:.2f} s",
            output.cell(", ".join(remarks)),
        )
    return table


def _configured(rows: dict[str, dict[str, Any]]) -> Table:
    table = output.table("setting", "value", "from")
    table.columns[1].overflow = table.columns[2].overflow = "fold"
    for name, row in rows.items():
        table.add_row(*map(output.cell, (name.replace("_", " "), _text(row["value"]), row["from"])))
    return table


def _text(value: Any) -> str:
    if value in ("", [], {}):
        return "none"
    if isinstance(value, list):
        return " ".join(item if item.strip() == item else json.dumps(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""`linnet models check`: what files of models and adapters are, and whether the engine may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import REFUSED, LinnetError, ModelMismatch
from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from linnet.models.integrity import Report

EXAMPLE = "Example: linnet models check default"


def check_models(
    models: Annotated[
        list[str],
        typer.Argument(metavar="FILE|NAME...", help="Files or names of models and adapters, or MODEL+ADAPTER."),
    ],
    digest: Annotated[
        bool, typer.Option("--digest", help="Also hash the whole file, and compare it with what is known of it.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Say what the files are, and every fault in them. An adapter behind a model is held against that model too.
    No process is started, and nothing native sees them."""
    with output.reporting(as_json):
        results = [_result(model, digest) for model in models]
        if as_json:
            output.say_json({"models": results})
        else:
            for result in results:
                _tell(result)
        codes = {result["exit_code"] for result in results}
        raise typer.Exit(REFUSED if REFUSED in codes else max(codes))


def _result(model: str, digest: bool) -> dict[str, Any]:
    """`{model, path, exit_code, ...}` with what a Report says, `sha256` if it was asked for, or an `error`."""
    from linnet.models import naming, store
    from linnet.models.gguf import open_model
    from linnet.models.integrity import checked_header, examine

    try:
        name, adapter = naming.split_adapter(model)
        located, base = store.locate(name), None
        if adapter:
            with open_model(located.path) as file:
                base = checked_header(file)
            located = store.locate_adapter(adapter)
        with open_model(located.path) as file:
            report, found = examine(file, base), store.digest(file.fileno()) if digest else None
    except LinnetError as error:
        return {"model": model, "path": None, "error": error.describe(), "exit_code": error.exit_code}
    result = {"model": model, "path": str(located.path), "exit_code": _code(report), **report.describe()}
    if found is not None:
        result["sha256"] = found
        if located.sha256 not in (None, found):
            other = ModelMismatch(f"its SHA-256 is not the known one, {located.sha256}", expected=located.sha256)
            result.update(error=other.describe(), exit_code=other.exit_code)
    return result


def _code(report: Report) -> int:
    return 0 if report.sound else REFUSED


# --- for people ----------------------------------------------------------------------------------


def _tell(result: dict[str, Any]) -> None:
    sound = result["exit_code"] == 0
    if "size" in result:
        output.say(f"{result['model']}: {_what(result)}")
    for fault in result.get("faults", ()):
        output.complain(f"fault: at byte {fault['where']:,}: {fault['what']}")
    if "error" in result:
        output.complain(f"error: {result['error']['message']}")
        output.complain(f"hint: {result['error']['hint']}")
    elif not sound:
        output.complain("refused: no worker will be started for this file")
    if "sha256" in result:
        output.say(f"SHA-256: {result['sha256']}")
    if sound:
        output.say("sound")


def _what(result: dict[str, Any]) -> str:
    """`llama, 93.8 MiB, Q4_1, 272 tensors with 134.5 M parameters, context 8,192, 49,152 tokens in the vocabulary`

    or `adapter for llama, 0.2 MiB, F32, 4 tensors with 0.1 M parameters, rank 4, alpha 8, 2 matrices changed`
    """
    from linnet.hardware.budget import size

    made = result["architecture"] or "not known what"
    parts = [f"adapter for {made}" if result["kind"] == "adapter" else made, size(result["size"])]
    if result["quantisation"]:
        parts.append(result["quantisation"])
    if result["tensors"]:
        parts.append(f"{result['tensors']} tensors with {result['parameters'] / 1e6:,.1f} M parameters")
    if result["context"]:
        parts.append(f"context {result['context']:,}")
    if result["vocabulary"]:
        parts.append(f"{result['vocabulary']:,} tokens in the vocabulary")
    if changed := result.get("adapter"):
        parts.append(f"rank {changed['rank']}, alpha {changed['alpha']:g}")
        parts.append(f"{len(changed['tensors'])} matrices changed")
    return ", ".join(parts)

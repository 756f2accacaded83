"""`linnet models check`: what model files are, and whether the engine may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import REFUSED, LinnetError, ModelMismatch
from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from linnet.models.integrity import Report

EXAMPLE = "Example: linnet models check default"


def check_models(
    models: Annotated[list[str], typer.Argument(metavar="FILE|NAME...", help="Model files, or names of models.")],
    digest: Annotated[
        bool, typer.Option("--digest", help="Also hash the whole file, and compare it with what is known of it.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Say what model files are, and every fault in them. No process is started, and nothing native sees them."""
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
    from linnet.models import store
    from linnet.models.gguf import open_model
    from linnet.models.integrity import examine

    try:
        located = store.locate(model)
        with open_model(located.path) as file:
            report, found = examine(file), store.digest(file.fileno()) if digest else None
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
    """`llama, 93.8 MiB, Q4_1, 272 tensors with 134.5 M parameters, context 8,192, 49,152 tokens in the vocabulary`"""
    from linnet.hardware.budget import size

    parts = [result["architecture"] or "not known what", size(result["size"])]
    if result["quantisation"]:
        parts.append(result["quantisation"])
    if result["tensors"]:
        parts.append(f"{result['tensors']} tensors with {result['parameters'] / 1e6:,.1f} M parameters")
    if result["context"]:
        parts.append(f"context {result['context']:,}")
    if result["vocabulary"]:
        parts.append(f"{result['vocabulary']:,} tokens in the vocabulary")
    return ", ".join(parts)

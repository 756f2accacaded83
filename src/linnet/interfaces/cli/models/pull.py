"""`linnet models pull`: bring a model or an adapter here, whole and checked."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from linnet.models.part import Watch
    from linnet.models.pull import Pulled

EXAMPLE = "Example: linnet models pull smollm2-135m"


def pull_model(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="hf:owner/repo[@revision][:file-or-quantisation], or a .gguf file."),
    ],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Its name here; otherwise that of its file.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="The hub; otherwise HF_ENDPOINT, huggingface.co.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no hub: end well only if it is here.")] = False,
    as_json: options.Json = False,
) -> None:
    """Fetch a model or an adapter from a hub, or copy a file, into the store, and check every byte of it.

    What was cut goes on where it ended. Without a file or quantisation, one is chosen that suits this machine.
    """
    with output.reporting(as_json):
        settings = options.settings(endpoint=endpoint, offline=offline or None)
        for variable in _QUIET:  # read by huggingface_hub when it is imported
            os.environ[variable] = "1"
        from linnet.models.pull import pull

        try:
            with _watching() as watch:
                done = pull(model, name=name, endpoint=settings.endpoint, offline=settings.offline, watch=watch)
        except KeyboardInterrupt:
            output.complain("stopped; what has come is kept, and the same command goes on with it")
            raise
        if as_json:
            output.say_json(_described(done))
        else:
            _tell(done)


_QUIET = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK", "HF_HUB_DISABLE_XET")


def _described(done: Pulled) -> dict[str, Any]:
    return {
        "name": done.name,
        "path": str(done.path),
        "already": done.already,
        "fetched_bytes": done.fetched,
        "kept_bytes": done.kept,
        "notes": list(done.notes),
        "model": done.record.describe() if done.record else None,
    }


def _tell(done: Pulled) -> None:
    from linnet.hardware.budget import size

    for remark in done.notes:
        output.complain(f"note: {remark}")
    if done.already:
        output.say(f"{done.name} is here already: {done.path}")
    else:
        kept = f", {size(done.kept)} were here" if done.kept else ""
        output.say(f"{done.name} is stored ({size(done.fetched)} came{kept}): {done.path}")
    if done.record and done.record.kind == "adapter":
        output.note(f"it changes models of the architecture {done.record.architecture}: --model MODEL+{done.name}")
    else:
        output.note(f'try: linnet run "What is 17 times 24?" --model {done.name}')


# --- progress ------------------------------------------------------------------------------------

_WORDS = {
    "asking": "asking the hub",
    "fetching": "fetching",
    "checking": "checking",
    "waiting": "waiting for process",
}


@contextlib.contextmanager
def _watching() -> Iterator[Watch]:
    """A bar on a terminal; in a pipe nothing, but for whom is waited."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _line
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def watch(stage: str, done: int, total: int) -> None:
            if stage == "waiting":
                bar.update(task, description=f"{_WORDS[stage]} {done or '?'}", total=None)
            else:
                bar.update(task, description=_WORDS[stage], completed=done, total=total or None)

        yield watch


def _line(stage: str, done: int, total: int) -> None:
    if stage == "waiting":
        output.complain(f"note: waiting for process {done or 'unknown'}, which fetches the same file")

"""`linnet doctor`: this machine, its limits, what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from linnet.errors import FAILED
from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.interfaces.cli.diagnosis import Diagnosis, Facts, Finding

EXAMPLE = "Example: linnet doctor --json"

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(model: options.Model = None, as_json: options.Json = False) -> None:
    """Look at this machine, the model and the sandbox, and say what is wrong.

    Starts a real worker, which takes a few seconds. Ends with 1 when there is a problem.
    """
    with output.reporting(as_json):
        from linnet.interfaces.cli.diagnosis import diagnose

        with output.working("looking at the machine, starting a worker"):
            found = diagnose(model)
        if as_json:
            output.say_json(found.describe())
        else:
            output.show(_facts(found), "", _prospects(found), "", _findings(found.findings))
        raise typer.Exit(0 if found.healthy else FAILED)


# --- tables --------------------------------------------------------------------------------------


def _facts(found: Diagnosis) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in (*_of_versions(found.versions), *_of_machine(found.machine), *_of_model(found.model)):
        table.add_row(name, output.cell(value))
    return table


def _findings(findings: tuple[Finding, ...]) -> Table:
    """Problems last: nearest to the prompt."""
    table = output.table("", "about", "finding")
    for finding in sorted(findings, key=lambda finding: list(_STYLES).index(finding.level)):
        told = f"{finding.told}\n{finding.advice}" if finding.advice else finding.told
        table.add_row(
            output.cell(finding.level, _STYLES[finding.level]), output.cell(finding.about), output.cell(told)
        )
    return table


def _prospects(found: Diagnosis) -> Table:
    """What would fit. The speed is a guess, and its heading says so."""
    from linnet.hardware.budget import size
    from linnet.hardware.prospects import CONTEXT
    from linnet.hardware.typical import QUANTISATIONS

    table = output.table("would fit", "type", f"with {CONTEXT} tokens", "", "largest context", "tokens/s (guess)")
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    answers = {True: ("fits", "green"), False: ("too big", "red"), None: ("unknown", "")}
    for row in found.prospects:
        place, speed = QUANTISATIONS.index(row["quantisation"]), row["tokens_per_second"]
        table.add_row(
            output.cell((row["size"], row["like"])[place] if place < 2 else ""),
            output.cell(row["quantisation"]),
            output.cell(size(row["needed_bytes"])),
            output.cell(*answers[row["fits"]]),
            output.cell(f"{row['largest_context']:,}" if row["largest_context"] else "none"),
            output.cell("unknown" if speed is None else f"{speed:.1f}"),
        )
    return table


Rows = list[tuple[str, str]]


def _of_versions(versions: Facts) -> Rows:
    return [("versions", ", ".join(f"{name} {number or 'missing'}" for name, number in versions.items()))]


def _of_machine(machine: Facts) -> Rows:
    from linnet.hardware.budget import size

    def memory(count: int | None) -> str:
        return "unknown" if count is None else size(count)

    speed, busy = machine["bandwidth"], machine["busy"]
    return [
        ("platform", f"{machine['tier']} {machine['architecture']}, kernel {machine['kernel'] or 'unknown'}"),
        (
            "processor",
            f"{machine['cpu'] or 'unknown'}; {', '.join(machine['features'] or ['features unknown'])}",
        ),
        ("cores", _cores(machine)),
        ("memory", f"{memory(machine['memory_available'])} available of {memory(machine['memory'])}"),
        ("bandwidth", "not measured" if speed is None else f"{speed:.1f} GB/s, one thread"),
        ("load", "unknown" if busy is None else f"{busy:.1f} cores busy with other programs"),
        ("accelerators", _accelerators(machine)),
    ]


def _accelerators(machine: Facts) -> str:
    from linnet.hardware.budget import size

    gpus = machine["gpus"]
    named = [f"{one['name']} ({one['kind']}{', ' + size(one['memory']) if one['memory'] else ''})" for one in gpus]
    found = ", ".join(named or machine["accelerators"])
    return f"{found}; none is used" if found else "none"


def _cores(machine: Facts) -> str:
    quota = "no quota" if machine["quota"] is None else f"quota {machine['quota']:g}"
    usable = f"{machine['affinity'] or 'unknown'} usable of {machine['cores'] or 'unknown'}"
    chosen = machine["threads"]["decode"]
    return f"{usable}, {quota}; {chosen} thread{'s' if chosen > 1 else ''} chosen: {machine['threads']['why']}"


def _of_model(model: Facts) -> Rows:
    from linnet.hardware.budget import size

    if not model:
        return []
    memory = model["memory"]
    digest = f"SHA-256 {model['sha256'][:16]}... as in the catalogue" if model["sha256"] else "not in the catalogue"
    return [
        ("model", f"{model['name']}, {size(model['bytes'])}, {digest}"),
        ("", model["path"]),
        ("family", f"{model['family']}, from {'; '.join(model['detected'])}"),
        ("context", f"{model['context']} tokens, trained for {model['trained_context']}"),
        (
            "needs",
            f"{size(memory['peak'])} with that context full; of it weights "
            f"{size(memory['weights'] + memory['copied'])}, KV cache {size(memory['cache'])}",
        ),
        *_of_layers(model),
    ]


def _of_layers(model: Facts) -> Rows:
    told = ", ".join(f"{count} of its layers" for count in model["gpu_layers"])
    return [("GPU", f"there would be room for {told} (arithmetic only: never tried)")] if told else []

"""`linnet models encode`: the weights of a model in another type, under a name or for this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import InputInvalid
from linnet.interfaces.cli import options, output, progress

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.models.encoding import Encoding

EXAMPLE = "Example: linnet models encode default --for-host --type bf16 --type q8_0"

Bytes = Annotated[str | None, typer.Option(metavar="SIZE", help="Most that may be used, such as 2GiB or 800M.")]


def encode_model(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="The name of a model, or a model file.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="TYPE", help="Make a model of this type, such as q8_0 or bf16.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Its name, with --to; otherwise NAME-TYPE.")
    ] = None,
    for_host: Annotated[
        bool, typer.Option("--for-host", help="Find the type that is fastest here and no worse, and use it.")
    ] = False,
    mix: Annotated[
        str | None,
        typer.Option(
            "--mix", metavar="MIX", help="What it is for: agent (the default), chat, documents, PROMPT:DECODED."
        ),
    ] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="One to try, with --for-host; repeatable.")
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", metavar="N", help="Timings of each type against the original: 3 or more."),
    ] = None,
    disk: Bytes = None,
    memory: Bytes = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="Threads of the engine.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Encode weights anew: as a stored model of its own (--to), or for this machine (--for-host).

    For this machine, several types are made, held against the F32 of the same file, and timed in turns with the
    original. The best that is no worse and clearly faster is kept beside it and loaded in its place from then on;
    where there is none, the original stays. That takes minutes (about 10 on 2 cores for a model of 135M parameters)
    and 8 bytes of disk for each parameter (there about 1.1 GiB) while it lasts.
    """
    with output.reporting(as_json):
        if (to is None) != for_host:
            raise InputInvalid("it is either --to TYPE or --for-host", hint=EXAMPLE)
        told: dict[str, Any]
        if for_host:
            if name is not None:
                raise InputInvalid("--as names what --to makes", hint="With --for-host the model keeps its name.")
            told = _for_host(
                model, mix or "agent", type_ or [], rounds, (_bytes(disk), _bytes(memory)), threads, as_json
            )
        else:
            given = {"--mix": mix, "--type": type_, "--rounds": rounds, "--memory": memory}
            if others := [name for name, value in given.items() if value not in (None, [])]:
                are = "is" if len(others) == 1 else "are"
                raise InputInvalid(f"{' and '.join(others)} {are} for --for-host", hint=EXAMPLE)
            told = _to(model, to or "", name, _bytes(disk), threads, as_json)
        if as_json:
            output.say_json(told)


# --- as a model of its own -----------------------------------------------------------------------


def _to(
    model: str, to: str, name: str | None, disk: int | None, threads: int | None, as_json: bool
) -> dict[str, Any]:
    from linnet.evals.encoding.candidates import kind
    from linnet.hardware import governor, probe
    from linnet.hardware.budget import size
    from linnet.runtime.encode_as import encode_as

    wanted = kind(to)
    count = threads or governor.threads(probe.probe(), probe.contention()).decode
    with progress.bar() as at:
        record, made = encode_as(
            model,
            wanted,
            name,
            threads=count,
            disk=disk,
            progress=lambda done, total: at(f"encoding to {to.lower()}", done / max(1, total)),
        )
    if not as_json:
        types = ", ".join(f"{number} tensors {type}" for type, number in made.types.items())
        output.say(f"{record.name} is stored: {size(record.size)} in {made.seconds:.1f} s ({types})")
        output.note(f'try: linnet run "What is 17 times 24?" --model {record.name}')
    return {
        "model": record.describe(),
        "bytes": made.bytes,
        "seconds": round(made.seconds, 3),
        "types": made.types,
        "not_enforced": list(made.missing),
    }


# --- for this machine ----------------------------------------------------------------------------


def _for_host(
    model: str,
    mix: str,
    types: list[str],
    rounds: int | None,
    room: tuple[int | None, int | None],
    threads: int | None,
    as_json: bool,
) -> dict[str, Any]:
    from linnet.evals.encoding import host
    from linnet.models import mixes
    from linnet.models.encodings import Encodings

    wish = host.Wish(mixes.mix(mix), tuple(types), threads, host.ROUNDS if rounds is None else rounds, *room)
    with progress.bar() as at:
        found = host.choose(model, wish, host.Watch(output.complain, at))
    path = str(Encodings().blob(found.sha256)) if found.sha256 else None
    if not as_json:
        _tell(found, path)
    return {"chosen": found.type if found.sha256 else "original", "path": path, **found.describe()}


def _tell(found: Encoding, path: str | None) -> None:
    output.show(rates(found), "", distances(found))
    for one in found.trials:
        if one.rejected:
            output.say(f"{one.type}: {one.rejected}")
    threads = f"{found.threads} thread{'' if found.threads == 1 else 's'}"
    output.say(f"\nfor {found.mix}, {threads}: {found.why}")
    for two in found.agreement:
        same = f"{two.identical:.0%} of {two.prompts} greedy answers are the same"
        output.say(f"{two.between}: {same}, {two.prefix:.1f} of {two.tokens} tokens in the mean")
    if path:
        output.say(f"it is loaded in place of {found.name} from now on; --encoding original is the file itself")
        output.say(f"stored: {path}")


def rates(found: Encoding) -> Table:
    """How fast each type was; the first is the original."""
    from linnet.hardware.budget import size

    table = _table("type", "size", "prefill", "decode", "a turn", "gain", "")
    for number, one in enumerate(found.trials):
        speed = one.speed
        table.add_row(
            output.cell(one.type),
            size(one.size),
            *((f"{speed.prefill:.0f}/s", f"{speed.decode:.0f}/s", f"{speed.seconds:.2f} s") if speed else "---"),
            f"{speed.ratio:.2f} ({speed.low:.2f}-{speed.high:.2f})" if speed and number else "",
            "" if one.rejected else "kept" if number else "original",
        )
    return table


def distances(found: Encoding) -> Table:
    """How far each type is from the F32: a table of its own, for a line of 80 columns has no room for the two."""
    table = _table("type", "KL to the F32", "worst hundredth", "same top token")
    for one in found.trials:
        far = one.quality
        told = (f"{far.mean_kl:.5f}", f"{far.p99_kl:.4f}", f"{far.same_top:.1%}") if far else "---"
        table.add_row(output.cell(one.type), *told)
    return table


def _table(*headings: str) -> Table:
    """Numbers at the right, and folded rather than cut where a terminal is narrow."""
    table = output.table(*headings)
    table.collapse_padding = True
    for column in table.columns:
        column.overflow = "fold"
        column.justify = "right" if column.header and column is not table.columns[0] else "left"
    return table


# --- what is given -------------------------------------------------------------------------------

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _bytes(text: str | None) -> int | None:
    """`1.5GiB`, `800M`, `4096` -> bytes, by powers of 1,024. Raises InputInvalid."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]?)(?:i?B)?", text.strip(), re.ASCII | re.IGNORECASE)
    if not found:
        raise InputInvalid(f"{text[:40]!r} is no size", hint="Write bytes, or 800M, or 1.5GiB.", given=text[:40])
    return int(float(found[1]) * _UNITS[found[2].upper()])

"""`linnet embed`: texts to vectors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import EmptyRequest, InputInvalid, RequestTooLarge
from linnet.interfaces.cli import options, output
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from linnet.vectors import Embeds

EXAMPLE = 'Example: linnet embed "when do you open" "what are your opening hours" --json'

_POOR = "this model was not made for embedding: near vectors mean alike words rather than meaning (docs/embed.md)"


def embed(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT...", help="Texts; - reads one a line from standard input.")
    ] = None,
    model: options.Model = None,
    as_json: options.Json = False,
    threads: options.Threads = None,
    require_sandbox: options.RequireSandbox = False,
    timeout: options.Timeout = None,
) -> None:
    """Give each text a vector of length 1, near those of texts that mean nearly the same, as far as the model knows.

    With --json, one object; else a line for each text, the numbers parted by spaces.
    """
    with output.reporting(as_json):
        asked = _texts(texts or ["-"])
        chosen = options.chosen(None, model, None, threads, None, require_sandbox, timeout)
        told = _embedded(asked, options.settings(**chosen))
        for remark in told["degraded"]:
            output.complain(f"note: {remark}")
        if not told["trained"]:
            output.note(f"note: {_POOR}", verbose=not as_json)
        if as_json:
            output.say_json(told)
            return
        for vector in told["vectors"]:
            output.say(" ".join(f"{value:.6g}" for value in vector))


def _embedded(texts: list[str], settings: Any) -> dict[str, Any]:
    from linnet.app import open_model
    from linnet.requests import Embed, complete_all

    step = LIMITS.embedded_texts
    parts = [tuple(texts[at : at + step]) for at in range(0, len(texts), step)]
    model = open_model(settings)
    try:
        with output.working("embedding"):
            ends = complete_all(model, [Embed(part, settings.request_seconds) for part in parts])
        embeds = model.capabilities.embeds
        assert embeds is not None, "it has embedded"
        vectors = [row.tolist() for done in ends if done.vectors is not None for row in done.vectors.array()]
        return {
            "model": model.capabilities.name,
            **_source(embeds),
            "tokens": sum(done.usage.prompt_tokens for done in ends),
            "degraded": list(dict.fromkeys(note for done in ends for note in done.degraded)),
            "vectors": vectors,
        }
    finally:
        model.close()


def _source(embeds: Embeds) -> dict[str, Any]:
    return {"width": embeds.width, "source": embeds.source, "trained": embeds.trained}


def _texts(given: list[str]) -> list[str]:
    """The texts themselves, lines of standard input where `-` stands. Raises InputInvalid, EmptyRequest."""
    texts = [text for one in given for text in (_lines() if one == "-" else [one])]
    if not texts or not all(text.strip() for text in texts):
        raise EmptyRequest("there is a text without a word in it", hint="Give texts, or lines, that say something.")
    return texts


def _lines() -> list[str]:
    if sys.stdin is None:
        raise InputInvalid("standard input is closed", hint="Give the texts as arguments.")
    if sys.stdin.isatty():
        output.note("Type texts, one a line, then Ctrl-D.")
    data = sys.stdin.buffer.read(LIMITS.batch_line_bytes + 1)
    if len(data) > LIMITS.batch_line_bytes:
        raise RequestTooLarge(f"the texts are over {LIMITS.batch_line_bytes:,} bytes", limit=LIMITS.batch_line_bytes)
    try:
        return [line for line in data.decode().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputInvalid(f"the texts are not UTF-8 at byte {error.start}") from error

"""`python -m linnet.evals.training.synthesis`: tools in, a file of examples out, how varied and how clean it is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid, LinnetError
from linnet.evals.training import example
from linnet.evals.training.synthesis import leaks
from linnet.evals.training.synthesis.mixture import PARTS, Recipe
from linnet.evals.training.synthesis.synthesise import MADE, Synthesis, general, own
from linnet.evals.training.synthesis.variety import measure

_COUNTED = 500
"""Requests whose tokens are counted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the examples and returns 0, or says what is wrong and returns the error's exit code."""
    options = _options().parse_args(arguments)
    try:
        _run(options)
    except LinnetError as error:
        print(f"{error.message} {error.hint}".rstrip(), file=sys.stderr)
        return error.exit_code
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m linnet.evals.training.synthesis", description=__doc__)
    paths: dict[str, Any] = {"type": Path, "action": "append", "default": []}
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed makes the same examples")
    parser.add_argument("--count", type=int, default=10_000, metavar="N", help="how many examples")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where they are written, one a line")
    parser.add_argument("--tools", **paths, metavar="FILE", help="a Python file of tools; may be given again")
    parser.add_argument("--made", type=int, default=MADE, metavar="N", help="tools that are made up without --tools")
    parser.add_argument("--without", action="append", default=[], choices=PARTS, help="leave this out of the recipe")
    parser.add_argument("--leaks", **paths, metavar="DIR", help="judged data to compare with; may be given again")
    parser.add_argument("--drop", action="store_true", help="leave out examples that share words with judged data")
    parser.add_argument("--tokens", action="store_true", help="count tokens, by the default model's tokenizer")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser


def _run(options: argparse.Namespace) -> None:
    made = _synthesis(options)
    bad = _leaking(made, options) if options.drop else set()
    example.write(options.out, (e for i, e in enumerate(made.examples(options.count), 1) if i not in bad))
    summary = measure(example.read(options.out))
    told: dict[str, Any] = {"out": str(options.out), "seed": options.seed, **summary.describe()}
    told |= {"like": made.like, "left_out": made.left_out, "dropped": len(bad)}
    lines = summary.lines() + [f"{name} is left out: {reason}" for name, reason in made.left_out.items()]
    lines += [
        f"{name} is asked for {f'as {act!r}' if act else 'in its own words'}" for name, act in made.like.items()
    ]
    if options.tokens:
        told["tokens"] = _tokens(options.out)
        lines.append("tokens in a request: mean {mean:.1f}, longest {longest}, of {counted}".format(**told["tokens"]))
    if options.drop:
        lines.append(f"{len(bad)} examples shared words with judged data and are left out")
    if options.leaks:
        rows = leaks.check(example.read(options.out), options.leaks)
        told["leaks"] = [row.describe() for row in rows]
        lines += leaks.table(rows, summary.examples)
    print(json.dumps(told, ensure_ascii=False) if options.json else "\n".join(lines))


def _synthesis(options: argparse.Namespace) -> Synthesis:
    recipe = Recipe.without(options.without)
    if options.tools:
        from linnet.tool_files import load_tools

        return own(load_tools(options.tools), options.seed, recipe)
    if options.made < 1:
        raise InputInvalid(f"--made {options.made} leaves nothing to ask for", hint="Give 1 or more.")
    return general(options.seed, options.made, recipe)


def _leaking(made: Synthesis, options: argparse.Namespace) -> set[int]:
    """Numbers, from 1, of the examples that share a run of words with judged data."""
    return {n for row in leaks.check(made.examples(options.count), options.leaks) for n in row.requests}


def _tokens(path: Path) -> dict[str, float]:
    """Tokens of the first requests of a file."""
    from itertools import islice

    from linnet.agent.context.tally import Tally
    from linnet.runtime.local import open_local

    texts = [each.request for each in islice(example.read(path), _COUNTED)]
    model = open_local(encoding="original")
    try:
        counts = Tally(model).texts(texts)
    finally:
        model.close()
    return {"mean": sum(counts) / len(counts), "longest": max(counts), "counted": len(counts)}


if __name__ == "__main__":
    sys.exit(main())

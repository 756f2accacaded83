"""`python -m linnet.evals.fitting`: cases in, `weights.json` out, and how good it is on cases it has not seen."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

from linnet.calling import profile as profiles
from linnet.calling.profile import Profile, Way
from linnet.calling.ranking.ranker import Weights, fitted
from linnet.calling.trust import Trust
from linnet.errors import InputInvalid, LinnetError
from linnet.evals import bfcl, tool_calls
from linnet.evals.fitting.fit import Fitting
from linnet.evals.fitting.remember import Remembering
from linnet.evals.fitting.trusting import trust
from linnet.evals.fitting.validate import report, validate
from linnet.requests import Model
from linnet.runtime.local import open_local
from linnet.storage import write_whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the weights and returns 0, or says what is wrong and returns the error's exit code."""
    options = _options().parse_args(arguments)
    try:
        _run(options)
    except LinnetError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m linnet.evals.fitting", description=__doc__)
    folder: dict[str, Any] = {"type": Path, "action": "append", "default": [], "metavar": "DIR"}
    parser.add_argument("--bfcl", **folder, required=True, help="cases as CATEGORY.jsonl; may be given again")
    parser.add_argument("--tool-calls", **folder, help="cases as NAME.json, for arguments only; may be given again")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the weights are written")
    parser.add_argument("--folds", type=int, default=0, metavar="K", help="cross-validate in so many parts")
    parser.add_argument("--no-model", action="store_true", help="keep FILE's sections `model` and `relevance`")
    parser.add_argument("--no-trust", action="store_true", help="keep FILE's section `model` alone")
    parser.add_argument("--ask", type=int, default=0, metavar="N", help="ask the model about N cases only")
    parser.add_argument(
        "--model", default="default", metavar="NAME", help="the model, `MODEL+ADAPTER` for one with an adapter"
    )
    parser.add_argument(
        "--trust", action="store_true", help="find what NAME is believed beside the weights that ship, and no more"
    )
    parser.add_argument(
        "--store", action="store_true", help="with --trust: keep it in NAME's profile, so that it is used"
    )
    parser.add_argument("--cache", type=Path, metavar="FILE", help="remember what the model says here")
    return parser


def _run(options: argparse.Namespace) -> None:
    """Loads, asks, validates, fits, writes."""
    if options.folds == 1 or options.folds < 0:
        raise InputInvalid(f"--folds {options.folds} leaves nothing to fit on", hint="Give 2 or more, or 0 for none.")
    tell = _clock()
    cases = [case for folder in options.bfcl for case in bfcl.load(folder)]
    more = [case for folder in options.tool_calls for case in tool_calls.load(folder)]
    fitting = Fitting(cases, more, fitted() if options.trust else kept(options.out))
    tell(f"{len(fitting.cases)} cases are loaded")
    name = options.model
    with closing(Remembering(lambda: closing(open_local(name, encoding="original")), options.cache)) as remembering:
        if options.trust:
            _trust(options, fitting, remembering, tell)
            return
        model = None if options.no_model else remembering
        if model:
            fitting.ask(model, tell, options.ask or None, judge=not options.no_trust)
        if options.folds:
            print("\n".join(report(validate(fitting, options.folds, model, tell))))
    write(options.out, fitting.weights(fitting.everything))
    tell(f"{options.out} is written")


def _trust(options: argparse.Namespace, fitting: Fitting, model: Model, tell: Callable[[str], None]) -> None:
    """Finds a trust, says what it is worth, and writes it; nothing is written where what ships is as good."""
    found = trust(fitting.heard(model, tell, options.ask or None), fitted())
    if found is None:
        print("no weights of its own are better, held out, than those that ship: nothing is written")
        return
    print(f"of {found.decisions} held-out decisions {found.right} right, {found.shipped} by the weights that ship")
    for what, (shipped, own) in found.changes(fitted()).items():
        print(f"{what:40} {shipped} -> {own}")
    write(options.out, found)
    if options.store:
        tell(f"it is kept in {_kept(options.model, found)}")


def _kept(name: str, found: Trust) -> Path:
    """In the model's profile; one that has none is guided, as it would be without."""
    with closing(open_local(name, encoding="original")) as model:
        profile, _ = profiles.load(model.original())
        profile = profile or Profile(Way(), "guided", suite="cases", date=date.today().isoformat(), model=name)
        return profiles.save(model.original(), replace(profile, trust=found))


def _clock() -> Callable[[str], None]:
    """Tells on stderr what is done, and after how many seconds."""
    started = time.monotonic()
    return lambda done: print(f"{time.monotonic() - started:6.0f} s  {done}", file=sys.stderr)


# --- the file ------------------------------------------------------------------------------------


def kept(path: Path) -> Weights:
    """The weights in this file, or those that ship where there is none. Raises InputInvalid for a broken one."""
    if not path.exists():
        return fitted()
    try:
        return Weights.of(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        hint = "Name a file that this command wrote, or one that is not there."
        raise InputInvalid(f"{str(path)!r} holds no weights: {error}", hint=hint, path=str(path)) from error


def write(path: Path, weights: Weights | Trust) -> None:
    """One weight a line, in the order of their names. Raises InputInvalid for a file that cannot be written."""
    try:
        write_whole(path, json.dumps(asdict(weights), indent=0, sort_keys=True).encode())
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error


if __name__ == "__main__":
    sys.exit(main())

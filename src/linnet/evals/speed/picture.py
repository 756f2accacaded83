"""The picture of a run: what a longer prompt costs, and what more streams at once cost."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.errors import InputInvalid, RequestError
from linnet.evals.speed.measure import Measure
from linnet.runtime.rawloop import Spread, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OURS, _THEIRS = "#1f5a99", "#b5651d"


def check(path: Path) -> None:
    """Refuse now what would fail after minutes of measuring. Raises RequestError, or InputInvalid for the path."""
    if importlib.util.find_spec("matplotlib") is None:
        raise RequestError("a picture needs matplotlib", hint="Install it: pip install 'linnet[bench]'")
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputInvalid(f"{str(path)!r} should end in .png, .svg or .pdf", path=str(path))
    if not path.parent.is_dir() or path.is_dir():
        raise InputInvalid(f"{str(path)!r} cannot be written: there is no such folder, or it is one", path=str(path))


def draw(measures: Sequence[Measure], title: str, path: Path) -> None:
    """Write the picture to a file. Raises InputInvalid if it cannot be written."""
    drawn = figure(11, 4.6)
    left, right = drawn.subplots(1, 2)
    _prompts(left, [one for one in measures if one.name == "prefill"])
    _streams(right, [one for one in measures if one.name == "streams"])
    drawn.suptitle(title, fontsize=11)
    save(drawn, path)


def figure(width: float, height: float) -> Figure:
    """An empty one, in inches. Needs no display, and leaves no state behind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def save(drawn: Figure, path: Path) -> None:
    """Raises InputInvalid if the file cannot be written."""
    try:
        drawn.savefig(path, dpi=150)
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error


def _prompts(axes: Axes, measures: Sequence[Measure]) -> None:
    def seconds(one: Measure, rate: float) -> float:
        return one.at / rate

    _lines(axes, measures, seconds)
    axes.set(xlabel="length of the prompt (tokens)", ylabel="time to the first token (s)", title="A longer prompt")


def _streams(axes: Axes, measures: Sequence[Measure]) -> None:
    def milliseconds(one: Measure, rate: float) -> float:
        return 1_000 * one.at / rate

    _lines(axes, measures, milliseconds)
    for one in measures:
        middle = one.spread.median
        place = (one.at, milliseconds(one, middle))
        axes.annotate(
            f"{middle:.0f} tok/s", place, (-6, 7), textcoords="offset points", ha="right", fontsize=9, color=_OURS
        )
    axes.set_xscale("log", base=2)
    axes.set_xlim(left=0.6)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set(xlabel="answers at once", ylabel="one token for each of them (ms)", title="More answers at once")


def _lines(axes: Axes, measures: Sequence[Measure], cost: Callable[[Measure, float], float]) -> None:
    """Medians as points, quartiles as bars."""
    series: list[tuple[str, str, list[Spread]]] = [("linnet", _OURS, [one.spread for one in measures])]
    if measures and all(one.against for one in measures):
        series.append((measures[0].peer, _THEIRS, [spread(one.against) for one in measures]))
    for label, colour, spreads in series:
        middles = [cost(one, found.median) for one, found in zip(measures, spreads, strict=True)]
        # a high rate is a low cost
        lows = [m - cost(one, found.high) for m, one, found in zip(middles, measures, spreads, strict=True)]
        highs = [cost(one, found.low) - m for m, one, found in zip(middles, measures, spreads, strict=True)]
        bars: Any = [lows, highs]
        axes.errorbar([one.at for one in measures], middles, bars, label=label, color=colour, marker="o", capsize=3)
    axes.set_xticks([one.at for one in measures])
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    axes.grid(alpha=0.25)
    if measures:
        axes.legend(frameon=False)

"""The pictures of a report, as SVG: shares with their intervals, times, tokens, and which case is right where.

Hides scales, ticks and where labels go. Colours are classes, so that the page's style has the last word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linnet.evals.lab.findings import Findings, Row
from linnet.evals.lab.markup import Markup, element, together

WIDTH, WIDE = 500.0, 1040.0
"""Of a picture beside another, and of one by itself."""

COLOURS = 8
"""Of variants, before they come round again."""
_LABELS, _RIGHT, _ROW, _AXIS = 158.0, 58.0, 32.0, 28.0

Spot = tuple[float, float]


@dataclass(frozen=True)
class _Axis:
    """Values on a line from `left` to `right`; in logarithms where they span much."""

    low: float
    high: float
    left: float = _LABELS
    right: float = WIDTH - _RIGHT
    logs: bool = False

    def at(self, value: float) -> float:
        low, high, value = (
            (map(math.log10, (self.low, self.high, max(value, self.low))))
            if self.logs
            else (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high > low else 0.0
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def ticks(self) -> list[float]:
        if self.logs:
            span = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 3) if len(span) < 4 else (1,)
            return [t for n in span for t in (k * 10.0**n for k in steps) if self.low <= t <= self.high]
        step = _nice((self.high - self.low) / 5)
        first = math.ceil(self.low / step)
        return [step * n for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _nice(rough: float) -> float:
    base = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next((base * step for step in (1, 2, 5) if base * step >= rough), base * 10)


# --- pictures ------------------------------------------------------------------------------------


def shares(found: Findings) -> Markup:
    """The share of right answers of each variant as a point on its 95 % interval, and where the baseline is."""
    axis = _Axis(0.0, 1.0)
    bottom = _ROW * len(found.rows)
    parts = [_grid(axis, bottom, lambda value: f"{value:.0%}")]
    parts.append(_line(axis.at(found.baseline.share), 0, axis.at(found.baseline.share), bottom, "baseline"))
    for place, row in enumerate(found.rows):
        y, (low, high) = _middle(place), row.interval
        parts += [
            _label(row.variant, y),
            _line(axis.at(low), y, axis.at(high), y, f"range c{place % COLOURS}"),
            element("circle", cx=axis.at(row.share), cy=y, r=6.0, class_=f"point c{place % COLOURS}"),
            _text(f"{row.right}/{row.of}", WIDTH, y + 4, "value end"),
        ]
    return _picture("Right answers, with 95 % intervals", bottom + _AXIS, parts)


def times(found: Findings) -> Markup:
    """The seconds of each case as a point, and each variant's median as a bar."""
    spent = {name: [max(o.answer.seconds, 1e-4) for o in done] for name, done in found.outcomes.items()}
    every = [value for values in spent.values() for value in values]
    axis = _times(every, _LABELS, WIDTH - _RIGHT)
    bottom = _ROW * len(found.rows)
    parts = [_grid(axis, bottom, seconds)]
    for place, row in enumerate(found.rows):
        y = _middle(place)
        dots = [
            element("circle", cx=axis.at(value), cy=y + 7 * _scatter(n), r=3.2, class_=f"dot c{place % COLOURS}")
            for n, value in enumerate(spent[row.variant])
        ]
        middle = axis.at(row.seconds.median)
        parts += [_label(row.variant, y), *dots, _line(middle, y - 12, middle, y + 12, "median")]
        parts.append(_text(seconds(row.seconds.median), WIDTH, y + 4, "value end"))
    return _picture("Seconds of each case, and the median", bottom + _AXIS, parts)


KINDS = (("computed", "prompt, computed"), ("cached", "prompt, kept"), ("written", "written"), ("forced", "forced"))


def tokens(found: Findings) -> Markup:
    """The mean tokens of a case, by kind."""
    axis = _Axis(0.0, max(1.0, *(row.tokens.total for row in found.rows)))
    bottom = _ROW * len(found.rows)
    parts = [_grid(axis, bottom, lambda value: f"{value:,.0f}")]
    for place, row in enumerate(found.rows):
        y, at = _middle(place), 0.0
        parts.append(_label(row.variant, y))
        for kind, meaning in KINDS:
            count = getattr(row.tokens, kind)
            width = axis.at(at + count) - axis.at(at)
            title = element("title", f"{meaning}: {count:.1f}")
            bar = {"x": axis.at(at), "y": y - 9, "width": width, "height": 18.0}
            parts.append(element("rect", title, class_=f"bar {kind}", **bar))
            at += count
        parts.append(_text(f"{row.tokens.total:,.0f}", WIDTH, y + 4, "value end"))
    return _picture("Tokens of a case, by kind", bottom + _AXIS, parts)


def worth(found: Findings) -> Markup:
    """What is right against what it takes: up and to the left is better."""
    height = max(140.0, _ROW * len(found.rows))
    across = _times([row.seconds.median for row in found.rows], 50.0, WIDTH - 20)
    up = _Axis(0.0, 1.0, height, 14.0)
    parts = [_grid(across, height, seconds)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [
            _line(50, up.at(share), WIDTH - 20, up.at(share), "grid"),
            _text(f"{share:.0%}", 42, up.at(share) + 4, "tick end"),
        ]
    spots = [(across.at(row.seconds.median), up.at(row.share)) for row in found.rows]
    for place, (row, spot, label) in enumerate(zip(found.rows, spots, _apart(spots), strict=True)):
        parts += _spot(row, f"c{place % COLOURS}", spot, label, up)
    return _picture("Right answers against the median of seconds", height + _AXIS, parts)


def _spot(row: Row, colour: str, spot: Spot, label: Spot, up: _Axis) -> list[Markup]:
    (x, y), (low, high) = spot, map(up.at, row.interval)
    side, kind = (-12, "name end") if x > WIDTH * 0.6 else (12, "name")
    return [
        _line(x, low, x, high, f"whisker {colour}"),
        element("circle", cx=x, cy=y, r=7.0, class_=f"point {colour}"),
        _text(_short(row.variant, 30), label[0] + side, label[1] + 4, f"{kind} {colour}"),
    ]


def _apart(spots: Sequence[Spot]) -> list[Spot]:
    """Where their labels go: beside them; where two would meet, one above the other beside the leftmost."""
    placed: dict[int, Spot] = {}
    for n in sorted(range(len(spots)), key=lambda n: (-spots[n][1], spots[n][0])):
        x, y = spots[n]
        while met := [a for a, b in placed.values() if abs(x - a) < WIDTH * 0.45 and abs(y - b) < 15]:
            x, y = min(x, *met), y - 4
        placed[n] = (x, y)
    return [placed[n] for n in range(len(spots))]


def cases(found: Findings) -> Markup:
    """A cell for each case and variant: right, wrong, or an error."""
    count = len(found.plan.cases)
    cell = max(2.0, min(24.0, (WIDE - _LABELS - _RIGHT) / count))
    gap = 2.0 if cell > 8 else 0.4
    parts: list[Markup] = []
    for place, row in enumerate(found.rows):
        y = _middle(place)
        parts.append(_label(row.variant, y))
        for n, outcome in enumerate(found.outcomes[row.variant]):
            kind = "right" if outcome.right else "failed" if outcome.answer.error else "wrong"
            title = element("title", f"{outcome.case.id}: {outcome.fault or 'right'}")
            size = {"width": cell - gap, "height": min(24.0, max(cell, 14.0)) - gap, "rx": min(4.0, cell / 5)}
            parts.append(element("rect", title, x=_LABELS + n * cell, y=y - 11, class_=f"cell {kind}", **size))
        parts.append(_text(f"{row.right}/{row.of}", _LABELS + count * cell + 12, y + 4, "value"))
    return _picture("Which cases are right", _ROW * len(found.rows), parts, WIDE)


# --- parts ---------------------------------------------------------------------------------------


def _times(values: Sequence[float], left: float, right: float) -> _Axis:
    high, low = max(values), max(min(values), 1e-4)
    logs = high / low > 12
    return _Axis(low / 1.3 if logs else 0.0, high * 1.1, left, right, logs)


def _grid(axis: _Axis, bottom: float, name: Callable[[float], str]) -> Markup:
    lines = [
        together(
            (_line(axis.at(t), 0, axis.at(t), bottom, "grid"), _text(name(t), axis.at(t), bottom + 20, "tick mid"))
        )
        for t in axis.ticks()
    ]
    return together(lines)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)


def _text(content: str, x: float, y: float, kind: str) -> Markup:
    return element("text", content, x=float(x), y=float(y), class_=kind)


def _label(name: str, y: float) -> Markup:
    return element("text", _short(name, 21), element("title", name), x=0.0, y=y + 4, class_="name")


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _middle(place: int) -> float:
    return _ROW * place + _ROW / 2


def _scatter(number: int) -> float:
    """Up and down, so that points of equal value can be told apart: between -1 and 1, evenly (golden ratio)."""
    return 2 * ((number * 0.618034) % 1.0) - 1


def seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.3g} s"


def _picture(title: str, height: float, parts: Sequence[Markup], width: float = WIDTH) -> Markup:
    box = f"0 0 {width:.0f} {math.ceil(height)}"
    return element("svg", element("title", title), *parts, viewBox=box, role="img", class_="chart")

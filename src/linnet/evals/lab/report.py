"""The report of a run: one HTML file with its pictures, which opens without network and runs no script.

Hides the page. Its content policy allows its own style, by digest, and nothing else: not even what an answer could
smuggle in would be loaded or run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from linnet.evals.lab import chart
from linnet.evals.lab.answer import Outcome
from linnet.evals.lab.findings import Findings, Row
from linnet.evals.lab.markup import Markup, element, together
from linnet.requests import Choice, Pattern, Schema

_SHOWN = 4_000
"""Characters of one answer that the page shows."""


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def page(found: Findings, about: str) -> str:
    """The whole file; `about` is the line below the title: machine, date, what was asked."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{found.plan.name}: prompt lab"),
        element("style", Markup(_style())),
    )
    body = element("body", element("main", *_body(found, about)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _body(found: Findings, about: str) -> list[Markup]:
    named = element("div", element("h1", found.plan.name), element("p", about, class_="soft"))
    pictures = element(
        "div",
        _panel("Right answers", "Point: share. Band: 95 % interval. Dashed: the baseline.", chart.shares(found)),
        _panel("Right answers for their time", "Up and to the left is better.", chart.worth(found)),
        _panel("Time", "A point for each case; the bar is the median.", chart.times(found)),
        _panel("Tokens of a case", "", _legend(chart.KINDS), chart.tokens(found)),
        _panel("Case by case", "", _legend(_MARKS), chart.cases(found), wide=True),
        _panel("Side by side", _sides(found), _table(found), wide=True),
        _panel("What was tried", "", _tried(found), wide=True),
        _panel("Answers", "Those that the variants do not agree on come first.", _answers(found), wide=True),
        class_="grid",
    )
    made = "Made by linnet prompt. This file is complete: it loads nothing and runs nothing."
    return [element("header", named, _theme()), _verdict(found), pictures, element("footer", made)]


def _panel(title: str, about: str, *content: Markup, wide: bool = False) -> Markup:
    told = element("p", about, class_="about") if about else Markup()
    return element("section", element("h2", title), told, *content, class_="panel wide" if wide else "panel")


def _theme() -> Markup:
    choices = [
        element(
            "label",
            element("input", type="radio", name="theme", id=name, checked="" if name == "auto" else None),
            name,
        )
        for name in ("auto", "light", "dark")
    ]
    return element("div", *choices, class_="theme", role="radiogroup", aria_label="Colours")


_MARKS = (("right", "right"), ("wrong", "wrong"), ("failed", "error"))


def _legend(kinds: Sequence[tuple[str, str]]) -> Markup:
    return element(
        "div", *(element("span", element("i", class_=kind), name) for kind, name in kinds), class_="legend"
    )


# --- words ---------------------------------------------------------------------------------------


def _verdict(found: Findings) -> Markup:
    """The best variant, and whether that is more than luck."""
    best = max(found.rows, key=lambda row: (row.share, -row.seconds.median))
    low, high = best.interval
    said = f" is right in {best.right} of {best.of} cases ({best.share:.0%}; 95 % interval {low:.0%} to {high:.0%})"
    parts: list[object] = [element("b", best.variant), said]
    if best.contrast is None:
        parts.append(", and no other variant is right more often." if len(found.rows) > 1 else ".")
    elif best.contrast.verdict == "better":
        p = _p(best.contrast.adjusted)
        parts += [
            ", more than ",
            element("b", found.plan.baseline),
            f" ({found.baseline.right}): {p} on the same cases.",
        ]
    else:
        p = _p(best.contrast.adjusted)
        parts += [". That it is better than ", element("b", found.plan.baseline)]
        parts.append(f" ({found.baseline.right}) does not show with so few cases ({p}).")
    return element("p", *parts, class_="verdict")


def _sides(found: Findings) -> str:
    return (
        f"Each against {found.plan.baseline} on the same cases: cases gained and lost, McNemar's exact p, adjusted "
        "for the number of comparisons (Holm), and the median of the ratios of times with its 95 % interval."
    )


_HEADINGS = ("variant", "right", "95 %", "gained", "lost", "p", "", "median", "times baseline", "tokens", "errors")


def _table(found: Findings) -> Markup:
    head = element("tr", *(element("th", name, class_="" if name in ("variant", "") else "n") for name in _HEADINGS))
    return element("table", element("thead", head), element("tbody", *map(_row, found.rows)))


def _row(row: Row) -> Markup:
    low, high = row.interval
    told = [f"{row.right}/{row.of}", f"{low:.0%} – {high:.0%}"]
    word = Markup()
    if row.contrast is None:
        told += ["", "", ""]
        word, ratio = element("td", "baseline", class_="soft"), ""
    else:
        one = row.contrast
        told += [f"+{one.gained}", f"−{one.lost}", _p(one.adjusted).removeprefix("p\u00a0=\u00a0")]
        word = element("td", one.verdict, class_={"better": "better", "worse": "worse"}.get(one.verdict, "soft"))
        ratio = f"{one.seconds.median:.2f} ({one.seconds.low:.2f} – {one.seconds.high:.2f})"
    after = [chart.seconds(row.seconds.median), ratio, f"{row.tokens.total:,.0f}", str(row.errors or "")]
    cells = [*(element("td", cell, class_="n") for cell in told), word]
    cells += [element("td", cell, class_="n") for cell in after]
    return element("tr", element("td", row.variant, class_="name"), *cells)


def _p(value: float) -> str:
    return "p\u00a0<\u00a00.0001" if value < 0.0001 else f"p\u00a0=\u00a0{value:.2g}"


def _tried(found: Findings) -> Markup:
    parts: list[Markup] = []
    for variant in found.plan.variants:
        content = variant.content()
        texts = [f"{kind}: {text}" for kind, text in content["prompt"].items() if text]
        knobs = [f"{name} {value}" for name, value in content["settings"].items() if value not in ((), 0, 1.0)]
        constraint = variant.notation.constraint
        form = variant.notation.by if constraint is None else f"{constraint.kind} {_json(_inside(constraint))}"
        told = element("pre", "\n".join(texts)), element("p", " · ".join([form, variant.model, *knobs]))
        parts += [element("dt", variant.name), element("dd", *told)]
    return element("dl", *parts)


def _inside(constraint: Choice | Pattern | Schema) -> object:
    return next(value for name, value in vars(constraint).items() if name in ("options", "regex", "schema"))


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 600 else f"{text[:599]}…"


# --- answers -------------------------------------------------------------------------------------


def _answers(found: Findings) -> Markup:
    """Case by case; first those on which the variants differ, then those that all get wrong."""
    by_case = list(zip(*found.outcomes.values(), strict=True))
    by_case.sort(key=lambda outcomes: (len({o.right for o in outcomes}) == 1, all(o.right for o in outcomes)))
    return element("div", *map(_case, by_case))


def _case(outcomes: Sequence[Outcome]) -> Markup:
    case, right = outcomes[0].case, sum(outcome.right for outcome in outcomes)
    asked = case.values.get("text") or ", ".join(f"{name}: {value}" for name, value in case.values.items())
    summary = element(
        "summary",
        element("b", case.id),
        element("span", asked, class_="ask"),
        element("span", f"{right} of {len(outcomes)} right", class_="count"),
    )
    return element("details", summary, element("table", element("tbody", *map(_answer, outcomes))))


def _answer(outcome: Outcome) -> Markup:
    mark = element("span", "✓" if outcome.right else "✗", class_=f"mark {'right' if outcome.right else 'wrong'}")
    said = [element("pre", _said(outcome))]
    if outcome.fault:
        said.append(element("p", outcome.fault, class_="why"))
    if outcome.answer.notes:
        said.append(element("p", "; ".join(outcome.answer.notes), class_="soft"))
    spent = f"{chart.seconds(outcome.answer.seconds)}{' (kept)' if outcome.kept else ''}"
    cells = (element("td", mark), element("td", outcome.variant.name, class_="name"), element("td", *said))
    return element("tr", *cells, element("td", spent, class_="n soft"))


def _said(outcome: Outcome) -> str:
    answer = outcome.answer
    parts = [answer.written or answer.text]
    if answer.calls:
        parts += [
            f"→ {call['name']}({', '.join(f'{k}={_json(v)}' for k, v in call['arguments'].items())})"
            for call in answer.calls
        ]
    elif outcome.variant.notation.calls and answer.error is None:
        parts.append("→ no call")
    text = "\n".join(filter(None, parts))
    return text if len(text) <= _SHOWN else together((text[:_SHOWN], "…"))

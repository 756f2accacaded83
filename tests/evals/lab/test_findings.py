"""What a run has found, and the page that tells it: from made-up outcomes, hostile ones among them."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from linnet.errors import DeadlineExceeded
from linnet.evals.lab.answer import Answer, Outcome, judged
from linnet.evals.lab.check import Exact
from linnet.evals.lab.findings import Findings, findings
from linnet.evals.lab.markup import element, text
from linnet.evals.lab.plan import Case, Plan, Prompt, Variant
from linnet.evals.lab.report import page
from linnet.requests import Usage

HOSTILE = '</pre><script>alert(1)</script><img src="https://evil.example/x">\u202e\x1b[2J&'


def found(marks: dict[str, str], seconds: dict[str, float] | None = None, said: str = "") -> Findings:
    """Findings of variants by `{"name": "yyn"}`: right or not, case by case."""
    variants = tuple(Variant(name, Prompt(system="Be short.")) for name in marks)
    cases = tuple(
        Case(f"c{n}", {"text": f"ask {n}"}, (Exact(("yes",)),)) for n in range(len(next(iter(marks.values()))))
    )
    plan = Plan("A plan", variants, cases, variants[0].name)
    done = [
        _outcome(variant, case, mark, (seconds or {}).get(variant.name, 1.0), said)
        for variant in variants
        for case, mark in zip(cases, marks[variant.name], strict=True)
    ]
    return findings(plan, done)


def _outcome(variant: Variant, case: Case, mark: str, seconds: float, said: str) -> Outcome:
    usage = Usage(10, 4, 6, 2)
    if mark == "e":
        answer = Answer(error=DeadlineExceeded("its time is up").describe(), seconds=seconds)
    else:
        answer = Answer("yes" if mark == "y" else said or "no", usage=usage, seconds=seconds)
    return judged(variant, case, answer, ())


def test_a_variant_in_numbers() -> None:
    (row,) = found({"a": "yyne"}).rows
    assert (row.right, row.of, row.share, row.errors, row.contrast) == (2, 4, 0.5, 1, None)
    assert row.interval[0] < 0.5 < row.interval[1]
    assert row.tokens.total == pytest.approx((10 + 6) * 3 / 4) and row.tokens.cached == 3


def test_each_is_held_against_the_baseline_on_the_same_cases() -> None:
    done = found({"a": "n" * 8 + "yy", "b": "y" * 10, "c": "n" * 8 + "yn"}, {"a": 2.0, "b": 1.0, "c": 6.0})
    b, c = (row.contrast for row in done.rows[1:])
    assert b is not None and c is not None
    assert (b.gained, b.lost, b.p, b.adjusted, b.verdict) == (8, 0, 2 / 2**8, 2 * 2 / 2**8, "better")
    assert (c.gained, c.lost, c.verdict, c.adjusted) == (0, 1, "no difference shown", 1.0)
    assert (b.seconds.median, c.seconds.median) == (0.5, 3.0)


def test_what_helps_one_variant_of_many_is_no_news() -> None:
    """The same p as alone, and no verdict beside seven others."""
    alone = found({"a": "n" * 7, "b": "y" * 7}).rows[1].contrast
    many = found({"a": "n" * 7, **{f"v{n}": "y" * 7 if n == 0 else "n" * 7 for n in range(8)}}).rows[1].contrast
    assert alone is not None and many is not None and alone.p == many.p
    assert (alone.verdict, many.verdict) == ("better", "no difference shown")


def test_a_run_that_is_not_whole_has_no_findings() -> None:
    done = found({"a": "yy"})
    with pytest.raises(KeyError):
        findings(done.plan, done.outcomes["a"][:1])


def test_a_right_answer_that_is_an_error_is_none() -> None:
    variant, case = Variant("a"), Case("c", {}, ())
    assert judged(variant, case, Answer(error=DeadlineExceeded("late").describe()), ()).fault.startswith("deadline_")


# --- the page ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Elements with their attributes, and that each which was begun is ended."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_complete_in_itself_whatever_was_answered() -> None:
    done = found({HOSTILE: "yn", "b": "ne"}, said=HOSTILE)
    html = page(replace(done, plan=replace(done.plan, name=HOSTILE)), HOSTILE)
    read = Page(html)
    tags = {tag for tag, _ in read.seen}
    assert tags.isdisjoint({"script", "img", "link", "iframe", "object", "form", "base", "a", "use", "image"})
    for tag, given in read.seen:
        assert given.keys().isdisjoint({"src", "href", "style", "srcset", "action"}), tag
        assert not [name for name in given if name.startswith("on")], tag
    assert not re.search("[\x1b\u202e]", html) and "url(" not in html and "@import" not in html
    assert "alert(1)" in "".join(read.texts), "what was answered is shown, as text"


def test_its_policy_is_its_own_style_and_nothing_else() -> None:
    html = page(found({"a": "yn", "b": "yy"}), "about")
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(given["content"] for _, given in Page(html).seen if given.get("http-equiv"))
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_all_of_it_is_told() -> None:
    read = Page(page(found({"a": "nnnnnnny", "b": "yyyyyyyn"}), "24 cases"))
    said = " ".join(read.texts)
    assert "is right in 7 of 8 cases" in said and "does not show with so few cases" in said
    assert sum(given.get("class") == "chart" for _, given in read.seen) == 5
    assert sum(str(given.get("class")).startswith("cell ") for _, given in read.seen) == 16
    assert {"ask 0", "ask 7", "+7", "−1"} <= set(read.texts)


@pytest.mark.parametrize("count", [1, 64])
def test_one_variant_and_the_most(count: int) -> None:
    Page(page(found({f"v{n}": "y" for n in range(count)}, {"v0": 0.0}), ""))


def test_markup_escapes_what_it_did_not_make() -> None:
    inner = element("b", "<i>", title='"')
    assert inner == '<b title="&quot;">&lt;i&gt;</b>' and element("p", inner, "&") == f"<p>{inner}&amp;</p>"
    assert text("a\x00b\ud800") == "a\\x00b\\ud800"
    assert element("line", x1=1.50, y1=2.0) == '<line x1="1.5" y1="2"/>'

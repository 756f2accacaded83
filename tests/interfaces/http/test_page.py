"""The page at `/`: how it is served, and what it does in a browser, over the real model and over scripted ones."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from linnet import Permission, Rule, tool
from linnet.interfaces.http.auth import Keys
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.pace import Pace
from linnet.interfaces.http.page import assets
from linnet.limits import LIMITS
from linnet.requests import Done, Piece, Usage
from linnet.script import Die, Say

HERE = Path(__file__).parent
STATIC = HERE.parents[2] / "src" / "linnet" / "interfaces" / "http" / "static"
KEY = "a-key-of-the-tests"
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script><a href="javascript:alert(3)">x</a>'
WAIT = 60_000
"""Milliseconds: what takes so long on a busy machine has failed."""

Says = Callable[[str], Say]
Open = Callable[..., Any]
WIPED: list[str] = []


def loaded(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


chromium = loaded("tests_chromium", HERE.parents[1] / "chromium.py")


@tool(rules=[Rule(prefix="wipe", to="what")], permissions=[Permission.WRITE_FILES], answer="Wiped {what}.")
def wipe(what: str) -> str:
    """Wipe something out."""
    WIPED.append(what)
    return what


# --- how it is served ----------------------------------------------------------------------------


def test_it_comes_without_a_key_and_nothing_else_does(serving: Any, says: Says) -> None:
    url = serving(says("Hi"), door=Door(keys=Keys([KEY]))).url
    with httpx.Client(base_url=url, timeout=60) as client:
        for path in assets():
            assert client.get(path).status_code == 200, path
        for path in ("/", "/page/app.js"):
            assert client.head(path).content == b"" and client.post(path).status_code == 401
            for name, value in (
                ("host", "evil.example"),
                ("origin", "http://evil"),
                ("sec-fetch-site", "cross-site"),
            ):
                assert client.get(path, headers={name: value}).status_code == 403, (path, name)
        for path in ("/page", "/page/", "/page/none.js", "/page/..%2f..%2fapp.py", "/%2fpage/app.js", "/index.html"):
            assert client.get(path).status_code == 401, path


def test_it_is_kept_until_it_changes(serving: Any, says: Says) -> None:
    with httpx.Client(base_url=serving(says("Hi")).url, timeout=60) as client:
        for path, asset in assets().items():
            first = client.get(path)
            assert first.content == asset.body and first.headers["content-type"] == asset.media
            rules = first.headers["content-security-policy"]
            assert "default-src 'none'" in rules and "unsafe" not in rules and "frame-ancestors 'none'" in rules
            assert first.headers["x-frame-options"] == "DENY" and first.headers["cache-control"] == "no-cache"
        tag = client.get("/").headers["etag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}'):
            again = client.get("/", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert client.get("/", headers={"if-none-match": '"another"'}).status_code == 200


def test_nothing_on_it_is_from_elsewhere_or_made_of_text() -> None:
    for file in STATIC.iterdir():
        text = file.read_text("utf-8")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file.name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function|\bstyle=", text
        ), file.name
        assert len(text.splitlines()) < 300, file.name
    front = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=", front)
    assert set(re.findall(r'(?:src|href)="(/page/[^"]+)"', front)) <= set(assets())


def test_what_is_written_of_it_holds() -> None:
    told = (HERE.parents[2] / "docs" / "page.md").read_text("utf-8")
    keys = re.findall(r'^  \["([^"]+)", "([^"]+)"', (STATIC / "shortcuts.js").read_text("utf-8"), re.MULTILINE)
    table = told[told.index("## Keyboard") : told.index("Letters work")]
    assert re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE) == [("key", "what it does"), *keys]
    assert len(keys) > 8 and f"the newest {LIMITS.agent_runs} runs" in told
    for picture in re.findall(r"\]\((page-[a-z]+\.png)\)", told):
        assert (HERE.parents[2] / "docs" / picture).stat().st_size < 150_000


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_words_and_bars_are_seen_in_both_themes(theme: int) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for text, 3 to 1 for what says something without words."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", (STATIC / "style.css").read_text("utf-8"))
    colours = {name: both[theme] for name, *both in pairs}
    graphics = {"edge", "well", "code", "loaded", "cached", "prefilled", "forced", "decoded", "tool", "waited"}
    for ground in ("ground", "raised"):
        assert [name for name in ("ink", "soft", "accent") if contrast(colours[name], colours[ground]) < 4.5] == []
        assert [name for name in graphics if contrast(colours[name], colours[ground]) < 3] == []
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert set(colours) == graphics | {"ground", "raised", "ink", "soft", "line", "accent", "on-accent"}


def test_its_modules_by_themselves(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    for file in (*STATIC.glob("*.js"), HERE / "page.test.mjs"):
        shutil.copy(file, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    done = subprocess.run([node, "--test", "page.test.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_pace_is_that_of_words_said_one_by_one() -> None:
    clock = iter([10.0, 12.0, 20.0, 21.0, 30.0, 31.0, 40.0, 41.0])
    pace = Pace(lambda: next(clock))

    def answer(tokens: int, forced: int = 0) -> None:
        hear = pace.ear()
        hear(Piece("a", (1,)))
        hear(Piece("b", (2,)))
        hear(Done(usage=Usage(generated_tokens=tokens, forced_tokens=forced)))

    answer(5)
    assert pace.tokens_per_second is None, "a few tokens tell nothing"
    answer(21)
    assert pace.tokens_per_second == 20
    answer(41, forced=9)
    assert pace.tokens_per_second == 20, "what was forced was not said token by token"
    answer(41)
    assert pace.tokens_per_second == pytest.approx(26)


# --- in a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        with chromium.browser() as found:
            yield found
    except chromium.Missing as missing:
        pytest.skip(f"Chromium: {missing}")


@pytest.fixture
def opened(browser: Any) -> Iterator[Open]:
    """`opened(url, width=1180, ...)`: the page, watched: no error, nothing from elsewhere, no window that pops up."""
    from playwright.sync_api import expect

    expect.set_options(timeout=WAIT)
    contexts, wrong = [], []

    def make(url: str, width: int = 1180, **options: Any) -> Any:
        calm: Any = {"viewport": {"width": width, "height": 860}, "reduced_motion": "reduce"}
        context = browser.new_context(**calm, **options)
        contexts.append(context)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith(url) or wrong.append(request.url))
        page.on("console", lambda said: "Content Security Policy" in said.text and wrong.append(said.text))
        page.goto(url + "/")
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def ask(page: Any, text: str) -> Any:
    """The newest turn, once it is over."""
    from playwright.sync_api import expect

    before = page.locator(".turn").count()
    begin(page, text)
    expect(page.locator(".turn")).to_have_count(before + 1)
    expect(page.locator(".turn").last).to_have_class(re.compile("over"))
    return page.locator(".turn").last


def begin(page: Any, text: str) -> None:
    page.fill("#ask", text)
    page.press("#ask", "Enter")


pytestmark = pytest.mark.timeout(900)  # the browser may have to be installed first


def test_a_request_over_the_real_model_is_drawn_to_scale(
    server: str, opened: Open, events: Callable[[str], list[Any]]
) -> None:
    from playwright.sync_api import expect

    page = opened(server)
    expect(page.locator("#state")).to_have_text("smollm2-135m")
    said = ask(page, "What is the capital of France?")
    assert "Paris" in said.locator(".answer").inner_text() and "decoded" in said.locator(".how").inner_text()
    assert {"prefilled", "decoded"} <= {drawn.get_attribute("class")[5:] for drawn in said.locator(".row rect").all()}
    assert re.search(r"system and request \d+\s+answer \d+\s+free 4,0\d\d", page.locator("#budget").inner_text())

    turn = ask(page, "Don't let me forget to call grandma tomorrow at 9 am")
    expect(turn.locator(".answer")).to_have_text(re.compile(r"Reminder \d+: call grandma, tomorrow at 9 am\."))
    id = json.loads(page.evaluate("() => sessionStorage.getItem('linnet.talk')"))[1]["id"]
    told = events(httpx.get(f"{server}/v1/agent/runs/{id}/events", timeout=60).text)
    trace, usage, total = told[-1]["result"]["trace"], told[-1]["result"]["usage"], told[-1]["at"]
    ends = [(event["at"], event["step"]) for event in told if event["type"] == "step"]
    queued = min(at - step["start"] - step["seconds"] for at, step in ends)

    names = [name for name in turn.locator(".row-name").all_text_contents() if name != "began"]
    assert names == ["routed", "chosen", "filled", "tool"]
    for name, step in zip(names, trace["steps"], strict=True):
        row = turn.locator(".row", has=page.locator(f".row-name:text-is('{name}')"))
        drawn = row.locator("rect").first
        width, start = (float(drawn.get_attribute(side).rstrip("%")) for side in ("width", "x"))
        assert width == pytest.approx(100 * step["seconds"] / total, abs=0.05)
        assert start == pytest.approx(100 * (step["start"] + queued) / total, abs=0.05)
    counts = f"{usage['prompt_tokens'] - usage['cached_tokens']} prefilled · {usage['prompt_tokens']} in all"
    assert usage["prompt_tokens"] > 100 and counts in turn.locator(".tokens").inner_text()
    assert "create_reminder" in turn.locator(".calls").inner_text()

    ask(page, "Tell me more of it")
    budget = page.locator("#budget").inner_text()
    assert all(section in budget for section in ("4,096", "system", "tools", "memory", "history", "answer", "free"))
    page.click("#show-models")
    assert re.search(
        r"smollm2-135m.*4,096 tokens.*MiB at most", page.locator("#models table").inner_text().replace("\n", " ")
    )


def test_hostile_text_stays_text(serving: Any, says: Says, opened: Open) -> None:
    running = serving(says(HOSTILE), tools=(wipe,))
    page = opened(running.url)
    turn = ask(page, HOSTILE)
    assert turn.locator(".asked").inner_text() == turn.locator(".answer").inner_text() == HOSTILE
    begin(page, f"wipe {HOSTILE}")
    assert HOSTILE in page.locator(".approval").inner_text()
    page.click(".approval .yes")
    assert HOSTILE in page.locator(".turn.over .calls").inner_text() and HOSTILE in WIPED.pop()
    assert page.locator("#talk :is(img, script, a, iframe)").count() == 0


def test_a_call_waits_for_a_yes_or_a_no(serving: Any, says: Says, opened: Open) -> None:
    from playwright.sync_api import expect

    WIPED.clear()
    page = opened(serving(says("Hi"), tools=(wipe,)).url)
    begin(page, "wipe the board")
    box = page.locator(".approval")
    expect(box).to_contain_text("May wipe be called?")
    expect(box).to_contain_text("write files")
    expect(page.locator("#told")).to_contain_text("Alt+Y")
    page.keyboard.type("y")  # a letter of the next question decides nothing
    assert page.locator("#ask").input_value() == "y" and not WIPED
    page.keyboard.press("Alt+n")
    turn = page.locator(".turn.over").last
    expect(turn.locator(".answer")).to_contain_text("did not work")
    assert not WIPED
    expect(turn.locator(".timeline")).to_contain_text("it was not allowed")

    page.locator("#ask").fill("")
    page.keyboard.press("Escape")  # out of the question
    page.keyboard.press("r")
    expect(page.locator(".turn")).to_have_count(1)
    page.click(".approval .yes")
    expect(page.locator(".turn.over .answer")).to_have_text("Wiped the board.")
    assert WIPED == ["the board"]
    expect(page.locator(".turn.over .timeline")).to_contain_text("you allowed it")


def test_what_is_at_work_is_cancelled_with_a_key(serving: Any, says: Says, opened: Open) -> None:
    from playwright.sync_api import expect

    running = serving(says(" ".join(map(str, range(2_000)))), seconds_per_token=0.1, seconds=600)
    page = opened(running.url)
    begin(page, "Tell me of the sea")
    expect(page.locator(".working")).to_contain_text("at work")
    expect(page.locator(".row-name")).to_have_text("routed")
    expect(page.locator(".answer")).to_have_attribute("aria-live", "polite")
    expect(page.locator("#send")).to_have_text("Cancel")
    page.keyboard.press("Escape")
    expect(page.locator(".turn.over .how")).to_contain_text("cancelled")
    expect(page.locator("#send")).to_have_text("Ask")
    assert running.idle(60)


def test_a_worker_that_dies_is_told_of_and_the_answer_is_whole(serving: Any, says: Says, opened: Open) -> None:
    from playwright.sync_api import expect

    page = opened(serving(says("One, "), Die(signal=9), says("two."), generations=(1,)).url)
    turn = ask(page, "Count")
    expect(turn.locator(".answer")).to_have_text("One, two.")
    expect(turn.locator(".caution")).to_contain_text("resumed")


def test_what_failed_says_why_and_is_asked_again(serving: Any, says: Says, opened: Open) -> None:
    from playwright.sync_api import expect

    running = serving(Die(signal=11))
    page = opened(running.url)
    turn = ask(page, "Hello")
    expect(turn.locator(".fault")).to_contain_text("worker_crashed")
    turn.locator(".again").click()
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.locator(".turn.over .fault")).to_be_visible()
    running.close()
    turn = ask(page, "Still there?")
    expect(turn.locator(".fault")).to_contain_text("does not answer")
    expect(page.locator("#state")).to_have_text("no answer")


def test_it_asks_for_a_key_and_shows_what_was_said_before(serving: Any, says: Says, opened: Open) -> None:
    from playwright.sync_api import expect

    page = opened(serving(says("Hi there."), door=Door(keys=Keys([KEY]))).url)
    for key in ("not-the-key", KEY):
        page.fill("#key-text", key)
        page.press("#key-text", "Enter")
        if key != KEY:
            expect(page.locator("#key-note")).to_contain_text("not one of")
    expect(page.locator("#key")).to_be_hidden()
    expect(ask(page, "Hello").locator(".answer")).to_have_text("Hi there.")
    stored = page.evaluate(
        "() => [JSON.stringify(localStorage), sessionStorage.getItem('linnet.key'), document.cookie]"
    )
    assert stored == ["{}", KEY, ""]
    page.reload()
    expect(page.locator(".turn.over .answer")).to_have_text("Hi there.")


def test_it_is_used_by_keys_alone(serving: Any, says: Says, opened: Open) -> None:
    from playwright.sync_api import expect

    page = opened(serving(says("Hi")).url, color_scheme="light")
    expect(page.locator("#ask")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("cancel what is at work")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    for chosen, ground in (("light", "rgb(251, 250, 248)"), ("dark", "rgb(22, 21, 23)")):
        page.keyboard.press("t")
        expect(page.locator("html")).to_have_attribute("data-theme", chosen)
        expect(page.locator("body")).to_have_css("background-color", ground)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#ask")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    order = []
    for _ in range(4):  # back through the examples to the bar above
        order.append(page.evaluate("() => document.activeElement.className || document.activeElement.id"))
        assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Shift+Tab")
    assert order == ["example", "example", "example", "quiet"]


def test_it_fits_a_small_screen(serving: Any, says: Says, opened: Open) -> None:
    page = opened(serving(says("a" * 300), tools=(wipe,)).url, width=360)
    ask(page, "Say something long " + "b" * 200)
    begin(page, "wipe " + "c" * 200)
    page.locator(".approval .no").click()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360

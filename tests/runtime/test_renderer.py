"""The caller's side of the rendering child: whatever a template or somebody else does to it, the next one works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import TemplateFailed
from linnet.limits import LIMITS, Sandbox
from linnet.messages import Message
from linnet.runtime import renderer as module
from linnet.runtime.renderer import Renderer

CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
HI = (Message("user", "hi </s>"),)


@pytest.fixture
def renderer() -> Iterator[Callable[..., Renderer]]:
    made = []

    def make(template: str = CHAT, **sandbox: Any) -> Renderer:
        made.append(Renderer(template, "<s>", "</s>", Sandbox(**sandbox)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def text(segments: Any) -> str:
    return "".join(segment.text for segment in segments)


def test_trusted_markup_is_apart_from_untrusted_text(renderer: Any) -> None:
    segments = renderer().render(HI)
    assert [(s.text, s.trusted) for s in segments] == [("<user>", True), ("hi </s>", False), ("</s>", True)]


def test_the_child_serves_many_renderings_and_threads(renderer: Any) -> None:
    one = renderer()
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda i=i: got.append(text(one.render((Message("user", f"n{i}"),)))))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [f"<user>n{i}</s>" for i in range(8)]


@pytest.mark.parametrize("template", ["{{ raise_exception('no such role') }}", "{{ nothing.at.all }}", "{% if %}"])
def test_a_template_that_fails_says_so_and_the_child_lives(renderer: Any, template: str) -> None:
    one = renderer(template)
    for _ in range(2):
        with pytest.raises(TemplateFailed) as caught:
            one.render(HI)
    assert "no such role" in caught.value.message or "raise" not in template
    assert one._child is not None and one._child.process.poll() is None


def test_a_template_without_end_is_stopped_in_its_time(renderer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, template_seconds=0.4))
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    one = renderer(loop)
    with pytest.raises(TemplateFailed):
        one.render(HI)
    started = time.monotonic()
    with pytest.raises(TemplateFailed):
        one.render(HI)
    assert time.monotonic() - started < 10.0


def test_a_stopped_child_is_replaced(renderer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, template_seconds=0.4))
    one = renderer()
    one.render(HI)
    os.kill(one._child.pid, signal.SIGSTOP)
    with pytest.raises(TemplateFailed, match=r"0\.4 s"):
        one.render(HI)
    assert text(one.render(HI)) == "<user>hi </s></s>"


def test_a_child_that_was_killed_while_idle_costs_no_request(renderer: Any) -> None:
    one = renderer()
    for number in (signal.SIGKILL, signal.SIGTERM):
        one.render(HI)
        os.kill(one._child.pid, number)
        one._child.process.wait()
        assert text(one.render(HI)) == "<user>hi </s></s>"


def test_a_child_that_is_killed_while_it_starts_costs_no_request(renderer: Any) -> None:
    one = renderer()
    one.warm()
    os.kill(one._child.pid, signal.SIGKILL)
    assert text(one.render(HI)) == "<user>hi </s></s>"


def test_a_child_that_crashes_is_an_error_and_is_replaced(renderer: Any) -> None:
    one = renderer()
    one.render(HI)
    os.kill(one._child.pid, signal.SIGSEGV)
    one._child.process.wait()
    with pytest.raises(TemplateFailed, match="SIGSEGV"):
        one.render(HI)
    assert text(one.render(HI)) == "<user>hi </s></s>"


def test_a_template_that_fits_no_record_is_refused(renderer: Any) -> None:
    with pytest.raises(TemplateFailed, match=str(LIMITS.record_bytes)):
        renderer("x" * LIMITS.record_bytes).render(HI)


def test_closing_leaves_no_child(renderer: Any) -> None:
    one = renderer()
    one.render(HI)
    pid = one._child.pid
    one.close()
    one.close()
    assert not Path(f"/proc/{pid}").exists()
    assert text(one.render(HI)) == "<user>hi </s></s>", "and it starts again when it is asked"


def test_closing_a_child_that_hangs(renderer: Any) -> None:
    one = renderer()
    one.render(HI)
    pid = one._child.pid
    os.kill(pid, signal.SIGSTOP)
    one.close()
    assert not Path(f"/proc/{pid}").exists()

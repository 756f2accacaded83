"""The caller's side of the rendering child: whatever a template or somebody else does to it, the next one works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import DeadlineExceeded, RequestError, TemplateFailed, ToolsUnsupported, WorkerHung
from linnet.limits import LIMITS, Sandbox
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.protocol import Rendered
from linnet.runtime import renderer as module
from linnet.runtime import silence
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


def text(rendered: Rendered) -> str:
    return "".join(segment.text for segment in rendered.segments)


def test_trusted_markup_is_apart_from_untrusted_text(renderer: Any) -> None:
    segments = renderer().render(HI).segments
    assert [(s.text, s.trusted) for s in segments] == [("<user>", True), ("hi </s>", False), ("</s>", True)]


LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})


def test_tools_options_and_a_begun_answer_reach_the_template(renderer: Any) -> None:
    one = renderer(
        "{{ tools | tojson if tools }}{{ effort }}" + CHAT + "{{ '<assistant>' if add_generation_prompt }}"
    )
    call = ToolCall("look", {"at": "</s>"})
    said = (*HI, Message("assistant", "", calls=(call,)), Message("tool", "rain"), Message("assistant", "It "))
    rendered = one.render(said, tools=(LOOK,), options={"effort": "low"}, continues=True)
    assert text(rendered).startswith('[{"type": "function", "function": {"name": "look"')
    assert text(rendered).endswith("]low<user>hi </s></s><assistant>"
        '{"name": "look", "arguments": {"at": "</s>"}}</s><tool>rain</s><assistant>It ')  # fmt: skip
    assert rendered.notes == ("the chat template has no place for tool calls: they are told as plain text",)
    assert one.render(HI).notes == ()


def test_tools_that_have_no_place_are_refused(renderer: Any) -> None:
    with pytest.raises(ToolsUnsupported, match="no place"):
        renderer().render(HI, tools=(LOOK,))


@pytest.mark.parametrize("name", ["messages", "tools", "add_generation_prompt", "bos_token", "strftime_now"])
def test_an_option_does_not_take_the_place_of_the_request(renderer: Any, name: str) -> None:
    with pytest.raises(RequestError, match=f"'{name}' is no option"):
        renderer().render(HI, options={name: "x"})


@pytest.mark.parametrize("more", [{"tools": (ToolSpec("\ud800"),)}, {"options": {"x": object()}}])
def test_what_is_no_json_is_refused_and_the_child_lives(renderer: Any, more: dict[str, Any]) -> None:
    one = renderer(CHAT)
    with pytest.raises(RequestError, match="cannot be written as JSON"):
        one.render(HI, **more)
    assert text(one.render(HI)) == "<user>hi </s></s>"


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


def test_what_nests_one_level_too_deep_is_refused_before_the_child_sees_it(renderer: Any) -> None:
    one, most = renderer("{{ x | tojson if x }}" + CHAT), LIMITS.schema_depth
    one.render(HI, options={"x": deep(most - 1)})
    for far in ({"options": {"x": deep(most)}}, {"tools": (ToolSpec("t", "", {"x": deep(most)}),)}):
        with pytest.raises(RequestError, match=f"deeper than {most} levels"):
            one.render(HI, **far)
    with pytest.raises(RequestError, match=f"deeper than {most} levels"):
        one.render((Message("assistant", "", calls=(ToolCall("t", {"x": deep(most)}),)),))


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
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, template_seconds=1.5))
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    one = renderer(loop)
    with pytest.raises(TemplateFailed):
        one.render(HI)
    started = time.monotonic()
    with pytest.raises(TemplateFailed):
        one.render(HI)
    assert time.monotonic() - started < 60.0


def test_a_stopped_child_is_replaced(renderer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, template_seconds=1.5))
    one = renderer()
    one.render(HI)
    os.kill(one._child.pid, signal.SIGSTOP)
    with pytest.raises(TemplateFailed, match=r"1\.5 s"):
        one.render(HI)
    assert text(one.render(HI)) == "<user>hi </s></s>"


def test_a_child_without_a_processor_is_waited_for_but_not_for_ever(
    renderer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if each of its threads waited for one while it is stopped: that is no template's fault."""
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, template_seconds=0.5, starved_seconds=6.0))
    monkeypatch.setattr(silence, "threads", lambda pid, **_: {pid: silence.Strand(1.0, 0.0, runnable=True)})
    one = renderer()
    one.render(HI)
    pid = one._child.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (pid, signal.SIGCONT)).start()
    assert text(one.render(HI)) == "<user>hi </s></s>" and one._child.pid == pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerHung, match="no processor"):
        one.render(HI)
    assert text(one.render(HI)) == "<user>hi </s></s>"


def test_a_deadline_ends_a_rendering_and_is_no_fault_of_the_template(
    renderer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a child that waits for a processor, and while it starts."""
    monkeypatch.setattr(silence, "threads", lambda pid, **_: {pid: silence.Strand(1.0, 0.0, runnable=True)})
    one = renderer()
    one.warm()
    pid = one._child.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded, match=r"rendered within the request's 0\.3 s"):
        one.render(HI, "late", deadline=0.3)
    os.kill(pid, signal.SIGCONT)
    assert text(one.render(HI)) == "<user>hi </s></s>", "not what the first asked for"
    assert one._child.pid == pid, "a child that starts is not begun anew for it"
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        one.render(HI, deadline=0.3)
    assert text(one.render(HI)) == "<user>hi </s></s>" and one._child.pid != pid


def test_the_wait_for_other_renderings_has_the_deadline_too(renderer: Any) -> None:
    one = renderer()
    with one._lock, pytest.raises(DeadlineExceeded):
        one.render(HI, deadline=0.2)
    assert text(one.render(HI, deadline=60)) == "<user>hi </s></s>"


def test_a_child_that_never_starts_is_found_by_many_short_waits(
    renderer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, start_seconds=1.0))
    one = renderer()
    one.warm()
    os.kill(one._child.pid, signal.SIGSTOP)
    with pytest.raises(WorkerHung):
        for _ in range(60):
            with suppress(DeadlineExceeded):
                one.render(HI, deadline=0.5)


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

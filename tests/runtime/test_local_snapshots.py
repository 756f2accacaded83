"""Snapshots from one LocalModel to the next, on the real model: faster, never different, never an error."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.messages import Message, ToolSpec
from linnet.protocol import Load
from linnet.requests import Done, Generate, Segment, complete
from linnet.runtime.local import LocalModel, _stable, open_local
from linnet.runtime.snapshots import Snapshots
from linnet.runtime.supervisor import Supervisor

RULES = Message("system", "You are a polite assistant in a small shop that sells apples, pears and plums.", True)


def ask(text: str = "What do you sell?", **fields: Any) -> Generate:
    return Generate((RULES, Message("user", text)), **{"max_tokens": 4, **fields})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    return tmp_path / "snapshots"


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., LocalModel]]:
    made: list[LocalModel] = []

    def make(**options: Any) -> LocalModel:
        made.append(open_local("default", **{"context": 512, "threads": 1, "snapshots": True, **options}))
        return made[-1]

    yield make
    for model in made:
        model.close()


@pytest.fixture
def first(opened: Any, folder: Path) -> Done:
    """What a process answered that has left one snapshot behind."""
    model = opened()
    done = complete(model, ask())
    there(folder, 1)
    model.close()
    assert done.usage.cached_tokens == 0
    return done


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.state"))


def there(folder: Path, count: int) -> None:
    """Waits until so many files are there: nobody waits for the thread that writes them."""
    for _ in range(600):
        if len(files(folder)) == count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{len(files(folder))} files, not {count}")


def test_a_new_process_does_not_compute_the_system_message_again(first: Done, opened: Any, folder: Path) -> None:
    model = opened()
    done = complete(model, ask())
    assert done.usage.cached_tokens >= 16 and done.degraded == first.degraded
    assert done.text.split()[0] == first.text.split()[0], "later words may be close decisions"
    assert len(model.supervisor.snapshots.seconds) == 1
    assert complete(model, ask("And pears?")).usage.cached_tokens >= done.usage.cached_tokens
    model.close()
    assert len(files(folder)) == 1


@pytest.mark.parametrize(
    "options", [{"context": 1024}, {"snapshots": False}], ids=["another context", "switched off"]
)
def test_who_may_not_have_it_computes_it(first: Done, opened: Any, options: dict[str, Any]) -> None:
    done = complete(opened(**options), ask())
    assert (done.text, done.usage.cached_tokens) == (first.text, 0)


def test_an_owner_computes_all_and_leaves_nothing(opened: Any, first: Done, folder: Path) -> None:
    before = files(folder)
    model = opened()
    done = complete(model, ask(owner="ann"))
    secret = (Message("system", "Secret. " * 20, True), Message("user", "Hi"))
    complete(model, Generate(secret, max_tokens=1, owner="ann"))
    model.close()
    assert (done.text, done.usage.cached_tokens) == (first.text, 0) and files(folder) == before


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_damaged_file_is_as_good_as_none(first: Done, opened: Any, folder: Path, damage: str) -> None:
    (path,) = files(folder)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(
        whole[:middle] + (bytes([whole[middle] ^ 1]) + whole[middle + 1 :] if damage == "flipped" else b"")
    )
    model = opened()
    done = complete(model, ask())
    assert (done.text, done.usage.cached_tokens, done.degraded) == (first.text, 0, first.degraded)
    if damage == "flipped":
        there(folder, 0)
    else:  # gone at the start, and made again
        there(folder, 1)


def test_a_killed_worker_is_replaced_without_snapshots(first: Done, opened: Any, folder: Path) -> None:
    model = opened()
    complete(model, ask())
    os.kill(model.supervisor.pid, signal.SIGKILL)
    done = complete(model, ask())
    assert (done.text, done.usage.cached_tokens) == (first.text, 0)
    model.close()
    assert len(files(folder)) == 1, "nobody says that the snapshot was to blame"


def test_what_a_worker_crashed_with_is_gone(first: Done, opened: Any, folder: Path) -> None:
    model = opened()
    complete(model, ask())
    os.kill(model.supervisor.pid, signal.SIGSEGV)
    done = complete(model, Generate((Segment("x", True),), max_tokens=1))
    assert done.usage.prompt_tokens
    model.close()
    assert files(folder) == []


def test_a_worker_of_another_type_of_cache_has_none(model_path: Path, folder: Path) -> None:
    prompt = (Segment(RULES.content, True), Segment(" Yes?", False))
    cached = []
    for cache, count in (("f16", 1), ("q8_0", 2), ("f16", 2)):
        fd = os.open(model_path, os.O_RDONLY)
        supervisor = Supervisor(Load(context=512, cache=cache), fd, snapshots=Snapshots("it"))
        *_, done = supervisor.stream(Generate(prompt, stable=1, max_tokens=1))
        there(folder, count)
        supervisor.close()
        os.close(fd)
        assert isinstance(done, Done)
        cached.append(done.usage.cached_tokens)
    assert cached[:2] == [0, 0] and cached[2] >= 16


# --- what is stable of a conversation ------------------------------------------------------------

ASKED = (RULES, Message("user", " a "))
BEFORE, AFTER = Segment("system ...", True), Segment("assistant", True)


@pytest.mark.parametrize(
    ("prompt", "stable"),
    [
        ((BEFORE, Segment("a", False), AFTER), 1),
        ((BEFORE, Segment("a tool", False), BEFORE, Segment(" a ", False), AFTER, Segment("a", False)), 3),
        ((BEFORE, Segment("It says: a", False), AFTER), 1),
        ((Segment("a", False), AFTER), 0),
        ((Segment("user a", True),), 0),
        ((), 0),
    ],
    ids=["a system message", "tools", "folded", "nothing before", "trusted", "nothing"],
)
def test_all_before_the_first_users_text_is_stable(prompt: Any, stable: int) -> None:
    assert _stable(prompt, ASKED) == stable


def test_tools_in_the_prompt_are_stable(opened: Any) -> None:
    """SmolLM2 has no place for tools: what is said is the same with another template."""
    model = opened()
    model._renderer._template = "{{ tools }}|{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}"
    tool = ToolSpec("look", "Looks outside.", {"type": "object", "properties": {}})
    rendered = model._rendered(Generate((Message("user", "outside"),), tools=(tool,)))[0]
    before = "".join(segment.text for segment in rendered.prompt[: rendered.stable])
    assert "look" in before and before.endswith("<|im_start|>")

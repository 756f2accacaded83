"""Which file of a repository is taken, and that the reason is told."""

from __future__ import annotations

import pytest

from linnet.errors import InputInvalid, ModelNotFound, OutOfMemory
from linnet.models.choice import Host, RemoteFile, choose

GIB = 1 << 30
SHA = "a" * 64


def file(path: str, gib: float = 1.0) -> RemoteFile:
    return RemoteFile(path, int(gib * GIB), SHA)


SEVEN = [  # a model of 7B, as repositories have them
    file("README.md", 0.001),
    file("m-F16.gguf", 14.0),
    file("m-Q8_0.gguf", 7.2),
    file("m-Q6_K.gguf", 5.5),
    file("m-Q4_K_M.gguf", 4.1),
    file("m-Q4_0.gguf", 3.8),
    file("m-Q2_K.gguf", 2.7),
    file("mmproj-m-F16.gguf", 0.5),
    file("imatrix.gguf", 0.1),
]


@pytest.mark.parametrize(
    ("memory", "bandwidth", "path", "reason"),
    [
        (64, 200, "m-Q8_0.gguf", "most precise up to 8 bits that fits and gives 10 tokens/s"),
        (64, None, "m-Q8_0.gguf", "most precise up to 8 bits that fits (64.0 GiB"),
        (None, None, "m-Q8_0.gguf", "memory is unknown"),
        (8, 200, "m-Q6_K.gguf", "8.0 GiB are available"),
        (6, 200, "m-Q4_K_M.gguf", "6.0 GiB are available"),
        (4, 200, "m-Q2_K.gguf", "most precise up to 8 bits that fits"),
        (64, 50, "m-Q4_K_M.gguf", "gives 10 tokens/s"),
        (64, 10, "m-Q4_0.gguf", "smallest of at least 4 bits: about 2.5 tokens/s"),
        (4, 10, "m-Q2_K.gguf", "most precise that fits: about 3.4 tokens/s"),
    ],
)
def test_what_suits(memory: float | None, bandwidth: float | None, path: str, reason: str) -> None:
    host = Host(None if memory is None else int(memory * GIB), bandwidth)
    chosen = choose(SEVEN, None, host)
    assert chosen.file.path == path
    assert reason in chosen.reason


def test_nothing_fits() -> None:
    with pytest.raises(OutOfMemory, match=r"m-Q2_K\.gguf, the smallest, does not: .*usable") as caught:
        choose(SEVEN, None, Host(GIB))
    assert caught.value.exit_code == 4


def test_the_only_model_is_taken() -> None:
    files = [file("model.gguf"), file("mmproj.gguf"), file("model-Q8_0-00001-of-00002.gguf")]
    assert choose(files, None, Host(1)).reason == "the only whole model in the repository"


def test_a_selector() -> None:
    assert choose(SEVEN, "Q4_0", Host(1)).file.path == "m-Q4_0.gguf"
    assert choose(SEVEN, "m-F16.gguf", Host(1)).file.path == "m-F16.gguf"
    assert choose(SEVEN, "F16", Host(1)).file.path == "m-F16.gguf"


@pytest.mark.parametrize("selector", ["Q5_K_M", "x.gguf", "M-Q4_0.gguf"])
def test_a_selector_of_nothing_says_what_there_is(selector: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        choose(SEVEN, selector, Host())
    assert "Q4_0" in caught.value.hint


def test_no_model_at_all() -> None:
    for files in ([], [file("README.md")], [file("mmproj.gguf")]):
        with pytest.raises(ModelNotFound, match=r"no \.gguf file"):
            choose(files, None, Host())


def test_two_files_of_one_kind_have_to_be_told_apart() -> None:
    with pytest.raises(InputInvalid, match="2 files are in Q4_0") as caught:
        choose([file("a/m-Q4_0.gguf"), file("b/m-Q4_0.gguf")], "Q4_0", Host())
    assert "a/m-Q4_0.gguf" in caught.value.hint


@pytest.mark.parametrize("selector", [None, "Q8_0", "m-Q8_0-00002-of-00002.gguf"])
def test_parts_are_refused(selector: str | None) -> None:
    parts = [file("m-Q8_0-00001-of-00002.gguf"), file("m-Q8_0-00002-of-00002.gguf")]
    with pytest.raises(InputInvalid, match="of 2 of a split model") as caught:
        choose(parts, selector, Host())
    assert "merge" in caught.value.hint


def test_a_whole_file_is_preferred_to_parts_of_the_same_kind() -> None:
    parts = [file("m-Q8_0-00001-of-00002.gguf"), file("m-Q8_0-00002-of-00002.gguf"), file("m-Q8_0.gguf", 2)]
    assert choose(parts, "Q8_0", Host()).file.path == "m-Q8_0.gguf"

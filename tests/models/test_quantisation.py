"""The encoding of weights, from a header and from a file's name."""

from __future__ import annotations

import pytest

from linnet.models import quantisation
from linnet.models.gguf import Header, Tensor


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Model-7B-Q4_K_M.gguf", "Q4_K_M"),
        ("sub/model.q8_0.gguf", "Q8_0"),
        ("Qwen3-UD-Q4_K_XL.gguf", "Q4_K_XL"),
        ("m-IQ2_XXS.gguf", "IQ2_XXS"),
        ("m-iq4_nl.gguf", "IQ4_NL"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("m-BF16.gguf", "BF16"),
        ("m.f16.gguf", "F16"),
        ("m-TQ1_0.gguf", "TQ1_0"),
        ("Q4_0/m-Q6_K.gguf", "Q6_K"),
        ("m-Q4_K_M-00001-of-00002.gguf", "Q4_K_M"),
        ("model.gguf", None),
        ("Q4_0/model.gguf", None),
        ("XQ4_0X.gguf", None),
    ],
)
def test_of_name(path: str, kind: str | None) -> None:
    assert quantisation.of_name(path) == kind


def header(file_type: int | None, *tensors: tuple[str, int]) -> Header:
    metadata = {} if file_type is None else {"general.file_type": file_type}
    held = tuple(Tensor(f"t{i}", (1,), kind, 0, size) for i, (kind, size) in enumerate(tensors))
    return Header(3, "llama", metadata, held, 32, 0, 0)


def test_of_header() -> None:
    assert quantisation.of_header(header(15)) == "Q4_K_M"
    assert quantisation.of_header(header(15 + 1024)) == "Q4_K_M"
    assert quantisation.of_header(header(None, ("F32", 10), ("Q4_0", 30), ("F32", 15))) == "Q4_0"
    assert quantisation.of_header(header(999, ("Q8_0", 1))) == "Q8_0"
    assert quantisation.of_header(header(None)) == "unknown"


def test_file_types_are_those_of_the_engine() -> None:
    names = {
        name.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_"): number
        for name, number in engine_constants()
    }
    told = {quantisation.of_header(header(number)): number for name, number in names.items() if name != "GUESSED"}
    assert told == {name: number for name, number in names.items() if name != "GUESSED"}


def engine_constants() -> list[tuple[str, int]]:
    """Read as text: no test of this folder loads the engine."""
    import re
    from importlib import metadata
    from pathlib import Path

    source = Path(str(metadata.distribution("llama-cpp-python").locate_file("llama_cpp/llama_cpp.py"))).read_text()
    found = re.findall(r"^(LLAMA_FTYPE_\w+) = ([0-9]+)$", source, re.MULTILINE)
    return [(name, int(number)) for name, number in found]


def test_parts() -> None:
    assert quantisation.shard_of("a/m-00002-of-00003.gguf") == (2, 3)
    assert quantisation.shard_of("m.gguf") is None


def test_every_preferred_kind_can_be_read_from_a_name() -> None:
    assert [quantisation.of_name(f"m-{kind}.gguf") for kind in quantisation.PREFERRED] == list(quantisation.PREFERRED)
    assert "Q4_0" in quantisation.FOUR_BITS and "Q3_K_L" not in quantisation.FOUR_BITS

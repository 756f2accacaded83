"""Shapes from headers of several architectures, against what the engine printed for the same files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from linnet.hardware.footprint import Block, Shape, cache_bytes, footprint
from linnet.hardware.probe import probe
from linnet.limits import KIB, MIB
from linnet.models import gguf
from linnet.models.shape import shape_of

sys.path.append(str(Path(__file__).parent))

from gguf_writer import SHARED, TOKENS, U32, WIDTH, Small, small

BESIDE = Path(__file__).parents[2] / "benchmarks/memory.py"
Q4_0, Q8_0 = 2, 8


def shape(model: Small, folder: Path, *features: str) -> Shape:
    path = folder / "small.gguf"
    path.write_bytes(model.write())
    with gguf.open_model(path) as file:
        return shape_of(gguf.read_header(file.fileno()), features)


def quantised(model: Small, kind: int = Q4_0) -> Small:
    for name, (sizes, _) in model.tensors.items():
        if len(sizes) == 2:
            model = model.with_type(name, kind)
    return model


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma3", "granite", "phi3"])
def test_attention_keeps_keys_and_values_of_shared_heads(architecture: str, tmp_path: Path) -> None:
    found = shape(small(architecture), tmp_path)
    assert found.blocks == (Block(32, 32), Block(32, 32))
    assert cache_bytes(found, 600, "f16") == 192 * KIB, "0.19 MiB for 768 cells, also with a sliding window"
    assert (found.width, found.inner, found.attended, found.vocabulary) == (64, 96, 64 + 2 * 32, len(TOKENS))


def test_convolutions_and_states_keep_no_keys(tmp_path: Path) -> None:
    lfm2, mamba2 = shape(small("lfm2"), tmp_path), shape(small("mamba2"), tmp_path)
    assert lfm2.blocks == (Block(state=128), Block(32, 32))
    assert cache_bytes(lfm2, 600, "f16") == 96 * KIB
    assert footprint(lfm2, 600).states == 32 * KIB
    assert cache_bytes(mamba2, 600) == 0
    assert footprint(mamba2, 600).states == int(1.28125 * MIB), "the engine prints 1.28 MiB"


def test_several_experts_widen_a_step(tmp_path: Path) -> None:
    assert shape(small("llama-experts"), tmp_path).inner == 2 * 96


def test_the_last_layers_may_use_the_keys_of_earlier_ones(tmp_path: Path) -> None:
    model = small("qwen3").but(qwen3__attention__shared_kv_layers=(U32, 1))
    assert shape(model, tmp_path).blocks == (Block(32, 32), Block())


def test_layers_with_a_window_may_have_other_heads(tmp_path: Path) -> None:
    own = {"sliding_window_pattern": (U32, [1, 0]), "key_length_swa": (U32, 8), "value_length_swa": (U32, 8)}
    model = small("qwen3").but(**{f"qwen3__attention__{key}": value for key, value in own.items()})
    assert shape(model, tmp_path).blocks == (Block(16, 16), Block(32, 32))


def test_a_header_that_says_little_is_no_error() -> None:
    header = gguf.Header(3, "llama", {"llama.block_count": 2}, (), 32, 0, 0)
    assert shape_of(header) == Shape(0, (Block(), Block()), 0, 0, 0, 0)


# --- weights -------------------------------------------------------------------------------------


def test_weights_are_copied_where_the_processor_has_a_layout_for_them(tmp_path: Path) -> None:
    model = quantised(small("llama"))
    plain, copied = shape(model, tmp_path), shape(model, tmp_path, "avx2", "fma")
    table = len(TOKENS) * WIDTH * 18 // 32
    layers = 2 * (WIDTH * (2 * WIDTH + 2 * SHARED * 16 + 3 * 96)) * 18 // 32
    assert (plain.copied, plain.idle) == (0, 0)
    assert len(TOKENS) % 8, "the table of tokens is not laid out anew"
    assert copied.copied == layers
    assert copied.weights > table and copied.weights - copied.idle < plain.weights - layers + KIB
    assert shape(quantised(small("llama"), Q8_0), tmp_path, "avx2").copied == 0


def test_keys_and_values_are_as_exact_as_the_weights(tmp_path: Path) -> None:
    assert shape(small("llama"), tmp_path).cache == "f32"
    assert shape(quantised(small("llama")), tmp_path).cache == "f16"


def test_a_tied_table_of_tokens_is_there_twice(tmp_path: Path) -> None:
    model = quantised(small("llama"))
    table = {"token_embd.weight": ((WIDTH, 288), Q4_0)}
    wide = Small(model.fields, {**model.tensors, **table})
    bare = {"output.weight": ((WIDTH, 3), 0)}
    tied = shape(wide, tmp_path, "avx2").copied
    untied = shape(Small(wide.fields, {**wide.tensors, **bare}), tmp_path, "avx2").copied
    assert tied - untied == 288 * WIDTH * 18 // 32


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_memory", BESIDE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif("avx2" not in (probe().features or ()), reason="its copies were only ever measured with AVX2")
def test_a_made_up_model_takes_what_its_header_foretells(tmp_path: Path) -> None:
    """Four layers, 1,024 wide, in Q4_0: 38 MiB mapped and as much copied, of 160."""
    width, inner, shared = 1_024, 4_096, 256
    own = {"embedding_length": width, "feed_forward_length": inner, "block_count": 4}
    own |= {"attention.head_count": 16, "attention.head_count_kv": 4, "rope.dimension_count": 64}
    fields = {**small().fields, **{f"llama.{key}": (U32, value) for key, value in own.items()}}
    tensors: dict[str, tuple[tuple[int, ...], int]] = {
        "token_embd.weight": ((width, len(TOKENS)), 0),
        "output_norm.weight": ((width,), 0),
    }
    sizes = {"attn_q": (width, width), "attn_k": (width, shared), "attn_v": (width, shared)}
    sizes |= {"attn_output": (width, width), "ffn_gate": (width, inner), "ffn_up": (width, inner)}
    for block in range(4):
        tensors |= {f"blk.{block}.{name}.weight": (of, Q4_0) for name, of in sizes.items()}
        tensors[f"blk.{block}.ffn_down.weight"] = ((inner, width), Q4_0)
        tensors |= {f"blk.{block}.{name}_norm.weight": ((width,), 0) for name in ("attn", "ffn")}
    path = tmp_path / "wide.gguf"
    path.write_bytes(Small(fields, tensors).write())
    memory = benchmark()
    parts, measured = memory.predicted(path, 512), memory.of_engine(path, 512)
    assert parts.copied > 30 * MIB
    assert parts.resident == pytest.approx(measured["full"], rel=0.1)
    assert parts.peak == pytest.approx(measured["scoring"], rel=0.1)

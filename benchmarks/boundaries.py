"""What a kept state spares on a model whose sequences cannot be cut, made up here in the size that is asked for.

    python benchmarks/boundaries.py [--architecture lfm2|qwen35|gemma3] [--blocks 16] [--tokens 1000] [--cpu]

The model has the shape of LFM2-350M, Qwen3.5-0.8B or Gemma 3 1B, but for a vocabulary of 286 tokens, and random
weights in Q8_0: what it says means nothing, what it takes does. Each round has the same rules and a new question of
60 tokens, of which one token of answer is wanted: `nothing` is an empty engine that keeps no boundary, `stop` an
empty one that stops at the boundary and keeps the state, `memory` has it, and `disk` is an empty one that restores
it. With `--cpu` seconds are those that the processor worked, on one thread: on a machine that others use as well
they say more.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import string
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from linnet.limits import MIB
from linnet.protocol import Ended, Load
from linnet.requests import Generate, Segment, Usage
from linnet.worker.llama import Llama, warm_imports

sys.path.append(str(Path(__file__).parents[1] / "tests" / "models"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "worker"))

from engine_shop import Shop, kept
from gguf_writer import I32, TOKENS, U32, Field, Small, bytes_of, small

F32, Q8_0 = 0, 8
QUESTION = 60

Sizes = dict[str, tuple[int, ...]]


def attention(width: int, heads: int, shared: int, head: int, gated: bool = False) -> Sizes:
    return {
        "attn_norm.weight": (width,),
        "attn_q.weight": (width, heads * head * (1 + gated)),
        "attn_k.weight": (width, shared * head),
        "attn_v.weight": (width, shared * head),
        "attn_output.weight": (heads * head, width),
        "attn_q_norm.weight": (head,),
        "attn_k_norm.weight": (head,),
    }


def feed(width: int, inner: int) -> Sizes:
    return {"ffn_gate.weight": (width, inner), "ffn_down.weight": (inner, width), "ffn_up.weight": (width, inner)}


def lfm2(block: int) -> Sizes:
    both = {**feed(1024, 4608), "ffn_norm.weight": (1024,)}
    if block in ATTENDING:
        return {**both, **attention(1024, 16, 8, 64)}
    convolution = {"conv": (3, 1024), "in_proj": (1024, 3072), "out_proj": (1024, 1024)}
    return {**both, "attn_norm.weight": (1024,), **{f"shortconv.{n}.weight": s for n, s in convolution.items()}}


def qwen35(block: int) -> Sizes:
    both = {**feed(1024, 3584), "post_attention_norm.weight": (1024,)}
    if block % 4 == 3:
        return {**both, **attention(1024, 8, 2, 256, gated=True)}
    return {
        **both,
        "attn_norm.weight": (1024,),
        "attn_qkv.weight": (1024, 6144),
        "attn_gate.weight": (1024, 2048),
        "ssm_conv1d.weight": (4, 6144),
        "ssm_dt.bias": (16,),
        "ssm_a": (16,),
        "ssm_beta.weight": (1024, 16),
        "ssm_alpha.weight": (1024, 16),
        "ssm_norm.weight": (128,),
        "ssm_out.weight": (2048, 1024),
    }


def gemma3(block: int) -> Sizes:
    norms = ("ffn_norm", "post_attention_norm", "post_ffw_norm")
    return {
        **feed(1152, 6912),
        **attention(1152, 4, 1, 256),
        **{f"{name}.weight": (1152,) for name in norms},
    }


ATTENDING = (2, 5, 8, 10, 12, 14)
SHAPES = {"lfm2": lfm2, "qwen35": qwen35, "gemma3": gemma3}
WIDTHS = {"lfm2": (1024, 4608, 16, 8, 64), "qwen35": (1024, 3584, 8, 2, 256), "gemma3": (1152, 6912, 4, 1, 256)}


def made_up(architecture: str, blocks: int) -> Small:
    base = small(architecture)
    width, inner, heads, shared, head = WIDTHS[architecture]
    own: dict[str, Field] = {
        "block_count": (U32, blocks),
        "context_length": (U32, 32_768),
        "embedding_length": (U32, width),
        "feed_forward_length": (U32, inner),
        "attention.head_count": (U32, heads),
        "attention.head_count_kv": (U32, shared),
        "attention.key_length": (U32, head),
        "attention.value_length": (U32, head),
        "rope.dimension_count": (U32, head),
    }
    if architecture == "lfm2":
        own["attention.head_count_kv"] = (U32, [shared * (block in ATTENDING) for block in range(blocks)])
    elif architecture == "qwen35":
        counts = {"inner_size": 2048, "state_size": 128, "time_step_rank": 16, "group_count": 16, "conv_kernel": 4}
        own |= {f"ssm.{name}": (U32, count) for name, count in counts.items()}
        own |= {"full_attention_interval": (U32, 4), "rope.dimension_sections": (I32, [11, 11, 10, 0])}
        own["rope.dimension_count"] = (U32, 64)
    else:
        own["attention.sliding_window"] = (U32, 512)
    norm = "token_embd_norm" if architecture == "lfm2" else "output_norm"
    sizes: Sizes = {"token_embd.weight": (width, len(TOKENS)), f"{norm}.weight": (width,)}
    for block in range(blocks):
        sizes |= {f"blk.{block}.{name}": shape for name, shape in SHAPES[architecture](block).items()}
    plain = ("norm", "conv1d", "conv.weight", "ssm_a", "bias", "alpha", "beta")
    tensors = {name: (shape, F32 if any(p in name for p in plain) else Q8_0) for name, shape in sizes.items()}
    return Small({**base.fields, **{f"{architecture}.{key}": value for key, value in own.items()}}, tensors)


def write(model: Small) -> tuple[int, int]:
    """A file in memory, and its bytes."""
    fd, rng = os.memfd_create("model"), np.random.default_rng(0)
    size = os.write(fd, model.header())
    for name, (shape, kind) in model.tensors.items():
        count = bytes_of(shape, kind)
        mean = float("norm" in name) - 0.2 * name.endswith(".ssm_a")
        if kind == F32:
            data = rng.normal(mean, 0.05, count // 4).astype(np.float32).tobytes()
        else:
            blocks = np.zeros(count // 34, np.dtype([("scale", np.float16), ("values", np.int8, 32)]))
            blocks["scale"] = 3e-4
            blocks["values"] = rng.integers(-127, 128, (len(blocks), 32), np.int8)
            data = blocks.tobytes()
        left = memoryview(data + bytes(-count % 32))
        while left:  # one write moves 2 GiB at most
            done = os.write(fd, left)
            left, size = left[done:], size + done
    return fd, size


def now() -> float:
    """Seconds, of whichever kind was asked for."""
    return time.process_time() if "--cpu" in sys.argv else time.perf_counter()


def seconds(shop: Shop, tokens: int, question: int, stable: int = 1) -> tuple[float, Usage]:
    """Until the first token of an answer is there; what is stored then is not waited for, but done."""
    text = "".join(random.Random(question).choices(string.ascii_lowercase, k=QUESTION))
    rules = "".join(random.Random(-1).choices(string.ascii_lowercase, k=tokens - 1))
    started, before = now(), len(shop.told)
    prompt = (Segment(rules, True), Segment(text, True))
    shop.submit(Generate(prompt, max_tokens=1, stable=stable))
    while not (ends := [one for one in shop.told[before:] if isinstance(one, Ended)]):
        shop.told += shop.engine.step()
    taken = now() - started
    shop.run()
    assert ends[0].done.usage
    return taken, ends[0].done.usage


def measure(model: Any, tokens: int, rounds: int, scratch: int) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = defaultdict(list)
    seconds(Shop(model), tokens, 0)  # whoever comes first pays for pages and graphs

    def note(way: str, shop: Shop, question: int, stable: int = 1) -> None:
        taken, usage = seconds(shop, tokens, question, stable)
        measured[way].append(taken)
        print(
            f"{way:8} {taken:8.3f} s, {usage.cached_tokens} of {usage.prompt_tokens} tokens not computed", flush=True
        )

    for question in range(1, 4 * rounds, 4):
        note("nothing", Shop(model), question, stable=0)
        first = Shop(model, scratch=scratch)
        note("stop", first, question + 1)
        note("memory", first, question + 2)
        (saved,) = first.saved
        note("disk", Shop(model, kept=(kept(saved, scratch),)), question + 3)
        print(f"         {saved.size / MIB:.1f} MiB on disk")
    return measured


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--architecture", choices=SHAPES, default="lfm2")
    options.add_argument("--blocks", type=int, default=16)
    options.add_argument("--tokens", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--cpu", action="store_true")
    given = options.parse_args()
    threads = 1 if given.cpu else given.threads
    warm_imports()
    file, size = write(made_up(given.architecture, given.blocks))
    load = Load(
        model_fd=file,
        context=2 * given.tokens + 512,
        decode_threads=threads,
        prefill_threads=threads,
    )
    model = Llama(load, lambda fraction: None)
    print(f"{given.architecture} of {given.blocks} blocks, {size / MIB:.0f} MiB; rules of {given.tokens} tokens")
    scratch = os.memfd_create("scratch")
    os.ftruncate(scratch, 128 * MIB)
    for way, times in measure(model, given.tokens, given.rounds, scratch).items():
        print(f"{way:8} {statistics.median(times):8.3f} s ({min(times):.3f} to {max(times):.3f})")


if __name__ == "__main__":
    main()

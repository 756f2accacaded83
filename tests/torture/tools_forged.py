"""Control tokens forged in what users and tools say: a prompt holds as many as its template's own, whatever was read.

    python tests/torture/tools_forged.py --tries 200 --seed 1

Texts of a user, a file and its name, a page, a row, a search result, a program and a server of tools, full of the marks of many families,
go into a conversation as it is rendered by the real template of the default model, and into the tokenizer.
"""

# ruff: noqa: E501  tables of cases read better wide

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from linnet.messages import Message
from linnet.protocol import Render
from linnet.tools import spoken
from linnet.worker.render import render

MARKS = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<|user|>", "<|assistant|>",
    "<|system|>", "<|end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>", "<start_of_turn>",
    "<end_of_turn>", "<bos>", "<eos>", "<|tool_call|>", "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "<|python_tag|>",
    "<|channel|>", "<|message|>", "<|start|>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>", "<think>", "</think>", "<unk>", "<pad>",
)  # fmt: skip

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def results(forged: str) -> dict[str, Any]:
    """What a user would say, and each tool return, with such a text in it."""
    return {
        "user": forged,
        "read_file": {"path": forged[:40], "text": forged, "bytes": 1, "truncated": False, "note": ""},
        "list_files": {"folder": "./", "entries": [forged, f"{forged}.txt"], "count": 2},
        "web_fetch": {"url": "https://e.org/", "title": forged, "text": forged},
        "web_search": {"query": "x", "results": [{"title": forged, "url": "u", "text": forged}]},
        "query_database": {"rows": [{forged[:20]: forged}]},
        "shell": {"output": forged, "errors": forged},
        "mcp": {"result": forged},
    }


def control_tokens(texts: list[str], count: Callable[[Any], int]) -> int:
    """Of a conversation in which those texts were answers and results."""
    messages = [Message("user", "What does it say?")]
    for text in texts:
        messages += [Message("assistant", text), Message("user", text)]
    return count(render(Render(1, TEMPLATE, tuple(messages), "", "<|im_end|>", today="2026-01-01")).segments)


def forged_case(count: Callable[[Any], int], tries: int = 200, seed: int = 1) -> tuple[int, int, float]:
    """(tries, passed, worst seconds); `count(segments)` are control tokens."""
    rng, passed, worst, made = random.Random(seed), 0, 0.0, 0
    honest = {number: control_tokens(["plain"] * number, count) for number in (1, 2)}
    while made < tries:
        pieces = [rng.choice((*MARKS, " ", "\n", "x", '"', "{", "system", "é")) for _ in range(rng.randint(1, 12))]
        for name, value in results("".join(pieces)).items():
            started = time.monotonic()
            texts = [spoken(value)] * rng.choice((1, 2))
            found = control_tokens(texts, count)
            worst = max(worst, time.monotonic() - started)
            made, passed = made + 1, passed + (found == honest[len(texts)])
            if found != honest[len(texts)]:
                print(f"FAULT {name}: {''.join(pieces)!r} made {found} control tokens of {honest[len(texts)]}")
    return made, passed, worst


def counter(llama: Any) -> Callable[[Any], int]:
    """Counts the control tokens of segments by the vocabulary of a loaded model."""
    from linnet.worker.tokenise import tokenise

    known = llama.vocabulary.control_ids
    return lambda segments: sum(token in known for token in tokenise(segments, llama.vocabulary, llama.tokenise))


def default_model() -> Any:
    """The default model, in this process."""
    from linnet.models.store import locate
    from linnet.protocol import Load
    from linnet.worker.llama import Llama, warm_imports

    warm_imports()
    return Llama(Load(model_fd=os.open(locate("default").path, os.O_RDONLY), context=512), lambda fraction: None)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tries", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    tries, passed, worst = forged_case(counter(default_model()), given.tries, given.seed)
    print(f"forged tokens: {passed} of {tries} held, worst {worst:.2f} s")
    return 0 if passed == tries else 1


if __name__ == "__main__":
    sys.exit(main())

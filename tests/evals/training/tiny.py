"""A tiny random Llama with a byte-pair vocabulary and a chat template, and examples to train it on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "models"))

from gguf_writer import BOOL, I32, STRING, U32, WIDTH, small

from linnet.evals.training.example import Example
from linnet.messages import ToolCall, ToolSpec

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def alphabet() -> list[str]:
    """The characters by which byte-pair vocabularies write the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + n) for n in range(len(rest))]


MERGES = ["t h", "e r", "Ġ t", "Ġt h", "i n", "o n", "l i", "li gh"]
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def write(path: Path) -> Path:
    letters = alphabet()
    tokens = [*MARKS, *letters, *("".join(merge.split()) for merge in MERGES)]
    tokens = list(dict.fromkeys([*tokens, "gh"]))
    model = small().but(
        llama__rope__scaling__type=None,
        llama__rope__scaling__factor=None,
        tokenizer__ggml__model=(STRING, "gpt2"),
        tokenizer__ggml__pre=(STRING, "smollm"),
        tokenizer__ggml__tokens=(STRING, tokens),
        tokenizer__ggml__scores=None,
        tokenizer__ggml__merges=(STRING, ["g h", *MERGES]),
        tokenizer__ggml__token_type=(I32, [3] * len(MARKS) + [1] * (len(tokens) - len(MARKS))),
        tokenizer__ggml__bos_token_id=(U32, 1),
        tokenizer__ggml__eos_token_id=(U32, 2),
        tokenizer__ggml__add_bos_token=(BOOL, 0),
        tokenizer__chat_template=(STRING, TEMPLATE),
        llama__context_length=(U32, 2048),
    )
    tensors = {**model.tensors, "token_embd.weight": ((WIDTH, len(tokens)), 0)}
    path.write_bytes(replace(model, tensors=tensors).write())
    return path


def _spec(name: str, about: str, parameter: str, kind: str) -> ToolSpec:
    properties = {parameter: {"type": kind, "description": f"The {parameter}."}}
    return ToolSpec(name, about, {"type": "object", "properties": properties, "required": [parameter]})


LIGHT = _spec("set_light", "Set the light of a room.", "room", "string")
ALARM = _spec("set_alarm", "Wake me up at an hour.", "hour", "integer")
ROOMS = "kitchen hall office attic bedroom garage cellar porch".split()


def examples() -> list[Example]:
    """Forty short ones: two tools, and some that want none."""
    found = []
    for number in range(40):
        if number % 4 == 3:
            request, calls = f"Who lives in house {number}?", ()
        elif number % 2:
            request = f"Wake me up at {number % 12 + 1}, run {number}"
            calls = (ToolCall("set_alarm", {"hour": number % 12 + 1}),)
        else:
            room = ROOMS[number // 2 % 8]
            request, calls = f"Set the light in the {room}, time {number}", (ToolCall("set_light", {"room": room}),)
        found.append(Example((LIGHT, ALARM), request, calls, "tiny"))
    return found

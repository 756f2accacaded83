"""What the engine is asked for while it is measured: texts of a given length, long answers, and a call of a tool."""

from __future__ import annotations

import json
import random
from typing import Any

from linnet.evals.speed.measure import NotMeasured
from linnet.requests import (
    Choice,
    Copy,
    Count,
    Fixed,
    Generate,
    Hole,
    Holes,
    Model,
    Number,
    Prompt,
    Segment,
    complete,
)

_WORDS = """
    river stone letter morning garden window market winter captain bridge forest paper silver music doctor summer
    kitchen village engine island mirror doctor blanket candle harbour kettle ladder meadow number orange pocket
    quarter rabbit saddle ticket valley wagon yellow basket copper dinner evening farmer ground hammer journey
    slowly often never always before under across behind because although carried opened waited counted painted
    """.split()


def of_length(model: Model, tokens: int, seed: int) -> Prompt:
    """A text of at most so many tokens, and as near to that as whole words allow; another seed, another text.

    Raises NotMeasured if the model's context has no room for it and an answer.
    """
    if tokens + 32 > model.capabilities.context:
        raise NotMeasured(f"the context is {model.capabilities.context:,} tokens")
    words = random.Random(seed).choices(_WORDS, k=tokens)

    def prompt(count: int) -> Prompt:
        return (Segment(" ".join(words[:count]), False),)

    least, most = 1, tokens
    while least < most:
        middle = (least + most + 1) // 2
        if complete(model, Count(prompt(middle))).count <= tokens:
            least = middle
        else:
            most = middle - 1
    return prompt(least)


THEMES = (
    "a lighthouse", "a clockmaker", "two rivers", "a lost dog", "the first winter", "a red kite", "an old bridge",
    "the night train", "a stone garden", "a paper boat", "the last market", "a silver key", "a quiet captain",
    "the deep forest", "a broken mirror", "the long road",
)  # fmt: skip


def story(number: int) -> str:
    """A beginning that a model goes on from for as long as it may; sixteen differ."""
    return f"Once upon a time there was {THEMES[number % len(THEMES)]}, and this is the long story of it."


def long_answer(number: int, tokens: int) -> Generate:
    """An answer that nothing but its limit should end."""
    return Generate((Segment(story(number), False),), max_tokens=tokens)


# --- a call --------------------------------------------------------------------------------------

COLOURS = ("warm white", "cold white", "amber", "blue", "green")

_ROOM = "string, the name of the room"
_TOOLS = {
    "set_lights": {
        "room": _ROOM,
        "brightness": "integer, per cent of full brightness",
        "colour": f"one of {', '.join(COLOURS)}",
    },
    "play_music": {"room": _ROOM, "artist": "string, who is to be heard", "volume": "integer, per cent"},
    "set_heating": {"room": _ROOM, "temperature": "number, degrees Celsius", "until": "string, time of day"},
    "start_timer": {"label": "string, what it is for", "minutes": "integer, how long"},
}

TOOLS = "\n".join(
    (
        "You call one tool for each request. These are the tools:",
        *(json.dumps({"name": name, "parameters": parameters}) for name, parameters in _TOOLS.items()),
        "Answer with one line of JSON: the name of the tool and its arguments.\n",
    )
)
"""A prefix that stays the same from request to request."""

_ROOMS = (
    "living room", "kitchen", "guest bedroom", "hallway", "study", "dining room", "garage", "children's room",
    "winter garden", "cellar",
)  # fmt: skip


def wish(number: int) -> tuple[str, str, int, str]:
    """`(request, room, brightness, colour)`."""
    room, brightness = _ROOMS[number % len(_ROOMS)], 5 + 7 * number % 95
    colour = COLOURS[number % len(COLOURS)]
    return f"Set the lights in the {room} to {brightness} percent and make them {colour}.", room, brightness, colour


def call_prompt(request: str) -> str:
    """The text that the call continues, the same for every engine."""
    return f"{TOOLS}Request: {request}\nCall: "


def call(number: int) -> Generate:
    """A whole call in JSON: what is sure is fixed, what the request must say is copied from it or chosen."""
    request, _, brightness, _ = wish(number)
    parts = (
        Fixed('{"name": "set_lights", "arguments": {"room": "'),
        Hole("room", Copy(request, 4)),
        Fixed('", "brightness": '),
        Hole("brightness", Number((float(brightness),), integer=True)),
        Fixed(', "colour": "'),
        Hole("colour", Choice(COLOURS)),
        Fixed('"}}'),
    )
    return Generate((Segment(call_prompt(request), False),), constraint=Holes(parts), max_tokens=96)


def call_schema() -> dict[str, Any]:
    """The same call as a JSON Schema, for engines that take one."""
    arguments = {
        "room": {"type": "string", "maxLength": 30},
        "brightness": {"type": "integer", "minimum": 0, "maximum": 100},
        "colour": {"enum": list(COLOURS)},
    }
    inner = {
        "type": "object",
        "properties": arguments,
        "required": list(arguments),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"name": {"const": "set_lights"}, "arguments": inner},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }

"""Five tools, written as a user of Linnet writes them. What they remember lasts as long as the program."""

from decimal import ROUND_UP, Decimal
from typing import Literal

from linnet import tool

Unit = Literal[
    "kilometers", "miles", "meters", "feet", "centimeters", "inches",
    "kilograms", "pounds", "liters", "gallons", "celsius", "fahrenheit",
]  # fmt: skip
Room = Literal["kitchen", "bedroom", "living room", "bathroom", "office", "hallway"]

SCALES: dict[str, tuple[str, float, float]] = {
    "kilometers": ("length", 1000, 0),
    "miles": ("length", 1609.344, 0),
    "meters": ("length", 1, 0),
    "feet": ("length", 0.3048, 0),
    "centimeters": ("length", 0.01, 0),
    "inches": ("length", 0.0254, 0),
    "kilograms": ("weight", 1, 0),
    "pounds": ("weight", 0.45359237, 0),
    "liters": ("volume", 1, 0),
    "gallons": ("volume", 3.785411784, 0),
    "celsius": ("temperature", 1, 0),
    "fahrenheit": ("temperature", 5 / 9, -160 / 9),
}
"""What each unit measures, and `scale, offset` with base = scale * amount + offset. Base units are meters,
kilograms, liters and celsius; a gallon is the US one."""

reminders: list[dict[str, str]] = []
lists: dict[str, list[str]] = {}
lights: dict[str, int] = {}


@tool(answer="{amount} {source} is {result} {target}.")
def convert_units(amount: float, source: Unit, target: Unit) -> float:
    """Convert an amount from one unit to another.

    Args:
        amount: The number to convert.
        source: The unit to convert from.
        target: The unit to convert to.
    """
    (kind, scale, offset), (other, to_scale, to_offset) = SCALES[source], SCALES[target]
    if kind != other:
        raise ValueError(f"{source} measure {kind} and {target} measure {other}")
    return float(f"{(amount * scale + offset - to_offset) / to_scale:.6g}")


@tool(answer="Reminder {number}: {what}, {when}.")
def create_reminder(
    text: str, time: str, repeat: Literal["never", "daily", "weekly"] = "never"
) -> dict[str, str | int]:
    """Create a reminder to do something at a time.

    Args:
        text: What to do, such as call Anna.
        time: When, such as 6 pm or next Friday.
        repeat: How often it comes back.
    """
    if not text.strip() or not time.strip():
        raise ValueError("a reminder needs a text and a time")
    reminders.append({"text": text, "time": time, "repeat": repeat})
    when = time if repeat == "never" else f"{time}, {repeat}"
    return {"number": len(reminders), "what": text, "when": when}


@tool(answer="With {people} people, each one pays {result}.")
def split_bill(total: float, people: int, tip_percent: float = 0) -> str:
    """Split a bill between people, with or without a tip.

    Args:
        total: The amount of the bill.
        people: How many people share it.
        tip_percent: The tip in percent.
    """
    if total < 0 or tip_percent < 0 or people < 1:
        raise ValueError("a bill needs at least one person, and neither total nor tip below 0")
    paid = Decimal(str(total)) * (100 + Decimal(str(tip_percent))) / 100
    # Up to the next cent, so that the shares always cover the bill.
    return str((paid / people).quantize(Decimal("0.01"), rounding=ROUND_UP))


@tool(answer="On the shopping list for {where}: {wanted}.")
def shopping_list(items: list[str], store: str | None = None) -> dict[str, str | list[str]]:
    """Add items to the shopping list.

    Args:
        items: The things to buy.
        store: The shop to buy them in.
    """
    where = store or "any store"
    wanted = lists.setdefault(where.lower(), [])
    for item in items:
        if item.lower() not in map(str.lower, wanted):
            wanted.append(item)
    return {"where": where, "wanted": wanted}


@tool(answer="The {room} lights are {result}.")
def set_lights(room: Room, on: bool, brightness: int | None = None) -> str:
    """Turn the lights of a room on or off, or dim them.

    Args:
        room: The room.
        on: True for on, false for off.
        brightness: How bright, from 1 to 100 percent.
    """
    if brightness is not None and not 1 <= brightness <= 100:
        raise ValueError(f"brightness goes from 1 to 100 percent, not {brightness}")
    if not on:
        return "off"
    lights[room] = brightness or lights.get(room, 100)
    return f"on at {lights[room]} percent"

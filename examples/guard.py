"""What the guard sees: a claim without its call, a number that no tool said, and calls in a circle.

python examples/guard.py
"""

from linnet.agent.claims import checked
from linnet.agent.guard import Guard
from linnet.messages import ToolCall, ToolResult


def main() -> None:
    converted = ToolResult(ToolCall("convert_units", {"miles": 26.2}), 42.1648)
    for text, results in (
        ("I have saved the file.", []),
        ("It is 43 kilometers.", [converted]),
        ("It is 42.16 kilometers.", [converted]),
    ):
        found = checked(text, ("How many kilometers are 26.2 miles?",), results)
        print(found.text.replace("\n\n", " "), list(found.findings))

    guard = Guard()
    for text in ("weather in Paris", "Weather, Paris", "the weather in paris"):
        print(text, "->", guard.objection(ToolCall("search", {"text": text})) or "made")


if __name__ == "__main__":
    main()

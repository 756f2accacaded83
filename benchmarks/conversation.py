"""What each turn of a long conversation costs: tokens computed, tokens that the prefix cache had, and seconds.

    python benchmarks/conversation.py --turns 200 --context 2048 --out FILE
    python benchmarks/conversation.py --kept 1.0 --whole 0      # the oldest leave one by one

The user's texts are made up here, three of each length; the answers are the real model's. One JSON line a turn.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

from linnet.agent.agent import Agent
from linnet.agent.context.fit import Fitter
from linnet.agent.context.window import KeyFacts, ShortRoles, Summary, Window
from linnet.messages import Message

OLDER = {"none": None, "roles": ShortRoles(), "facts": KeyFacts(), "summary": Summary()}
TOPICS = "bread cheese rivers bridges music rain trains stars books horses clocks ships glass salt maps wool".split()
ASKED = (
    "Tell me something about {}.",
    "I have read that {} mattered more in the past than today. Is that so, and why?",
    "My neighbour knows a lot about {}. He says one should start with the simple things, take notes each day, and"
    " never trust the first result. What should I ask him when I see him on day {} of this month?",
)


def request(turn: int) -> str:
    return ASKED[turn % 3].format(f"{TOPICS[turn % len(TOPICS)]} number {turn}", turn % 28 + 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--answer", type=int, default=48)
    parser.add_argument("--kept", type=float, default=Window.kept)
    parser.add_argument("--whole", type=int, default=Window.whole)
    parser.add_argument("--older", choices=OLDER, default="none")
    parser.add_argument("--tools", action="store_true", help="offer the calculator, so that each turn chooses first")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    window = Window(kept=given.kept, whole=given.whole, older=OLDER[given.older])
    history: list[Message] = []
    rows = []
    with Agent(window=window, context=given.context, answer_tokens=given.answer, snapshots=False) as agent:
        if not given.tools:  # nobody is asked about them, so the whole window is the conversation's
            agent._guide, agent._fitter = None, Fitter(agent.model, window)
        for turn in range(given.turns):
            text = request(turn)
            started = time.monotonic()
            result = agent.run(text, history)
            usage = result.usage
            rows.append(
                {
                    "turn": turn,
                    "prompt": usage.prompt_tokens,
                    "computed": usage.prompt_tokens - usage.cached_tokens,
                    "cached": usage.cached_tokens,
                    "generated": usage.generated_tokens,
                    "dropped": len(result.dropped),
                    "sizes": (result.steps[-1].data or {}).get("context", {}),
                    "seconds": round(time.monotonic() - started, 3),
                }
            )
            history += [Message("user", text), Message("assistant", result.answer)]
            if given.out:
                given.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tell(rows)


def tell(rows: list[dict[str, int]]) -> None:
    moved = [b["dropped"] > a["dropped"] for a, b in itertools.pairwise(rows)]
    full = rows[next((i for i, row in enumerate(rows) if row["dropped"]), 0) :]
    computed = sorted(row["computed"] for row in full)
    print(f"turns {len(rows)}, of which the window moved at {sum(moved)}")
    print(f"from the first move on, {len(full)} turns:")
    print(f"  prompt tokens a turn: mean {statistics.mean(row['prompt'] for row in full):.0f}")
    print(f"  computed: mean {statistics.mean(computed):.0f}, median {statistics.median(computed):.0f},"
          f" 90 % {computed[len(computed) * 9 // 10]}, most {computed[-1]}")  # fmt: skip
    print(f"  seconds: mean {statistics.mean(row['seconds'] for row in full):.2f},"
          f" most {max(row['seconds'] for row in full):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()

"""Models made of Models: a fallback chain, specialists, a gate before another machine, and a guard over the answer.

    python examples/cascade.py

One real model answers here; what is asked of `far` goes to a server only if you name one:
LINNET_REMOTE_URL, LINNET_REMOTE_MODEL, LINNET_ALLOW_REMOTE=true, and LINNET_REMOTE_KEY if it wants a key.
"""

import re

from linnet import Agent, Cascade
from linnet.agent.cascade import Attempt, Rules, simpler
from linnet.agent.specialists import Prompted, Specialists, by_rules
from linnet.app import open_model, open_remote
from linnet.messages import Message
from linnet.requests import Choice, Generate, complete
from linnet.settings import load


def greeting(text: str) -> str | None:
    return "Hello!" if re.match(r"(hello|hi)\b", text, re.IGNORECASE) else None


def kind(text: str) -> str | None:
    return "judge" if re.search(r"\byes or no\b", text, re.IGNORECASE) else None


def main() -> None:
    chosen = load()
    local = open_model(chosen)
    try:
        specialists = Specialists(
            by_rules(kind),
            {
                "judge": Prompted(local, "Answer with yes or no.", constraint=Choice(("Yes", "No"))),
                "talk": Prompted(local, "Answer in one sentence."),
            },
            default="talk",
        )
        attempts = [
            Attempt("rules", Rules(greeting)),
            Attempt("specialists", specialists, seconds=30),
            Attempt("simpler", local, ask=simpler, seconds=30),
        ]
        if chosen.remote_url:
            attempts.append(Attempt("far", open_remote(chosen)))
        attempts.append(Attempt("rest", Rules(lambda text: "I do not know."), accept=None))
        chain = Cascade(*attempts, seconds=90)

        for text in ("Hello there", "Is ice frozen water? Answer yes or no.", "What is the capital of France?"):
            done = complete(chain, Generate((Message("user", text),), max_tokens=40))
            print(f"{text} -> {done.text} ({done.how})")
            for step in done.steps:
                print(f"    {step.kind}: {step.detail}")

        with Agent(model=chain) as agent:  # wherever a model goes, a chain goes
            print(agent.run("What is 12% of 250?").answer)
    finally:
        local.close()


if __name__ == "__main__":
    main()

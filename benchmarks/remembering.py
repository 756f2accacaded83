"""Whether a small model answers better for what is kept: facts in a memory, or of a conversation that has been cut.

    python benchmarks/remembering.py recall            # no model: is the fact found among all?
    python benchmarks/remembering.py memory            # asked with and without the memory, one fact each
    python benchmarks/remembering.py context           # told 12 exchanges ago, 512 tokens; every other case

An answer is right if it holds the word that only the fact has. Intervals are Wilson's, 95 %; arms are compared on the
same cases (McNemar).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from linnet.agent.agent import Agent
from linnet.agent.context.window import KeyFacts, ShortRoles, Summary, Window
from linnet.agent.memory import Memory
from linnet.calling.evidence.naming import words
from linnet.evals.statistics import mcnemar, wilson
from linnet.messages import Message

CASES = [
    ("My sister is called Ingrid.", "What is my sister called?", "ingrid"),
    ("The wifi password is swordfish.", "What is the password of the wifi?", "swordfish"),
    ("I am allergic to peanuts.", "What food am I allergic to?", "peanut"),
    ("My dentist is Doctor Vance.", "Who is my dentist?", "vance"),
    ("I park the car in Elm Street.", "Where do I park the car?", "elm"),
    ("My dog is named Biscuit.", "What is the name of my dog?", "biscuit"),
    ("I was born in Trondheim.", "In which town was I born?", "trondheim"),
    ("Our team meets on Wednesday.", "On which day does our team meet?", "wednesday"),
    ("My favourite colour is turquoise.", "What is my favourite colour?", "turquoise"),
    ("The spare key is under the flowerpot.", "Where is the spare key?", "flowerpot"),
    ("My bicycle is a Bianchi.", "What make is my bicycle?", "bianchi"),
    ("I work at a bakery.", "Where do I work?", "bakery"),
    ("My flight leaves from gate B17.", "From which gate does my flight leave?", "b17"),
    ("My daughter plays the cello.", "Which instrument does my daughter play?", "cello"),
    ("The garden shed is painted green.", "Which colour is the garden shed?", "green"),
    ("My neighbour is Mister Okafor.", "What is the name of my neighbour?", "okafor"),
    ("I moved here from Lisbon.", "From which city did I move here?", "lisbon"),
    ("Our cat eats only salmon.", "What does our cat eat?", "salmon"),
    ("My locker has the number 482.", "Which number has my locker?", "482"),
    ("I study geology.", "What do I study?", "geology"),
    ("My brother lives in Montreal.", "Where does my brother live?", "montreal"),
    ("The printer needs cartridge HP305.", "Which cartridge does the printer need?", "305"),
    ("My shoe size is 43.", "What is my shoe size?", "43"),
    ("Our anniversary is in October.", "In which month is our anniversary?", "october"),
    ("I take my tea with lemon.", "What do I take in my tea?", "lemon"),
    ("My landlord is Mrs Petrova.", "Who is my landlord?", "petrova"),
    ("The recipe needs cardamom.", "Which spice does the recipe need?", "cardamom"),
    ("My grandmother came from Sicily.", "Where did my grandmother come from?", "sicily"),
    ("I support the team from Leeds.", "Which team do I support?", "leeds"),
    ("The meeting room is called Pluto.", "What is the meeting room called?", "pluto"),
    ("My laptop runs Debian.", "Which system does my laptop run?", "debian"),
    ("We adopted a rabbit.", "Which animal did we adopt?", "rabbit"),
    ("My boss is named Farah.", "What is the name of my boss?", "farah"),
    ("I keep the passports in the piano.", "Where do I keep the passports?", "piano"),
    ("The train to work takes 35 minutes.", "How many minutes does the train to work take?", "35"),
    ("My favourite author is Tolstoy.", "Who is my favourite author?", "tolstoy"),
    ("Our car is a Volvo.", "Which car do we have?", "volvo"),
    ("My son wants to be an astronaut.", "What does my son want to be?", "astronaut"),
    ("I play chess on Mondays.", "What do I play on Mondays?", "chess"),
    ("The boiler was repaired in March.", "When was the boiler repaired?", "march"),
]  # fmt: skip
FILLER = [
    "What is bread made of?", "How do clocks work?", "Why do leaves fall?", "What is a glacier?",
    "How is paper made?", "What do bees do in winter?", "Why is the sea salt?", "What is a volcano?",
    "How do magnets work?", "What is cheese made of?", "Why do cats purr?", "What is an echo?",
]  # fmt: skip
REPLY = (
    "That is a good question, and the answer depends on many small things that happen one after the other."
    " People have looked into it for a long time."
)
POLICIES = {"nothing": None, "roles": ShortRoles(), "facts": KeyFacts(), "summary": Summary()}


def recall() -> None:
    import bm25s

    facts = [fact for fact, _, _ in CASES]
    index = bm25s.BM25()
    index.index([words(fact) for fact in facts], show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder) / "m.db")
        for fact in facts:
            memory.add(fact)
        found = {"fts5": [], "bm25s": []}
        seconds = {"fts5": 0.0, "bm25s": 0.0}
        for _, question, _ in CASES:
            started = time.perf_counter()
            found["fts5"].append([f.text for f in memory.recall(question, 4)])
            seconds["fts5"] += time.perf_counter() - started
            started = time.perf_counter()
            known = [w for w in words(question) if w in index.vocab_dict]
            scores = index.get_scores(known) if known else [0.0] * len(facts)
            best = sorted(range(len(facts)), key=lambda i: -scores[i])
            found["bm25s"].append([facts[i] for i in best if scores[i] > 0][:4])
            seconds["bm25s"] += time.perf_counter() - started
        for name, lists in found.items():
            first = sum(bool(got) and got[0] == fact for got, (fact, _, _) in zip(lists, CASES, strict=True))
            among = sum(fact in got for got, (fact, _, _) in zip(lists, CASES, strict=True))
            print(f"{name}: first {told(first)}, among four {told(among)}, {1e3 * seconds[name] / len(CASES):.2f} ms")
        wrongly = sum(bool(memory.recall(question)) for question in FILLER)
        print(f"something is recalled for {wrongly} of {len(FILLER)} questions that need nothing")
        memory.close()


def with_memory() -> None:
    arms: dict[str, list[bool]] = {"without": [], "with": []}
    prompts = dict.fromkeys(arms, 0)
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder) / "m.db")
        for fact, _, _ in CASES:
            memory.add(fact)
        with (
            Agent(context=1024, answer_tokens=24, snapshots=False) as bare,
            Agent(model=bare.model, memory=memory, answer_tokens=24) as agent,
        ):
            bare._guide = agent._guide = None
            for _, question, word in CASES:
                for name, who in (("without", bare), ("with", agent)):
                    result = who.run(question)
                    arms[name].append(word in result.answer.lower())
                    prompts[name] += result.usage.prompt_tokens
        memory.close()
    report(arms)
    print({name: round(prompts[name] / len(CASES)) for name in arms}, "prompt tokens a request")


def in_context() -> None:
    arms: dict[str, list[bool]] = {name: [] for name in POLICIES}
    cost = dict.fromkeys(POLICIES, 0)
    with Agent(context=512, answer_tokens=24, snapshots=False) as bare:
        for name, older in POLICIES.items():
            with Agent(model=bare.model, window=Window(older=older), answer_tokens=24) as agent:
                agent._guide = None
                for fact, question, word in CASES[::2]:
                    history = [Message("user", fact), Message("assistant", "Good to know.")]
                    for asked in FILLER:
                        history += [Message("user", asked), Message("assistant", REPLY)]
                    result = agent.run(question, history)
                    arms[name].append(word in result.answer.lower())
                    cost[name] += result.usage.prompt_tokens + result.usage.generated_tokens
    report(arms)
    print({name: round(tokens / len(CASES[::2])) for name, tokens in cost.items()}, "tokens a request")


def report(arms: dict[str, list[bool]]) -> None:
    first = next(iter(arms.values()))
    for name, right in arms.items():
        print(f"{name}: right {told(sum(right), len(right))}, p {mcnemar(first, right):.4f}")


def told(right: int, of: int = len(CASES)) -> str:
    low, high = wilson(right, of)
    return f"{right} of {of} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("recall", "memory", "context"))
    {"recall": recall, "memory": with_memory, "context": in_context}[parser.parse_args().what]()

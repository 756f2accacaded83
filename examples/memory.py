"""An agent that remembers: what it was told to keep, found again in another conversation, changed and forgotten."""

import tempfile
from pathlib import Path

from linnet import Agent
from linnet.agent.memory import Memory

with tempfile.TemporaryDirectory() as folder:
    memory = Memory(Path(folder) / "memory.db")
    with Agent(memory=memory, answer_tokens=24) as agent:
        print(agent.run("Remember that my sister is called Ingrid.").answer)  # by a rule: no model is asked
        result = agent.run("What is my sister called?")
        print(result.answer)
        print([step.detail for step in result.steps if step.kind == "recall"])

    (fact,) = memory.facts()
    memory.edit(fact.id, "My sister is called Sigrid.")
    print([found.text for found in memory.recall("my sister")])
    memory.forget(fact.id)
    print(memory.facts(), [turn.request for turn in memory.turns()])
    memory.close()

"""Micro-agents: two of those that come with Linnet, and one of your own."""

from linnet import Agent, MicroAgent
from linnet.agent.checks import IsChoice
from linnet.agent.micro import code_completer, test_writer
from linnet.requests import Choice

MOODS = ("glad", "angry", "neutral")
mood = MicroAgent("mood", "Name the mood of the text.", "{text}", Choice(MOODS), check=IsChoice(MOODS))

if __name__ == "__main__":
    with Agent() as agent:
        completed = code_completer.run(agent.model, prefix="def area(width, height):\n    return", suffix="\n")
        print(completed.value, completed.how, *completed.degraded)
        tested = test_writer.run(agent.model, code="def add(a, b):\n    return a + b\n")
        print(tested.value if tested.ok else tested.detail)
        print(mood.run(agent.model, text="What a lovely day!").value)

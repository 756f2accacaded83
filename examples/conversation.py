"""A conversation that outgrows its window: what leaves it, what stays of it, and what is told."""

from linnet import Agent
from linnet.agent.context.window import KeyFacts, Window

agent = Agent(context=1024, answer_tokens=24, window=Window(older=KeyFacts(tokens=64)))
talk = agent.conversation()
talk.run("My name is Ada and I keep bees.")
for topic in ("bread", "glass", "rain", "salt"):
    talk.run(f"Tell me in one sentence what {topic} is good for. " + "Be brief and plain. " * 16)
result = talk.run("What is my name?")

print(len(talk.history), "messages were said,", len(result.dropped), "have left the window")
print(result.dropped[0])
print(result.steps[-1].data["context"])
print(result.answer)
agent.close()

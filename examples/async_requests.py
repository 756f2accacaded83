"""Requests in an event loop: two at once, one told of as it happens, and one that is given up in time."""

import asyncio

from linnet import Agent, Result, Rule, tool


@tool(answer="Noted: {result}.", rules=[Rule(prefix="note", to="what")])
def note(what: str) -> str:
    """Note something down."""
    return what


async def main(agent: Agent) -> None:
    milk, product = await asyncio.gather(agent.arun("note milk"), agent.arun("What is 17 times 24?"))
    print(milk.answer, product.answer)

    async for event in agent.astream("note honey, then what is 2 + 2?"):
        if isinstance(event, Result):
            print(event.answer.splitlines())
        else:
            print(type(event).__name__)

    try:
        async with asyncio.timeout(0.5):
            await agent.arun("Tell me a very long story about the sea.")
    except TimeoutError:
        print("given up: the engine is free for others")


with Agent(tools=[note], context=1024) as agent:
    asyncio.run(main(agent))

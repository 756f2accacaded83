"""Many requests at once: results in their order, and no bad one among them that spoils another."""

from linnet import Agent, tool


@tool(answer="A walk of {kilometers} km takes {result} minutes.")
def walking_time(kilometers: float) -> int:
    """Say how many minutes a walk takes, at 5 km an hour."""
    return round(60 * kilometers / 5)


requests = ["How long is a walk of 12 kilometers?", "What is 17 times 24?", " ", "How long do I walk 3 kilometers?"]

with Agent(tools=[walking_time], context=1024) as agent:
    for request, result in zip(requests, agent.run_many(requests), strict=True):
        print(f"{request!r}: {result.answer or result.error['message']} ({result.how})")

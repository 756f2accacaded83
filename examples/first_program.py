from linnet import Agent, tool


@tool(answer="A walk of {kilometers} km takes {result} minutes.")
def walking_time(kilometers: float) -> int:
    """Say how many minutes a walk takes, at 5 km an hour."""
    return round(60 * kilometers / 5)


agent = Agent(tools=[walking_time])
result = agent.run("How long is a walk of 12 kilometers?")
print(result.answer, result.how, result.calls)

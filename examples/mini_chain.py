"""A mini-chain: one number, then the other, then a function; each step is small enough for a very small model."""

import re
from typing import Any

from linnet import Agent, Chain
from linnet.agent.ask import Ask
from linnet.agent.chain import Do
from linnet.agent.checks import IsNumber
from linnet.requests import Choice, Constraint


def numbers_left(values: Any) -> Constraint:
    """The numbers of the order, without the one that an earlier step has taken."""
    found = re.findall(r"\d+(?:\.\d+)?", values["order"])
    return Choice(tuple(number for number in found if number != str(values.get("count"))))


total = Chain(
    "total",
    (
        Ask("count", "Order: {order}\nNumber of items: ", numbers_left, check=IsNumber(least=1, integer=True)),
        Ask("price", "Order: {order}\nPrice of one item: ", numbers_left, check=IsNumber(least=0)),
        Do("sum", lambda count, price: count * price),
    ),
)

if __name__ == "__main__":
    with Agent() as agent:
        done = total.run(agent.model, order="Please send 12 notebooks at 4.50 dollars each to the office.")
        print(done.value, done.values, done.failed or "every step held")

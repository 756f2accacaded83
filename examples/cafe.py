"""A café's assistant: what it is asked most is learnt from a few examples and answered without a model.

    python examples/cafe.py "when do you open on sundays"

Learning needs scikit-learn (`pip install 'linnet[intents]'`); a classifier that was kept in a file does not.
"""

import sys

from linnet import Agent, Intent, Router, Rule
from linnet.agent.router import Check

HOURS = Intent(
    "opening_hours",
    examples=[
        "when do you open",
        "what are your opening hours",
        "are you open on sunday",
        "how late are you open tonight",
        "what time do you close",
        "until when can i come by today",
        "is the café open tomorrow morning",
    ],
    answer="We open at {opens} and close at {closes}, Mondays excepted.",
    values={"opens": "8:00", "closes": "18:30"},
)

TABLE = Intent(
    "book_table",
    examples=[
        "can i book a table for two",
        "i want to reserve a table",
        "do you take reservations",
        "we need a table for six people tonight",
        "is there a free table at noon",
        "please reserve the corner table for me",
        "a table for four on friday please",
    ],
    answer="We keep tables for {people}: call {phone}.",
    values={"phone": "555 0117", "people": "any number"},
    rules=[Rule(pattern=r"(?:a )?table for (?P<people>\d+)")],
)

VEGAN = Intent(
    "vegan",
    examples=[
        "do you have anything vegan",
        "is there oat milk",
        "which cakes are without eggs",
        "can i get the soup without cream",
        "what do you have for vegans",
        "do you serve plant based food",
        "is the bread made with butter",
    ],
    answer="The soup, the bread and the apple cake are vegan, and there is oat milk.",
)

SLOGAN = Intent(
    "slogan",
    rules=[Rule(prefix="slogan:", to="about")],
    prompt="Write one short sentence that makes people want {about}.",
    checks=[Check("one short sentence", longest=160, pattern=r"\w")],
    otherwise="Try our {about}!",
)

router = Router(
    intents=[HOURS, TABLE, VEGAN, SLOGAN],
    out_of_scope=[
        "who won the game last night",
        "what is the capital of peru",
        "write a poem about the sea",
        "how do i change a tire",
        "translate good morning to french",
    ],
)

if __name__ == "__main__":
    with Agent(router=router) as agent:
        result = agent.run(" ".join(sys.argv[1:]) or "when do you open on sundays")
    print(result.answer)
    print(f"how: {result.how}; {result.steps[0].detail}")

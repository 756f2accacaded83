"""A verified answer: the model writes a calculation out of the question's own numbers, and code computes it."""

from linnet import Agent
from linnet.agent.sums import word_problem

if __name__ == "__main__":
    with Agent() as agent:
        question = "Dora fills 12 bags with 35 marbles each. How many marbles is that?"
        done = word_problem.run(agent.model, question=question)
        print(done.value, done.how)
        for attempt in done.tries:
            print(f"  {attempt.by} said {attempt.text!r}: {attempt.detail or 'it holds'}")

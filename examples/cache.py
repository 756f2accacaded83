"""The same request twice: the second answer comes from the cache, and says so."""

import tempfile
from pathlib import Path

from linnet import Agent
from linnet.agent.cache import Cache

with tempfile.TemporaryDirectory() as folder, Cache(Path(folder) / "answers.db") as cache:
    with Agent(cache=cache) as agent:
        for _ in range(2):
            result = agent.run("What is the capital of France?")
            print(result.how, result.usage.generated_tokens, result.answer)
    print(len(cache), "results are kept")

"""Which answer of a list goes with a question, by vectors of texts: no word of the question need be in it.

python examples/embed.py "my parcel has not come"
"""

import sys

from linnet.agent.embedding import Embedding
from linnet.agent.semantic import Embedded, embedding_cache
from linnet.runtime.local import open_local

ANSWERS = (
    "How long does a delivery take?",
    "How do I send something back?",
    "Can I pay by credit card?",
    "Do you repair bicycles?",
)


def main(question: str) -> None:
    model = open_local("default")  # the path of an embedding GGUF does better
    try:
        with embedding_cache() as cache:
            near = Embedded(Embedding(model), cache)([question, *ANSWERS])
        likeness = near[1:] @ near[0]
        for score, text in sorted(zip(likeness.tolist(), ANSWERS, strict=True), reverse=True):
            print(f"{score:+.2f}  {text}")
    finally:
        model.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "how many days until my delivery arrives")

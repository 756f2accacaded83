"""From a submitted request to a job: its tokens, which of them are stable, and whether it fits at all."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from linnet.errors import ContextOverflow, EmptyRequest, KindUnsupported, RequestError, RequestTooLarge
from linnet.limits import LIMITS
from linnet.protocol import Submit
from linnet.requests import Count, Done, Embed, Generate, Score, Segment, Spell, Usage
from linnet.worker.generate import Generation
from linnet.worker.job import Job
from linnet.worker.llama import Llama
from linnet.worker.odds import spelled
from linnet.worker.prefix import common
from linnet.worker.score import Scoring
from linnet.worker.tokenise import tokenise


class Intake:
    """Requests to one model."""

    def __init__(self, llama: Llama, *, answers: bool = True) -> None:
        self._llama, self._answers = llama, answers
        self._stable = lru_cache(maxsize=64)(self.tokens)

    def job(self, submit: Submit) -> Job | Done:
        """The job that a request becomes, or what can be said of it at once. Raises a LinnetError for a wrong one."""
        request = submit.request
        assert not isinstance(request, Embed), "those are an Embedder's"
        if isinstance(request, Spell):
            return self._spelled(request)
        if submit.adapter and submit.adapter not in self._llama.adapters:
            raise RequestError(f"the worker has no adapter {submit.adapter!r}", adapter=submit.adapter)
        if not self._answers and not isinstance(request, Count):
            raise KindUnsupported("this model embeds texts, and says nothing")
        prompt = self.tokens(request.prompt)
        stable = self._stable_tokens(request, prompt)
        match request:
            case Count():
                return Done(count=len(prompt), usage=Usage(prompt_tokens=len(prompt)))
            case Score(alternatives=int()):
                return self._weighed(submit.id, request, prompt, submit.adapter)
            case Score(continuations=texts):
                continuations = [self._llama.tokenise(text) for text in texts]
                if not all(continuations):
                    raise EmptyRequest("a continuation is no token long, so there is nothing to score")
                self._check_room(len(prompt), sum(map(len, continuations)))
                return Scoring(submit.id, request, prompt, continuations, self._llama, submit.adapter, stable)
            case Generate(max_tokens=wanted):
                self._check_room(len(prompt), 1)
                limit = min(wanted, self._llama.context - len(prompt))
                sent = submit.emitted
                return Generation(submit.id, request, prompt, self._llama, limit, sent, submit.adapter, stable)

    def _weighed(self, id: int, request: Score, prompt: list[int], adapter: str) -> Job | Done:
        """A prompt whose own tokens are scored."""
        if request.continuations:
            raise RequestError("either a prompt is scored or what follows it", param="continuations")
        self._check_room(len(prompt), 0)
        if len(prompt) < 2:
            return Done(usage=Usage(prompt_tokens=len(prompt)))
        return Scoring(id, request, prompt[:1], [prompt[1:]], self._llama, adapter)

    def tokens(self, prompt: Any) -> list[int]:
        return tokenise(prompt, self._llama.vocabulary, self._llama.tokenise)

    def _spelled(self, request: Spell) -> Done:
        known = self._llama.vocabulary
        strange = next((one for one in request.ids if not 0 <= one < known.size), None)
        if strange is not None:
            raise RequestError(f"the model has {known.size:,} tokens, and none with the id {strange}", param="tokens")
        ids = list(request.ids)
        if not ids and request.text:
            before, behind = self._llama.around if request.whole else ([], [])
            segments = (Segment(request.text, request.trusted),)
            ids = [*before, *tokenise(segments, replace(known, bos=None), self._llama.tokenise), *behind]
        if len(ids) > (limit := LIMITS.spelled_tokens):
            raise RequestTooLarge(f"the text is {len(ids):,} tokens; the limit is {limit:,}", limit=limit)
        return Done(tokens=tuple(spelled(self._llama, one) for one in ids), count=len(ids))

    def _stable_tokens(self, request: Any, prompt: list[int]) -> int:
        """How many tokens the stable segments are: where they end, a token may reach into what follows."""
        if isinstance(request, Count) or not request.stable:
            return 0
        return common(self._stable(request.prompt[: request.stable]), prompt)

    def _check_room(self, prompt: int, wanted: int) -> None:
        context = self._llama.context
        if not prompt:
            raise EmptyRequest("the prompt is no token long, so there is nothing to go on from")
        if prompt + wanted > context:
            raise ContextOverflow(
                f"the prompt is {prompt} tokens and the context {context}, with {wanted} to come",
                prompt_tokens=prompt,
                context=context,
            )

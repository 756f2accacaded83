"""Likelihoods of one server: whether it tells them, found out once and believed until it fails; a `Score` as sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from linnet.errors import EmptyRequest, LinnetError, RemoteInvalid, RemoteRefused, RemoteUnsupported
from linnet.limits import LIMITS
from linnet.messages import Step
from linnet.requests import Done, Score, Segment, check_size
from linnet.runtime.errand import Ask, Errand
from linnet.runtime.exchange import Post
from linnet.runtime.likelihoods.found import found
from linnet.runtime.likelihoods.told import Way, told_by


class Likelihoods:
    """`post` makes what is sent to a URL. `ways` are tried in turn. From any thread."""

    def __init__(
        self,
        post: Callable[[str, bytes], Post],
        ways: Sequence[Way],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post, self._ways, self._clock = post, ways, clock
        self._lock = threading.Lock()
        self._way: Way | None = None
        self._known = False
        self._again = -float("inf")

    def learn(self) -> str:
        """How the server tells them, in words; "" where it does not, or has not said so within a few seconds, and is
        asked again after a minute. Raises nothing."""
        with self._lock:
            if not self._known and self._clock() >= self._again:
                self._again = self._clock() + LIMITS.remote_learn_again_seconds
                self._known = self._tried()
            return self._way.name if self._way else ""

    def _tried(self) -> bool:
        def work(ask: Ask) -> Done:
            self._way = found(ask, self._ways)
            return Done()

        errand = Errand(self._post, LIMITS.remote_learn_seconds, work)
        try:
            next(errand)
        except LinnetError:
            return False
        finally:
            errand.close()
        return True

    def stream(self, request: Score) -> Errand:
        """Raises RemoteUnsupported, before anything is sent, where they are not known to be told. The event is a
        RemoteUnsupported where the server refuses them or tells wrong ones after all: what was learnt of it is
        forgotten, and it is asked again no sooner than a minute after it was last."""
        way, prompt = self._way, _text(request)
        if way is None:
            raise RemoteUnsupported("the server is not known to give likelihoods of texts that it has not written")
        if not check_size((prompt, *request.continuations)) or not prompt:
            raise EmptyRequest("there is no text before what is to be scored")
        if not request.continuations:
            raise EmptyRequest("there is nothing to score")

        def work(ask: Ask) -> Done:
            begun = time.monotonic()
            try:
                told = told_by(way, ask, prompt, request.continuations)
            except (RemoteInvalid, RemoteRefused) as error:
                self._forget(way)
                message = f"the server gave likelihoods, and does so no longer: {error.message}"
                raise RemoteUnsupported(message, **error.details) from error
            step = Step("remote", f"scored by {way.name}", time.monotonic() - begun, {}, usage=told.usage)
            return Done(usage=told.usage, scores=told.scores, steps=(step,))

        return Errand(self._post, request.deadline, work)

    def _forget(self, way: Way) -> None:
        with self._lock:
            if self._way is way:
                self._way, self._known = None, False


def _text(request: Score) -> str:
    """Raises RemoteUnsupported for a prompt in messages, which the server's own template would have to render, and
    for one that is to be scored itself."""
    if request.alternatives is not None:
        raise RemoteUnsupported("a server scores what follows a text, and not the text")
    texts = [part.text for part in request.prompt if isinstance(part, Segment) and not part.trusted]
    if len(texts) < len(request.prompt) or request.answer_start or request.continues or request.tools:
        raise RemoteUnsupported(
            "a server scores what follows a plain text, not a conversation or a model's own marks"
        )
    return "".join(texts)

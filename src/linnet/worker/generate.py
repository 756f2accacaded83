"""One answer in the making: prefill, mask, sample, force, stop. The engine feeds it; it decides every token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from linnet.protocol import Emitted
from linnet.requests import Done, Finish, Generate, Usage
from linnet.tokens import Odds
from linnet.worker.batch import Lane
from linnet.worker.constrain import Guide
from linnet.worker.llama import Llama, Logits
from linnet.worker.lookup import Lookup
from linnet.worker.odds import certain, odds
from linnet.worker.sample import sample
from linnet.worker.text import TextStream

ROOM = 128
"""Tokens that an answer is given room for ahead of those it has: most answers are over by then."""


class Generation:
    """The state of one `Generate`. `emitted` are tokens that an earlier worker had sent already.

    They are fed with the prompt, and the guide and the text buffers are rebuilt from them, so the stream
    goes on where it was: nothing that was sent is sent again or changed.
    """

    def __init__(
        self,
        id: int,
        request: Generate,
        prompt: list[int],
        llama: Llama,
        limit: int,
        emitted: tuple[int, ...] = (),
        adapter: str = "",
        stable: int = 0,
    ) -> None:
        self.id = id
        self.owner, self.adapter = request.owner, adapter
        self.prompt, self.stable = prompt, stable
        self.done: Done | None = None
        self._request, self._llama = request, llama
        self._limit = limit
        self._text = TextStream(request.stop)
        self._tokens: list[int] = []
        self._unsent: list[int] = []
        self._odds: list[Odds] = []  # of those, where they were asked for
        self._whole = ""
        self._fresh = ""
        self._forced = 0
        self._cached: int | None = None
        self._paused = 0
        self._draft: list[int] = []  # guessed tokens at the end of the lane, which the answer may not go on with
        self._drafted = self._held = self._guessed = 0
        self._lookup: Lookup | None = None
        self._guide = Guide(llama.matcher_tokenizer, request.constraint) if request.constraint else None
        self.lane = self._lane([*prompt, *emitted])
        self._replay(emitted)
        self._force()

    @property
    def cells(self) -> int:
        """KV cells that it may come to need."""
        return len(self.prompt) + self._limit

    @property
    def now(self) -> int:
        """KV cells for the tokens that it has."""
        return len(self.prompt) + len(self._tokens) + len(self._draft)

    @property
    def soon(self) -> int:
        """KV cells to hold ready: it is paused once at most, and has all of them reserved from then on."""
        return self.cells if self._paused else min(self.cells, self.now + ROOM)

    @property
    def sequences(self) -> int:
        """Sequence numbers that it can use."""
        return 1

    @property
    def watched(self) -> bool:
        return bool(self._tokens)

    @property
    def fed(self) -> list[int]:
        """The tokens that stand in the cache for it."""
        return [*self.prompt, *self._tokens][: self.lane.position]

    def lanes(self) -> list[Lane]:
        return [self.lane]

    def start(self, sequences: Sequence[int], cached: int) -> None:
        """Take a sequence whose first `cached` positions are computed already."""
        self.lane.sequence = sequences[0]
        self.lane.advance(cached)
        if self._cached is None:
            self._cached = min(cached, len(self.prompt))

    def pause(self) -> bool:
        """Give up what is computed, to start again later from the same tokens; whether it can."""
        if self._paused:
            return False
        self._paused = max(1, self.lane.position)
        self._draft, self._drafted = [], 0
        self.lane = self._lane([*self.prompt, *self._tokens])
        return True

    def _lane(self, tokens: list[int]) -> Lane:
        # where tokens are forced, what is free must not depend on how many went together
        return Lane(pending=tokens, paired=self._guide is not None)

    def draft(self, limit: int) -> None:
        """Guess at most `limit` tokens ahead, to be computed with the next one."""
        room = min(limit, self._limit - len(self._tokens) - 1)
        if room < 1 or self._draft or self.done or not self._tokens or len(self.lane.pending) != 1:
            return
        if self._lookup is None:
            self._lookup = Lookup([*self.prompt, *self._tokens])
        ends = self._llama.vocabulary.control_ids
        guess = [*takewhile(lambda token: token not in ends, self._lookup.guess(room))]
        self._draft = guess[: self._guide.accepts(guess)] if self._guide and guess else guess
        self.lane.pending += self._draft
        self.lane.every = bool(self._draft)
        self._drafted, self._held = len(self._draft), 0

    def computed(self, lane: Lane, logits: list[Logits]) -> None:
        """The lane's tokens stand in the cache, and logits say what comes behind each of the last of them."""
        first = lane.position - len(logits)
        while self.done is None and logits and self._end - 1 < lane.position:
            self._choose(logits[self._end - 1 - first])
        if self.done or not self._draft:
            self._forget()

    @property
    def _end(self) -> int:
        """Tokens of prompt and answer: the position of the next one."""
        return len(self.prompt) + len(self._tokens)

    def _forget(self) -> None:
        """Drop what is left of a guess, from the lane and from the cache."""
        if waiting := min(len(self._draft), len(self.lane.pending)):
            del self.lane.pending[-waiting:]
        if computed := len(self._draft) - waiting:
            self.lane.position -= computed
            self._llama.cut(self.lane.sequence, self.lane.position)
        if self._drafted and self._lookup:
            self._lookup.judge(self._drafted, self._held)
        self._draft, self._drafted, self.lane.every = [], 0, False

    def records(self) -> list[Emitted]:
        """What has become of the answer since the last call."""
        if not self._fresh and not self._unsent:
            return []
        record = Emitted(self.id, self._fresh, tuple(self._unsent), tuple(self._odds))
        self._fresh, self._unsent, self._odds = "", [], []
        return [record]

    # --- deciding --------------------------------------------------------------------------------

    def _choose(self, logits: Logits) -> None:
        allowed = self._guide.allowed() if self._guide else None
        token = sample(logits, self._request.sampling, len(self._tokens), allowed)
        if token in self._llama.vocabulary.ends:
            self._finish("stop")
            return
        if self._guide:
            self._guide.take([token])
        most = self._request.alternatives
        self._take([token], [odds(self._llama, logits, token, most, allowed)] if most is not None else [])
        self._force()

    def _force(self) -> None:
        """Take what the constraint leaves no choice about, and see whether that was the end."""
        if self.done is None and self._guide:
            if forced := self._guide.forced(self._limit - len(self._tokens)):
                wanted = self._request.alternatives is not None
                self._take(forced, [certain(self._llama, token) for token in forced if wanted], forced=True)
            if self._guide.finished and self.done is None:
                self._finish("constraint")

    def _take(self, tokens: list[int], told: list[Odds], *, forced: bool = False) -> None:
        for place, token in enumerate(tokens):
            self._odds += told[place : place + 1]
            self._forced += forced
            self._append(token)
            self._unsent.append(token)
            self._show(token)
            if self._text.stopped:
                self._finish("stop")
                return
        if len(self._tokens) >= self._limit and not (self._guide and self._guide.finished):
            self._finish("length")

    def _append(self, token: int) -> None:
        """The answer goes on with this token, which stands in the lane already if it was guessed."""
        self._tokens.append(token)
        if self._lookup:
            self._lookup.add(token)
        if self._draft and self._draft[0] == token:
            del self._draft[0]
            self._held += 1
            self._guessed += 1
        else:
            self._forget()
            self.lane.pending.append(token)

    def _show(self, token: int, *, sent: bool = False) -> None:
        control = token in self._llama.vocabulary.control_ids
        text = "" if control else self._text.feed(self._llama.piece(token))
        self._whole += text
        if not sent:
            self._fresh += text

    def _replay(self, emitted: tuple[int, ...]) -> None:
        if self._guide and emitted:
            self._guide.take(list(emitted))
        for token in emitted:
            self._tokens.append(token)
            self._show(token, sent=True)
        # The earlier worker may have died between the last piece and the end.
        if self._text.stopped:
            self._finish("stop")
        elif len(emitted) >= self._limit and not (self._guide and self._guide.finished):
            self._finish("length")

    def _finish(self, finish: Finish) -> None:
        # What was held back until now comes with Done only. As a piece it would be sent again by the next
        # worker if this one died between the two, for no token stands for it.
        self._whole += self._text.feed(b"", final=True)
        self.done = Done(
            text=self._whole,
            finish=finish,
            usage=Usage(len(self.prompt), self._cached or 0, len(self._tokens), self._forced, self._guessed),
            captures=self._guide.captures(self._whole) if self._guide else {},
            degraded=tuple(self._degraded(finish)),
        )

    def _degraded(self, finish: Finish) -> Iterator[str]:
        if finish == "length" and self._limit < self._request.max_tokens:
            yield f"answer cut at {self._limit} tokens by the context"
        if self._paused:
            yield f"paused for want of room in the context; {self._paused} tokens were computed again"

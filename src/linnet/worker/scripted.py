"""The engine's twin without a model: says given bytes, and dies, hangs, floods or garbles on order.

Its vocabulary is the 256 bytes; a token's id is its byte. It stands behind the same pipe and obeys the same
rules (whole characters, stop strings, resuming from emitted tokens): what is tested with it holds for both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from linnet.errors import Cancelled, KindUnsupported, ProtocolBroken, RequestError
from linnet.protocol import Emitted, Ended, Submit, failed
from linnet.requests import Count, Done, Embed, Generate, Score, Spell, Usage
from linnet.script import Action, Deed, Die, Eat, Echo, Flood, Garble, Hang, Say, Script
from linnet.tokens import Odds, Token
from linnet.worker.face import Outgoing, Phase
from linnet.worker.text import TextStream


class ScriptedEngine:
    """Plays `script` for every request; `raw` writes bytes straight to the pipe."""

    def __init__(self, script: Script, generation: int, raw: Callable[[bytes], None]) -> None:
        self._script = script
        self._misbehaves = not script.generations or generation in script.generations
        self._raw = raw
        self._plays: dict[int, _Play] = {}
        self.progress = 0
        self.phase: Phase = "idle"
        for action in script.load if self._misbehaves else ():
            self._misbehave(action)

    @property
    def busy(self) -> bool:
        return bool(self._plays)

    def use_threads(self, decode: int, prefill: int) -> None:
        """Nothing is computed here."""

    def freed(self, offset: int) -> None:
        raise ProtocolBroken("a script saves nothing that could be freed")

    def rest(self) -> None:
        """Nothing is kept that could be tidied."""

    def leave(self) -> list[Outgoing]:
        return []

    def submit(self, submit: Submit) -> list[Outgoing]:
        match submit.request:
            case Generate():
                self._plays[submit.id] = _Play(submit, self._script.actions)
                return []
            case Score(continuations=texts):
                return [Ended(submit.id, Done(scores=tuple((-float(len(t)), len(t.encode())) for t in texts)))]
            case Count():
                return [Ended(submit.id, Done(count=_length(submit)))]
            case Spell(ids=ids) if not all(0 <= one < 256 for one in ids):
                return [failed(submit.id, RequestError("the tokens of a script are bytes: 0 to 255", param="tokens"))]
            case Spell(text=text, ids=ids):
                said = tuple(_token(byte) for byte in (ids or text.encode()))
                return [Ended(submit.id, Done(tokens=said, count=len(said)))]
            case Embed():
                return [failed(submit.id, KindUnsupported("a script embeds nothing"))]

    def cancel(self, id: int) -> list[Outgoing]:
        return [failed(id, Cancelled("cancelled by the caller"))] if self._plays.pop(id, None) else []

    def step(self) -> list[Outgoing]:
        """One action, or one byte, of every request."""
        out: list[Outgoing] = []
        for play in list(self._plays.values()):
            self.phase = "decode" if play.tokens else "prefill"
            action = play.next_action()
            if action is None:
                out += play.say()
                self.progress += 1
                time.sleep(self._script.seconds_per_token)
            elif isinstance(action, Flood):
                while play.speaking:
                    out += play.say()
            elif isinstance(action, Deed):
                play.begin(_done(action))
            elif self._misbehaves and self._script.poison in play.prompt:
                self._misbehave(action)
            if play.done:
                out.append(Ended(play.id, play.done))
                del self._plays[play.id]
        return out

    def _misbehave(self, action: Action) -> None:
        match action:
            case Die(signal=0, status=status):
                os._exit(status)
            case Die(signal=number):
                os.kill(os.getpid(), number)
            case Hang(seconds=seconds):
                time.sleep(seconds)
            case Eat(mib=size):
                bytearray(size << 20)
            case Garble(hex=text):
                self._raw(bytes.fromhex(text))
            case Say() | Echo() | Flood() | Deed():
                pass


def _done(deed: Deed) -> bytes:
    said: list[str] = []
    exec(compile(deed.python, "<deed>", "exec"), {"__name__": "__deed__", "say": said.append})
    return "".join(said).encode()


class _Play:
    """Where one request stands in the script. Bytes that a dead worker had sent are not said again."""

    def __init__(self, submit: Submit, actions: tuple[Action, ...]) -> None:
        assert isinstance(submit.request, Generate)
        self.id = submit.id
        self.prompt = "".join(segment.text for segment in submit.request.prompt if hasattr(segment, "text"))
        self.tokens: list[int] = list(submit.emitted)
        self.done: Done | None = None
        self._request = submit.request
        self._left = list(actions)
        self._skip = len(submit.emitted)
        self._bytes = b""
        self._text = TextStream(submit.request.stop)
        self._whole = self._text.feed(bytes(submit.emitted))

    def next_action(self) -> Action | None:
        """The next thing to do, or None while there are bytes to say or nothing is left."""
        if self._bytes or not self._left:
            return None
        action = self._left.pop(0)
        match action:
            case Say(hex=text):
                self.begin(bytes.fromhex(text))
            case Echo():
                self.begin(self.prompt.encode())
            case Flood(pieces=pieces):
                self.begin(b"x" * pieces)
        return None if isinstance(action, Say | Echo) else action

    def begin(self, said: bytes) -> None:
        self._bytes, self._skip = said[self._skip :], max(0, self._skip - len(said))

    @property
    def _over(self) -> bool:
        return self._text.stopped or len(self.tokens) >= self._request.max_tokens

    @property
    def speaking(self) -> bool:
        return bool(self._bytes) and self.done is None

    def say(self) -> list[Emitted]:
        text = ""
        tokens: tuple[int, ...] = ()
        if self._bytes and not self._over:
            byte, self._bytes = self._bytes[:1], self._bytes[1:]
            text, tokens = self._text.feed(byte), (byte[0],)
            self.tokens += tokens
        if self._over or not (self._bytes or self._left):
            rest = self._text.feed(b"", final=True)
            usage = Usage(len(self.prompt.encode()), 0, len(self.tokens), 0)
            cut = self._over and not self._text.stopped
            self.done = Done(self._whole + text + rest, "length" if cut else "stop", usage)
        self._whole += text
        told = tokens if self._request.alternatives is not None else ()
        odds = tuple(Odds(_token(byte), 0.0) for byte in told)
        return [Emitted(self.id, text, tokens, odds)] if text or tokens else []


def _token(byte: int) -> Token:
    return Token(byte, bytes([byte]).hex())


def _length(submit: Submit) -> int:
    assert isinstance(submit.request, Count)
    return sum(len(s.text.encode()) for s in submit.request.prompt if hasattr(s, "text"))

"""Which way a server tells likelihoods, if any: each is tried once on a short text, and held to what must be so."""

from __future__ import annotations

from collections.abc import Sequence

from linnet.errors import RemoteFailed, RemoteInvalid, RemoteRefused
from linnet.runtime.errand import Ask
from linnet.runtime.likelihoods.told import Way, told_by

_PROMPT = "one, two, three, four, five,"
_LIKELY, _ODD = " six", " zebra"

_ABSENT = (404, 405, 500, 501)
"""What servers say where a path or a field is not there, beside refusing it."""


def found(ask: Ask, ways: Sequence[Way]) -> Way | None:
    """The first way that works. Raises what leaves it open, as where nobody listens."""
    for way in ways:
        try:
            (likely, _), (odd, _) = told_by(way, ask, _PROMPT, (_LIKELY, _ODD)).scores
        except (RemoteRefused, RemoteInvalid):
            continue
        except RemoteFailed as error:
            if error.details.get("status") in _ABSENT and "retry_after" not in error.details:
                continue
            raise
        # After a grammar or a sampler whatever was said is certain.
        if odd < likely < 0.0:
            return way
    return None

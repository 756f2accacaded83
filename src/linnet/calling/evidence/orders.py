"""Where a request orders something: `convert 5 miles to km` `and wake me at 7` are two orders.

By grammar alone: a verb in its bare form where a sentence begins, behind a comma or a conjunction, or behind "can
you", "please" and the like.
"""

from __future__ import annotations

import re
from itertools import pairwise

from linnet.calling.evidence.reading import Reading

VERBS = frozenset(
    "add adjust alert analyze announce append apply arrange ask assign attach block book brew buy calculate call "
    "cancel capture change charge check clean clear close compare compose compute connect convert copy count "
    "create cut decrease delete deliver determine dim disable disconnect display download draft draw email enable "
    "encrypt estimate evaluate export extract feed fetch fill filter find fix forward generate get give guess "
    "heat help hide identify import increase inform insert install invite launch list load locate lock log look "
    "lower mail mark measure merge message move mute notify open order park pause pay phone plan play plot post "
    "predict print publish purchase put raise read reboot recommend record reduce refund register remind remove "
    "rename rent repeat replace reply report request reschedule reserve reset resize restart restore resume "
    "retrieve return ring roll rotate run save schedule search see sell send set share shorten show shuffle "
    "simulate skip snooze solve sort split start stop store submit subscribe suggest summarize switch take tell "
    "text toggle track transfer translate turn uninstall unlock unmute unsubscribe update upgrade upload verify "
    "visit vacuum wake warm water write".split()
)
"""What agents are told to do, in everyday words."""

_JOINTS = frozenset(("and", "then", "also", "plus", "please", "finally", "lastly"))
"""Words that an order may follow; those of them that are left hanging at its end belong to the next one."""

_ASKED = re.compile(
    r"\b(?:(?:can|could|would|will) you|(?:want|need|like) you to)(?: please| also| then)? $", re.IGNORECASE
)

_ASKED_CHARS = 40


def orders(reading: Reading) -> list[tuple[int, int]]:
    """`(first, last)` words of each order, as they come; what stands before the first belongs to none."""
    starts = [i for i, word in enumerate(reading.words) if word.lower in VERBS and _ordered(reading, i)]
    return [(first, _last(reading, first, end - 1)) for first, end in pairwise([*starts, len(reading.words)])]


def _ordered(reading: Reading, index: int) -> bool:
    gap = reading.words[index].gap
    if index in reading.sentence_starts or "," in gap or ";" in gap:
        return True
    if reading.words[index - 1].lower in _JOINTS:
        return not gap.strip()
    start = reading.words[index].start
    return bool(_ASKED.search(reading.text[max(0, start - _ASKED_CHARS) : start]))


def _last(reading: Reading, first: int, last: int) -> int:
    while last > first and reading.words[last].lower in _JOINTS:
        last -= 1
    return last

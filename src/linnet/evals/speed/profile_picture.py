"""The picture of a profile: memory of caller and workers over time, above the phases that it went through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linnet.evals.speed.picture import figure, save
from linnet.evals.speed.profile import Profile
from linnet.evals.speed.sampler import Sample
from linnet.limits import MIB

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CALLER, _WORKERS = "#b5651d", "#1f5a99"
_PHASES = {
    "start": "#d9d9d9",
    "load": "#bcbddc",
    "route": "#9ecae1",
    "choose": "#fdd0a2",
    "fill": "#fdae6b",
    "prefill": "#a1d99b",
    "decode": "#74c476",
    "tools": "#fa9fb5",
    "other": "#f0f0f0",
    "end": "#d9d9d9",
}


def draw(profile: Profile, title: str, path: Path) -> None:
    """Write the picture to a file. Raises InputInvalid if it cannot be written."""
    drawn = figure(11, 5)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    _memory(above, profile.samples)
    _phases(below, profile)
    below.set_xlabel("seconds since the process began")
    below.set_xlim(0, profile.seconds)
    drawn.suptitle(title, fontsize=11)
    save(drawn, path)


def _memory(axes: Axes, samples: Sequence[Sample]) -> None:
    """Resident memory as lines, the private part of it as areas."""
    at = [sample.at for sample in samples]
    for label, colour, held in (
        ("caller", _CALLER, [sample.caller for sample in samples]),
        ("workers", _WORKERS, [sample.workers for sample in samples]),
    ):
        axes.plot(at, [one.resident / MIB for one in held], color=colour, label=f"{label}, resident")
        private = [one.private / MIB for one in held]
        axes.fill_between(at, private, color=colour, alpha=0.25, linewidth=0, label=f"{label}, private")
    axes.set_ylabel("memory (MiB)")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, ncols=2, loc="upper left")


def _phases(axes: Axes, profile: Profile) -> None:
    told = set()
    for each in profile.stretches:
        label = each.phase if each.phase not in told else None
        told.add(each.phase)
        axes.axvspan(each.begin, each.end, color=_PHASES[each.phase], label=label, linewidth=0)
    axes.set_yticks([])
    axes.legend(frameon=False, ncols=len(told), loc="upper center", bbox_to_anchor=(0.5, 1.6), fontsize=9)

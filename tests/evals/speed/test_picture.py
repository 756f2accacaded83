"""The picture: refused before the work where it cannot be drawn, and drawn."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from linnet.errors import InputInvalid, RequestError
from linnet.evals.speed import picture
from linnet.evals.speed.measure import Measure

pytest.importorskip("matplotlib")

MEASURES = [
    *(Measure("prefill", "tok/s", (200.0, 210.0), "more", n, "raw", (220.0, 215.0)) for n in (128, 512)),
    *(Measure("streams", "tok/s", (90.0 * n, 80.0 * n), "more", n, "raw", (99.0 * n, 90.0 * n)) for n in (1, 2, 4)),
    Measure("rule", "ms", (1.0,)),
]


def test_it_is_drawn_with_both_panels_and_their_units(tmp_path: Path) -> None:
    path = tmp_path / "cost.svg"
    picture.draw(MEASURES, "a model, 2 threads", path)
    drawn = path.read_text()
    assert drawn.count('id="axes_') == 2
    for text in ("length of the prompt (tokens)", "time to the first token (s)", "answers at once", "(ms)", "tok/s"):
        assert f"<!-- {text}" in drawn or text in drawn, text


def test_a_png_is_one_and_is_large_enough_to_read(tmp_path: Path) -> None:
    path = tmp_path / "cost.png"
    picture.draw(MEASURES, "a model", path)
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(data[16:20], "big") >= 1_200


def test_what_was_not_measured_is_left_out_of_it(tmp_path: Path) -> None:
    picture.draw([], "nothing", tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 1_000


@pytest.mark.parametrize("name", ["cost.txt", "cost", "none/cost.png"])
def test_a_path_that_cannot_be_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputInvalid):
        picture.check(tmp_path / name)
    picture.check(tmp_path / "cost.png")


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError) as refused:
        picture.check(tmp_path / "cost.png")
    assert "linnet[bench]" in refused.value.hint

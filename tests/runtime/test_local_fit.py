"""What does not fit is refused before anything is started; a machine whose GPU is idle says so in every answer."""

from __future__ import annotations

import pytest

from linnet.errors import OutOfMemory
from linnet.hardware.machine import Accelerator, Machine
from linnet.requests import Choice, Generate, Segment, complete
from linnet.runtime import local

PROMPT = (Segment("Say yes or no: ", False),)


def test_a_context_that_does_not_fit_is_refused_with_the_largest_that_does() -> None:
    with pytest.raises(OutOfMemory) as refused:
        local.open_local("default", context=1 << 23)
    error = refused.value
    assert "8388608 tokens need" in error.message and "tokens fit" in error.message
    assert error.hint == f"Use --context {error.details['largest']}."
    assert 512 <= error.details["largest"] == error.details["by_cache"]["f16"] < error.details["by_cache"]["q8_0"]


def test_where_nothing_fits_a_smaller_model_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.probe, "probe", lambda: Machine("linux", "x86_64", memory_available=200 << 20))
    with pytest.raises(OutOfMemory) as refused:
        local.open_local("default")
    assert "smaller model" in refused.value.hint
    assert refused.value.details["largest"] == 0


def test_an_idle_gpu_is_told_in_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Accelerator("cuda", "NVIDIA H200", driver="550")
    probed = local.probe.probe
    monkeypatch.setattr(local.probe, "probe", lambda: Machine(**{**vars(probed()), "gpus": (card,)}))
    model = local.open_local("default", context=512)
    try:
        done = complete(model, Generate(PROMPT, constraint=Choice(("yes", "no")), max_tokens=4))
    finally:
        model.close()
    assert done.degraded == ("the model ran on the CPU, not on NVIDIA H200 (no-cuda-build)",)

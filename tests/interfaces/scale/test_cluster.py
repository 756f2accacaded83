"""What Ray says when it cannot begin or join, as the errors of a command. No cluster is begun."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any

import pytest

from linnet.errors import SettingsInvalid
from linnet.interfaces.scale import cluster as module
from linnet.interfaces.scale.cluster import cluster


@pytest.mark.parametrize("error", [ConnectionError("nobody\nis there"), RuntimeError("a token is wanted")])
def test_an_address_where_no_cluster_is_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def init(**named: Any) -> None:
        raise error

    ray = ModuleType("ray")
    ray.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(module, "check_installed", lambda: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(SettingsInvalid) as caught, cluster("nowhere:1"):
        pytest.fail("there is no cluster")
    assert "nobody is there" in caught.value.message or "a token is wanted" in caught.value.message
    assert "ray status" in caught.value.hint and caught.value.details == {"address": "nowhere:1"}

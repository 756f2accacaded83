"""What no client sends: answered with 2xx or 4xx, in the documented shapes, and the server goes on as before."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from schemathesis import checks, openapi

from linnet import tool
from linnet.script import Say

Says = Callable[[str], Say]
HERE = Path(__file__).parent

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def strange() -> Any:
    spec = importlib.util.spec_from_file_location("strange", HERE / "strange.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_strange_bodies_are_answered_with_2xx_or_4xx(http: httpx.Client) -> None:
    """Some of them; all 5,000 are in tests/torture/strange_bodies.py."""
    seen = set()
    for path, body in strange().bodies(seed=7, count=60):
        done = http.post(path, content=body)
        seen.add(done.status_code)
        assert 200 <= done.status_code < 300 or 400 <= done.status_code < 500, (path, body, done.text)
        assert done.status_code < 400 or done.json()["error"]["code"], (path, body)
    assert {200, 400} <= seen and http.get("/health").status_code == 200


KEPT = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.allow_header_conformance,
]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_the_openapi_document_is_kept(serving: Any, says: Says) -> None:
    """schemathesis reads it and tries every path of it, with what it allows and what it does not."""
    running = serving(says("Hi"), tools=(add,))
    schema = openapi.from_url(f"{running.url}/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()

        @hypothesis.settings(
            max_examples=6,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy())
        def attempt(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=KEPT, timeout=30)

        attempt()
    assert tried > 60 and running.idle()

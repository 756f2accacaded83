"""One table of statuses: complete, and told in each protocol's own shape."""

from __future__ import annotations

import pytest

from linnet import errors
from linnet.errors import LinnetError, code_of, tree
from linnet.interfaces.http.errors import STATUS, anthropic_body, as_ours, headers_of, openai_body, status_of

EVERY = tree()

RETRIED = {401: False, 403: False, 404: False, 400: False, 413: False}


@pytest.mark.parametrize("kind", EVERY, ids=code_of)
def test_every_error_has_a_status_that_goes_with_it(kind: type[LinnetError]) -> None:
    error = kind("it did not work")
    status = status_of(error)
    assert 400 <= status < 600
    if error.who == "caller" and not issubclass(kind, errors.ToolError | errors.EngineError):
        assert status < 500, "what the caller did is no fault of the server"
    if status < 500 and status not in (408, 409):  # 409: somebody else is at it, and will have done
        assert not error.retryable or isinstance(error, errors.ModelInUse), (
            "a client may not be sent round in circles"
        )


def test_the_table_names_nobody_twice_and_no_stranger() -> None:
    assert set(STATUS) <= set(EVERY) and LinnetError in STATUS
    direct = {kind for kind in EVERY if kind.__base__ is LinnetError}
    assert direct <= set(STATUS), "each branch of the tree is decided on"


@pytest.mark.parametrize("kind", EVERY, ids=code_of)
def test_both_shapes_carry_the_code(kind: type[LinnetError]) -> None:
    error = kind("told", hint="do this", param="model")
    ours = openai_body(error)["error"]
    assert (ours["code"], ours["message"], ours["hint"], ours["param"]) == (error.code, "told", "do this", "model")
    assert isinstance(ours["type"], str)
    theirs = anthropic_body(error)
    assert theirs["type"] == "error" and theirs["error"]["code"] == error.code


def test_busy_says_when_to_come_back() -> None:
    assert headers_of(errors.QueueFull("full", retry_after=7.4)) == {"Retry-After": "7"}
    assert headers_of(errors.Cancelled("bye")) == {"Retry-After": "1"}


@pytest.mark.parametrize(
    ("kind", "never"),
    [
        *((errors.RequestError, True), (errors.TemplateFailed, True), (errors.DeadlineExceeded, True)),
        *((errors.QueueFull, False), (errors.WorkerCrashed, False)),
    ],
)
def test_what_would_fail_again_is_not_sent_again(kind: type[LinnetError], never: bool) -> None:
    assert (headers_of(kind("no")).get("x-should-retry") == "false") is never


def test_what_nobody_foresaw_is_in_the_log_and_says_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    told = as_ours(ValueError("/home/me/secret"))
    assert "secret" in caplog.text
    assert "secret" not in str(openai_body(told)) and status_of(told) == 500

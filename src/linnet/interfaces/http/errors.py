"""Which HTTP status an error has, and its JSON in the shapes that clients know: one table, and nothing else."""

from __future__ import annotations

import logging
from typing import Any

from linnet import errors
from linnet.errors import LinnetError

STATUS: dict[type[LinnetError], int] = {
    LinnetError: 500,
    errors.RequestError: 400,
    errors.RequestTooLarge: 413,
    errors.NotThere: 404,
    errors.NotAuthorized: 401,
    errors.Forbidden: 403,
    errors.SettingsInvalid: 500,
    errors.ModelError: 500,
    errors.RunUnderWay: 409,
    errors.ModelNotFound: 404,
    errors.EngineError: 503,
    errors.WorkerCrashed: 500,
    errors.ProtocolBroken: 500,
    errors.DeadlineExceeded: 504,
    errors.RemoteError: 502,
    errors.RemoteBusy: 503,
    errors.RemoteDown: 503,
    errors.RemoteSilent: 504,
    errors.EscalationDenied: 403,
    errors.Unanswered: 502,
    errors.ToolError: 500,
    errors.ToolArgumentsInvalid: 400,
    errors.ToolDenied: 403,
    errors.ToolTimeout: 504,
    errors.StoreError: 500,
    errors.StoreUnavailable: 503,
    errors.SandboxUnavailable: 500,
}
"""What is not here has the status of its parent."""

RETRY_SECONDS = 1
"""What a client is asked to wait where nothing better is known."""

_OPENAI = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_ANTHROPIC = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    503: "overloaded_error",
    504: "timeout_error",
}


def status_of(error: LinnetError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def headers_of(error: LinnetError) -> dict[str, str]:
    """What goes beside the body: when to come back, if at all, and how to say who one is. OpenAI's and Anthropic's
    clients send all that has a status from 500 on once more by themselves: what took too long would again."""
    status = status_of(error)
    found: dict[str, str] = {}
    if status == 503:
        found["Retry-After"] = str(max(1, round(error.details.get("retry_after", RETRY_SECONDS))))
    if not error.retryable or isinstance(error, errors.DeadlineExceeded):
        found["x-should-retry"] = "false"
    if status == 401:
        found["WWW-Authenticate"] = "Bearer"
    return found


def openai_body(error: LinnetError, status: int | None = None) -> dict[str, Any]:
    """OpenAI's shape, with ours beside it: `hint`, `who`, `retryable`, `details`."""
    status = status or status_of(error)
    kind = _OPENAI.get(status, "invalid_request_error" if status < 500 else "server_error")
    told = error.describe()
    return {"error": {**told, "type": kind, "param": error.details.get("param")}}


def anthropic_body(error: LinnetError) -> dict[str, Any]:
    status = status_of(error)
    kind = _ANTHROPIC.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {**error.describe(), "type": kind}}


def as_ours(error: BaseException) -> LinnetError:
    """Any exception as one of ours; what nobody foresaw says no more than its class, for clients are strangers. The
    log has the rest."""
    if isinstance(error, LinnetError):
        return error
    logging.getLogger("linnet").error("unexpected %s", type(error).__name__, exc_info=error)
    return LinnetError(f"unexpected {type(error).__name__}")

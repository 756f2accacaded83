"""Every error Linnet raises, and what the reader of one should do.

    LinnetError
    |-- RequestError             the caller asked for something that cannot be done
    |   |-- EmptyRequest         there is no text in the request
    |   |-- RequestTooLarge      over a byte limit, before any work was done
    |   |-- ContextOverflow      prompt and answer do not fit the model's context
    |   |-- ConstraintInvalid    the constraint cannot be lowered to a grammar
    |   |-- InputInvalid         a file or stream that the caller named cannot be used
    |   |-- RunUnderWay          another turn is at work on the run of that id
    |   |-- ToolsUnsupported     the model's chat template has no place for tools
    |   |-- KindUnsupported      the model does not take requests of this kind
    |   |-- RemoteUnsupported    a server cannot be asked for this
    |   |-- NotOffered           this server, or its engine, has no such thing
    |   |-- NotThere             no such path, or nothing by that name, on this server
    |   |-- NotAuthorized        the server's key is missing or wrong
    |   |-- Forbidden            an address, host name or origin that is not allowed
    |   |-- SettingsInvalid      unknown or ill-typed setting
    |   `-- ToolInvalid          a tool whose signature or rules cannot be used
    |-- ModelError               the model file, or what it carries
    |   |-- ModelNotFound        no such model, file or package
    |   |-- ModelInvalid         not a GGUF file that the engine may see
    |   |-- ModelMismatch        the bytes are not those of the catalogue
    |   |-- ModelInUse           a running Linnet has the model open
    |   |-- PullFailed           the hub did not give the whole file
    |   |   |-- HubDenied        the hub wants a token, or a right that the token lacks
    |   |   `-- HubOffline       offline mode forbids asking the hub
    |   |-- StorageFull          the disk has no room for the file
    |   `-- TemplateFailed       the model's chat template failed, or was stopped
    |-- EngineError              the process that runs the model
    |   |-- WorkerStartFailed    it never said it was ready
    |   |-- WorkerCrashed        it died, and restarting did not help
    |   |-- WorkerHung           it stopped making progress
    |   |-- PoisonRefused        the same input has ended two workers lately
    |   |-- ProtocolBroken       it sent what is not a record
    |   |-- ReplicaLost          the machines that had it were lost, one after the other
    |   |-- OutOfMemory          the machine or its quota has no room
    |   |-- QueueFull            too many requests wait already
    |   |-- DeadlineExceeded     the request's own time is up
    |   `-- Cancelled            the caller asked for it
    |-- RemoteError              a server that the user has configured
    |   |-- RemoteUnreachable    no connection, or none that can be trusted
    |   |-- RemoteDenied         the key is missing, wrong, or may not do this
    |   |-- RemoteBusy           too many requests for it, or too many tokens
    |   |-- RemoteRefused        it does not take this request
    |   |-- RemoteFailed         it says that it failed itself
    |   |-- RemoteInvalid        what it sent is no answer, or is too much
    |   |-- RemoteCut            the answer ended before its end
    |   |-- RemoteSilent         nothing came for too long
    |   |-- RemoteDown           none of several servers may be asked for a while
    |   `-- EscalationDenied     sending is not allowed, or its budget is spent
    |-- Unanswered               everybody was asked and nobody had an answer
    |-- ToolError                a tool call that was wanted and did not work
    |   |-- ToolArgumentsInvalid the arguments do not fit the tool's schema
    |   |-- ToolDenied           the permission was not given
    |   |-- ToolFailed           the tool raised
    |   |   `-- ToolUnbound      there is no function behind it: nothing was run
    |   |-- ToolTimeout          the tool did not return in its time
    |   `-- ToolInterrupted      the program ended while the tool may have run
    |-- StoreError               a file in which Linnet keeps what it is to remember
    |   |-- StoreDamaged         it is torn, or another program's
    |   |-- StoreUnavailable     it cannot be opened, read or written now
    |   `-- StoreOverfull        its limit, or the disk, takes no more
    `-- SandboxUnavailable       a sandbox was demanded that this kernel lacks

Each class says who must act, whether the same request may work later, and with which exit code a
command ends. Errors cross the pipe as `code`, `message` and `details`, never as pickles.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

Actor = Literal["caller", "operator", "tool author", "linnet"]

FAILED, USAGE, REFUSED, RESOURCES = 1, 2, 3, 4
"""Exit codes of every command, beside 0 for done."""


class LinnetError(Exception):
    """Root of the tree. `details` are plain JSON values that the message also tells in words."""

    who: ClassVar[Actor] = "linnet"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = FAILED
    default_hint: ClassVar[str] = "This is a fault in Linnet; please report it with `linnet doctor --json`."

    def __init__(self, message: str, *, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.details = details

    @property
    def code(self) -> str:
        """The class name in snake case: the stable name in JSON and on the pipe."""
        return code_of(type(self))

    def describe(self) -> dict[str, Any]:
        """The one JSON form of an error, the same on the command line and on the pipe."""
        told = ("code", "message", "hint", "who", "retryable", "details")
        return {name: getattr(self, name) for name in told}


class RequestError(LinnetError):
    who: ClassVar[Actor] = "caller"
    exit_code = USAGE
    default_hint = "Change the request and send it again."


class EmptyRequest(RequestError):
    default_hint = "Give the request as text, for example: linnet run 'What is 2 + 2?'"


class RequestTooLarge(RequestError):
    exit_code = RESOURCES
    default_hint = "Send less text; `linnet limits` shows the number. Long material belongs in a file."


class ContextOverflow(RequestError):
    exit_code = RESOURCES
    default_hint = "Shorten the request, lower max_tokens, or load the model with a larger context."


class ConstraintInvalid(RequestError):
    default_hint = "Simplify the constraint; the message names the part that has no grammar."


class InputInvalid(RequestError):
    default_hint = "Correct the file, or name another one."


class RunUnderWay(RequestError):
    retryable = True


class ToolsUnsupported(RequestError):
    default_hint = "Let Linnet guide the model through the call (`linnet run`), or use a model made for tools."


class KindUnsupported(RequestError):
    default_hint = "Use another model: `linnet models list` has their names, docs/embed.md says which of them embed."


class RemoteUnsupported(RequestError):
    default_hint = "Ask a local model for it, or ask the server in messages and within a JSON Schema."


class NotOffered(RequestError):
    default_hint = "Leave it out of the request; docs/http.md lists what is offered."


class NotThere(RequestError):
    default_hint = "See /openapi.json for the paths that there are."


class NotAuthorized(RequestError):
    exit_code = REFUSED
    default_hint = "Send the key as `Authorization: Bearer KEY`, or as `x-api-key`."


class Forbidden(RequestError):
    exit_code = REFUSED
    default_hint = "Allow it when the server is started: --allow-host, --allow-origin."


class SettingsInvalid(RequestError):
    who: ClassVar[Actor] = "operator"
    default_hint = "Correct the setting in the file or the environment variable that is named."


class ToolInvalid(RequestError):
    who: ClassVar[Actor] = "tool author"
    default_hint = "Give every parameter a JSON type: str, int, float, bool, Literal, list, dict or a model of them."


class ModelError(LinnetError):
    who: ClassVar[Actor] = "operator"
    default_hint = "Check the file with `linnet doctor`, or use the default model."


class ModelNotFound(ModelError):
    exit_code = USAGE
    default_hint = "Give a path to a .gguf file, or the name `default`."


class ModelInvalid(ModelError):
    exit_code = REFUSED
    default_hint = "The file is damaged, incomplete or hostile: fetch it again from its source."


class ModelMismatch(ModelError):
    exit_code = REFUSED
    default_hint = "The file is not the one Linnet knows by this name: install it again."


class ModelInUse(ModelError):
    retryable = True
    default_hint = "End the Linnet that has it open, or remove it with --force."


class PullFailed(ModelError):
    retryable = True
    default_hint = "Run the same command again: it goes on where this one ended."


class HubDenied(PullFailed):
    retryable = False
    default_hint = "Accept the model's terms on the hub, and set HF_TOKEN to a token that may read it."


class HubOffline(PullFailed):
    exit_code = REFUSED
    retryable = False
    default_hint = "Leave offline mode (HF_HUB_OFFLINE, or the setting `offline`), or name a model that is stored."


class StorageFull(ModelError):
    exit_code = RESOURCES
    default_hint = "Free space on that disk, or set LINNET_MODELS to a folder on another one."


class TemplateFailed(ModelError):
    default_hint = "The chat template inside the model file is at fault; choose a template or another file."


class EngineError(LinnetError):
    who: ClassVar[Actor] = "operator"
    retryable = True
    default_hint = "Try again; if it returns, run `linnet doctor`."


class WorkerStartFailed(EngineError):
    exit_code = RESOURCES


class WorkerCrashed(EngineError):
    default_hint = "The request or the file may be what kills the engine: try it alone, with a smaller context."


class WorkerHung(EngineError):
    default_hint = "The machine may be overloaded: give it fewer threads, or the request more time."


class PoisonRefused(EngineError):
    exit_code = REFUSED
    default_hint = "Change the input, or wait as long as the message says; `linnet limits` shows the time."


class ProtocolBroken(EngineError):
    who: ClassVar[Actor] = "linnet"
    default_hint = "The worker sent what is not a record, so nothing else it says is believed."


class ReplicaLost(EngineError):
    default_hint = "Look at the cluster (/metrics, `ray status`): replicas are being lost faster than requests end."


class OutOfMemory(EngineError):
    exit_code = RESOURCES
    default_hint = "Use a smaller model or context; `linnet doctor` shows what fits."


class QueueFull(EngineError):
    exit_code = RESOURCES
    default_hint = "Wait for running requests to finish; `linnet limits` shows the queue's length."


class DeadlineExceeded(EngineError):
    default_hint = "Give the request a longer deadline, or ask for fewer tokens."


class Cancelled(EngineError):
    who: ClassVar[Actor] = "caller"
    default_hint = "The request was cancelled by its caller."


class RemoteError(LinnetError):
    who: ClassVar[Actor] = "operator"
    retryable = True
    default_hint = "Try again later, or leave the remote server out (`allow_remote`)."


class RemoteUnreachable(RemoteError):
    default_hint = "Check the address (`remote_url`), the network, and that the server runs."


class RemoteDenied(RemoteError):
    exit_code = REFUSED
    retryable = False
    default_hint = "Set LINNET_REMOTE_KEY to a key that this server knows and that may use this model."


class RemoteBusy(RemoteError):
    exit_code = RESOURCES
    default_hint = "Wait as long as the server asks, or raise its limits."


class RemoteRefused(RemoteError):
    retryable = False
    default_hint = "Check that the server has the path in `remote_url` and the model in `remote_model`."


class RemoteFailed(RemoteError):
    default_hint = "The fault is on the server's side: try again later."


class RemoteInvalid(RemoteError):
    retryable = False
    default_hint = "Check that the server at `remote_url` speaks OpenAI's chat completions, streamed."


class RemoteCut(RemoteError):
    default_hint = "What came before is not the whole answer: try again."


class RemoteSilent(RemoteError):
    default_hint = "The server may be overloaded: try again later."


class RemoteDown(RemoteError):
    exit_code = RESOURCES
    default_hint = "See what each server failed with (`linnet doctor`), and try again after the time that is named."


class EscalationDenied(RemoteError):
    exit_code = REFUSED
    retryable = False
    default_hint = "Set `allow_remote`, or raise the budget, if requests may be sent to that server."


class Unanswered(LinnetError):
    who: ClassVar[Actor] = "operator"
    default_hint = "The message says why each one had no answer; add one that has."


class ToolError(LinnetError):
    who: ClassVar[Actor] = "tool author"
    default_hint = "See the tool's own message."


class ToolArgumentsInvalid(ToolError):
    who: ClassVar[Actor] = "caller"
    default_hint = "Say the missing or wrong argument in the request."


class ToolDenied(ToolError):
    who: ClassVar[Actor] = "operator"
    exit_code = REFUSED
    default_hint = "Allow the permission by name if you want this tool to do it."


class ToolFailed(ToolError):
    pass


class ToolUnbound(ToolFailed):
    default_hint = "Give the tool a function: `function=` where it is made."


class ToolTimeout(ToolError):
    default_hint = "The tool ran past its deadline; give it a longer one, or make it return."


class ToolInterrupted(ToolError):
    default_hint = "See what the tool has done; --resume --retry runs the request once more."


class StoreError(LinnetError):
    who: ClassVar[Actor] = "operator"
    default_hint = "Look at the file that is named, and at the disk that it is on."


class StoreDamaged(StoreError):
    default_hint = "Nothing of it was changed; keep it, or take it away, and try again."


class StoreUnavailable(StoreError):
    retryable = True
    default_hint = "Another program may hold it, or this account may not write it."


class StoreOverfull(StoreError):
    exit_code = RESOURCES
    default_hint = "Free space on the disk, or forget what is no longer needed."


class SandboxUnavailable(LinnetError):
    who: ClassVar[Actor] = "operator"
    exit_code = REFUSED
    default_hint = "Run without --require-sandbox to accept a weaker one; `linnet doctor` says what is missing."


def code_of(error: type[LinnetError]) -> str:
    """`WorkerCrashed` -> `worker_crashed`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in error.__name__).lstrip("_")


def tree(root: type[LinnetError] = LinnetError) -> list[type[LinnetError]]:
    """Every class below and with `root`, depth first: for the pipe's table and for the tests."""
    return [root, *(leaf for child in root.__subclasses__() for leaf in tree(child))]


def from_code(code: str, message: str, hint: str | None = None, details: dict[str, Any] | None = None) -> LinnetError:
    """The error that `describe` told of on the other side of the pipe; an unknown code is a broken protocol."""
    for kind in tree():
        if code_of(kind) == code:
            error = kind(message, hint=hint)
            error.details = dict(details or {})  # not as keywords: their names come from the other side
            return error
    return ProtocolBroken(f"the worker reported an unknown error {code!r}: {message}")

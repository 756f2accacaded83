"""The replicas of one deployment, by Ray Serve's handle. Foreign failures become Lost, in one place."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncGenerator, Collection
from typing import Any

from linnet import log
from linnet.errors import EngineError, LinnetError, QueueFull
from linnet.interfaces.scale.flow import Flow, Lost, Silent
from linnet.interfaces.scale.routing import AVOIDED
from linnet.interfaces.scale.wire import Facts, read_facts
from linnet.limits import LIMITS


class HandledReplicas:
    """Those behind a DeploymentHandle."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._facts: Facts | None = None
        self._lock = threading.Lock()

    async def call(self, call: bytes, key: str, avoid: Collection[str]) -> AsyncGenerator[bytes, None]:
        answers = self._handle.options(stream=True, session_id=key)
        response = answers.answer.remote(call, **{AVOIDED: tuple(avoid)})
        try:
            async for chunk in response:
                yield chunk
        except Exception as error:
            raise translated(error) from error
        finally:
            with contextlib.suppress(Exception):  # it may be over, or the replica gone
                response.cancel()

    def facts(self) -> Facts:
        """Asked once. Blocks, so not in an event loop the first time."""
        with self._lock:
            if self._facts is None:
                self._facts = self._asked()
            return self._facts

    def renew(self) -> None:
        """Ask again, for they may have changed; those before are told of until the answer is there. Blocks."""
        self._facts = self._asked()

    async def stands(self) -> list[dict[str, Any]]:
        """Numbers of each replica; none at all where one of them does not answer in time, or none can be asked. A
        replica that fails is left out."""
        try:
            asked = self._handle.broadcast("stands")
            found = await asked.results_async(timeout_s=LIMITS.replica_beat_seconds, return_exceptions=True)
        except Exception as error:  # the page has other numbers, and is asked for again
            log.note("replicas_unasked", why=type(error).__name__)
            return []
        return [one for one in found if isinstance(one, dict)]

    def _asked(self) -> Facts:
        """Raises EngineError where no replica answers."""
        flow = Flow(self._told)
        try:
            data = flow.next(LIMITS.start_seconds)
        except (Silent, Lost) as error:
            why = str(error) or f"nothing came for {LIMITS.start_seconds:g} s"
            raise EngineError(f"no replica said what it has: {why}") from error
        finally:
            flow.close()
        if data is None:
            raise EngineError("no replica said what it has")
        return read_facts(data)

    async def _told(self) -> AsyncGenerator[bytes, None]:
        try:
            yield await self._handle.facts.remote()
        except Exception as error:
            raise translated(error) from error


def translated(error: Exception) -> LinnetError | Lost:
    """What of Ray's means that another replica may answer, and what means that none will."""
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException

    if isinstance(error, LinnetError):
        return error
    if isinstance(error, BackPressureError):
        return QueueFull("too many requests wait for a replica", queue=LIMITS.queue)
    if isinstance(error, DeploymentUnavailableError):
        return EngineError("the replicas of this model cannot be started: see Ray's logs")
    if isinstance(error, RayTaskError):
        return EngineError(f"a replica failed: {type(error.cause).__name__}")
    if isinstance(error, RayError | RayServeException):  # it died, cannot be reached, or was ended with the call
        return Lost(type(error).__name__)
    return EngineError(f"a replica could not be asked: {type(error).__name__}")

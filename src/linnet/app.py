"""The one place where Settings become a wired Agent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from linnet.agent.agent import Agent
from linnet.limits import MIB
from linnet.messages import Message
from linnet.requests import Generate, complete
from linnet.runtime.local import LocalModel, open_local
from linnet.runtime.pool.pool import Pool
from linnet.settings import Settings
from linnet.tools import Tool


def open_agent(settings: Settings | None = None, tools: Sequence[Tool] = ()) -> Agent:
    """An Agent as the settings say, with further tools. Raises a LinnetError for what cannot be used."""
    settings = settings or Settings()
    return Agent(
        tools,
        settings.model,
        root=settings.root,
        margin=settings.margin,
        seconds=settings.request_seconds,
        answer_tokens=settings.answer_tokens,
        only=settings.tools,
        memory=settings.memory,
        cache=settings.response_cache_mib > 0,
        cache_bytes=max(1, settings.response_cache_mib * MIB),
        context=settings.context,
        threads=settings.threads,
        models=settings.models,
        encoding=settings.encoding,
        snapshots=settings.snapshots,
        require_sandbox=settings.require_sandbox,
    )


def open_model(settings: Settings, name: str | None = None, **special: Any) -> LocalModel:
    """The model of that name (None: the settings' own) as the settings say; `special` goes to `open_local` as it is.

    Raises what `open_local` raises.
    """
    return open_local(
        name or settings.model,
        context=settings.context,
        threads=settings.threads,
        models=settings.models,
        encoding=settings.encoding,
        require_sandbox=settings.require_sandbox,
        **special,
    )


def open_pool(settings: Settings | None = None) -> Pool:
    """Models by name within the memory that the settings allow; those to preload are being loaded.

    Raises a LinnetError for one of them that cannot be used, or that does not fit beside the others.
    """
    settings = settings or Settings()

    def opener(name: str, usable: int | None) -> LocalModel:
        return open_model(settings, name, snapshots=settings.snapshots, fitted=False, usable=usable)

    memory = None if settings.memory_mib is None else settings.memory_mib * MIB
    pool = Pool(opener, memory=memory, idle_seconds=settings.idle_seconds)
    try:
        pool.preload(*settings.preload)
    except BaseException:
        pool.close()
        raise
    return pool


def check_engine(settings: Settings) -> dict[str, Any]:
    """Start a real worker on the settings' model and look at it: for `linnet doctor`.

    `ready` is what the worker said of itself, `start_seconds` the time to its first answer, and
    `tokens_per_second` the decoding speed of a short one.
    """
    started = time.monotonic()
    model = open_model(settings)
    try:
        complete(model, Generate((Message("user", "Hello"),), max_tokens=1))
        first = time.monotonic()
        done = complete(model, Generate((Message("user", "Count from one to twenty."),), max_tokens=48))
        seconds = time.monotonic() - first
        ready = model.supervisor.ready
        return {
            "ready": asdict(ready) if ready else None,
            "start_seconds": round(first - started, 3),
            "tokens_per_second": round(done.usage.generated_tokens / seconds, 1),
            "family": model.family.name,
            "detected": list(model.family.detected),
        }
    finally:
        model.close()

"""The policy of `routing.py`, as Ray Serve calls it. Imported by Ray, by name, where a handle is used."""

from __future__ import annotations

from typing import Any

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from linnet.interfaces.scale.routing import AVOIDED, placed


class PrefixRouter(RequestRouter):  # type: ignore[misc]  # Ray's types are not looked at
    """Ranks of one replica each, so that Serve takes the first that is not full."""

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        found: dict[str, Any] = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        loads = {id: self.replica_queue_len_cache.get(one.replica_id) or 0 for id, one in found.items()}
        key = pending_request.metadata.session_id if pending_request else ""
        avoided = pending_request.kwargs.get(AVOIDED, ()) if pending_request else ()
        return [[found[id]] for id in placed(key, loads, avoided)]

"""The policy of `routing.py`, as Ray Serve calls it. Imported by Ray, by name, where a handle is used."""

from __future__ import annotations

from typing import Any

from ray.serve.request_router import PendingRequest, ReplicaID, RequestRouter, RunningReplica

from linnet.interfaces.scale.routing import AVOIDED, Promised, ranked


class PrefixRouter(RequestRouter):  # type: ignore[misc]  # Ray's types are not looked at
    """Ranks of one replica each, so that Serve takes the first that is not full."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._promised = Promised()

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        found: dict[str, Any] = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        if pending_request is None:
            return [[found[id]] for id in ranked("", found)]
        running = {id: self.replica_queue_len_cache.get(one.replica_id) or 0 for id, one in found.items()}
        told = pending_request.metadata
        avoided = pending_request.kwargs.get(AVOIDED, ())
        order = self._promised.place(told.internal_request_id, told.session_id, running, avoided)
        return [[found[id]] for id in order]

    def on_request_routed(self, pending_request: PendingRequest, replica_id: ReplicaID, result: Any) -> None:
        self._promised.kept(pending_request.metadata.internal_request_id)

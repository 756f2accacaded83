"""The hub's client against a real server that cuts, stalls, redirects, packs and lies; and where the token goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import HubDenied, HubOffline, ModelMismatch, ModelNotFound, PullFailed
from linnet.limits import LIMITS
from linnet.models import hub as hubs
from linnet.models.hub import Hub

BODY = os.urandom(100_000)


class Memory:
    """A Sink in memory."""

    def __init__(self, size: int = len(BODY)) -> None:
        self.data, self.size, self.restarts = b"", size, 0

    @property
    def have(self) -> int:
        return len(self.data)

    def write(self, block: bytes) -> bool:
        self.data += block[: self.size - self.have]
        return self.have < self.size

    def restart(self) -> None:
        self.data, self.restarts = b"", self.restarts + 1


@pytest.fixture
def repo(hub: Any) -> Any:
    hub.add("o/r", "m.gguf", BODY)
    return hub


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def client(repo: Any, home: Path, told: list[str]) -> Hub:
    return Hub(repo.url, "hf_secret", pause=0.001, patience=0.5, retrying=told.append)


def fetched(client: Hub, start: bytes = b"") -> Memory:
    listing = client.listing("o/r")
    sink = Memory()
    sink.data = start
    client.fetch(listing, listing.files[0], sink)
    return sink


# --- the server is one that huggingface_hub takes for a hub --------------------------------------

LIBRARY = """
import json, sys
from huggingface_hub import HfApi, hf_hub_download
endpoint, folder = sys.argv[1:]
api = HfApi(endpoint)
info = api.model_info("o/r", files_metadata=True)
tree = list(api.list_repo_tree("o/r"))
path = hf_hub_download("o/r", "m.gguf", cache_dir=folder, endpoint=endpoint)
print(json.dumps([info.sha, info.siblings[0].lfs.sha256, tree[0].lfs.sha256, path]))
"""


def test_the_test_server_speaks_as_a_hub_does(repo: Any, home: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
    run = [sys.executable, "-P", "-c", LIBRARY, repo.url, str(tmp_path)]
    sha, listed, walked, path = json.loads(subprocess.run(run, env=environ, capture_output=True, check=True).stdout)
    assert sha == repo.commit and listed == walked
    assert Path(path).read_bytes() == BODY


# --- what is there -------------------------------------------------------------------------------


def test_a_listing(client: Hub, repo: Any) -> None:
    repo.add("o/r", "README.md", b"text")
    found = client.listing("o/r")
    assert (found.repo, found.commit, found.odd) == ("o/r", repo.commit, 0)
    assert [(file.path, file.size, bool(file.sha256)) for file in found.files] == [
        ("m.gguf", len(BODY), True),
        ("README.md", 4, False),
    ]


def test_files_with_names_that_lead_elsewhere_are_left_out(client: Hub, repo: Any) -> None:
    for path in ("../up.gguf", "/etc/x.gguf", "a/../../x.gguf", "a\nb.gguf", ".hidden.gguf", "a\\b.gguf"):
        repo.add("o/r", path, b"x")
    found = client.listing("o/r")
    assert [file.path for file in found.files] == ["m.gguf"]
    assert found.odd == 6


def test_a_digest_that_is_none_is_not_believed(client: Hub, repo: Any) -> None:
    repo.digests["o/r", "m.gguf"] = "../../etc/passwd"
    repo.linked["X-Linked-Etag"] = ""
    assert client.listing("o/r").files[0].sha256 is None


@pytest.mark.parametrize("revision", ["main", "v1", "1" * 40])
def test_revisions(client: Hub, repo: Any, revision: str) -> None:
    assert client.listing("o/r", revision).commit == repo.commit
    assert f"/revision/{revision}?" in repo.asked[-1].path


def test_a_hub_that_gives_another_commit(client: Hub, repo: Any) -> None:
    repo.info["sha"] = "2" * 40
    with pytest.raises(ModelMismatch, match="was asked for, the hub gave 2222"):
        client.listing("o/r", "1" * 40)


@pytest.mark.parametrize("info", [{"sha": "x"}, {"sha": None}, {"sha": "../.."}, {"siblings": 5}, {"siblings": [{}]}])
def test_a_listing_that_is_none(client: Hub, repo: Any, info: dict[str, Any]) -> None:
    repo.info.update(info)
    with pytest.raises(PullFailed, match=r"the hub names no commit|no list of files") as caught:
        client.listing("o/r")
    assert "--endpoint" in caught.value.hint


def test_one_past_the_size_of_a_listing(client: Hub, repo: Any) -> None:
    repo.info["padding"] = "x" * LIMITS.hub_reply_bytes
    with pytest.raises(PullFailed, match="over 16777216 bytes, the limit"):
        client.listing("o/r")


def test_a_listing_that_drips_for_longer_than_the_limit(
    client: Hub, repo: Any, fault: Any, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "LIMITS", replace(LIMITS, hub_wait_seconds=0.1))
    repo.lists.append(fault(drip=0.05))
    assert client.listing("o/r").commit == repo.commit
    assert told == ["tried again: the list of o/r at main took over 0.1 s"]


def test_what_is_not_there(client: Hub) -> None:
    with pytest.raises(ModelNotFound, match="RepoNotFound"):
        client.listing("o/absent")
    with pytest.raises(ModelNotFound, match="RevisionNotFound") as caught:
        client.listing("o/r", "absent")
    assert caught.value.exit_code == 2


def test_a_hub_that_wants_a_token(repo: Any, home: Path) -> None:
    repo.token = "hf_right"
    for token in (None, "hf_wrong"):
        with pytest.raises(HubDenied, match=r"gated.*401") as caught:
            Hub(repo.url, token).listing("o/r")
        assert "HF_TOKEN" in caught.value.hint and not caught.value.retryable
    assert Hub(repo.url, "hf_right").listing("o/r").commit == repo.commit


def test_a_plain_refusal(client: Hub, repo: Any, fault: Any) -> None:
    repo.lists += [fault(status=403), fault(status=410)]
    with pytest.raises(HubDenied, match="private, or not there: the hub answers 403"):
        client.listing("o/r")
    with pytest.raises(PullFailed, match="410"):
        client.listing("o/r")
    assert len(repo.asked) == 2


# --- the bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("redirecting", [True, False])
def test_a_file(client: Hub, repo: Any, redirecting: bool, told: list[str]) -> None:
    repo.redirecting = redirecting
    assert fetched(client).data == BODY
    assert told == [] and len(repo.gets()) == 1


def test_the_rest_of_a_file(client: Hub, repo: Any) -> None:
    assert fetched(client, BODY[:77_777]).data == BODY
    assert repo.gets()[0].headers["Range"] == "bytes=77777-"
    assert repo.served == len(BODY) - 77_777


def test_a_whole_file_is_not_asked_for(client: Hub, repo: Any) -> None:
    assert fetched(client, BODY).data == BODY
    assert repo.gets() == []


@pytest.mark.parametrize("cut", [0, 1, 16_384, 99_999])
def test_a_cut_goes_on_where_it_ended(client: Hub, repo: Any, fault: Any, told: list[str], cut: int) -> None:
    repo.faults.append(fault(cut=cut))
    assert fetched(client).data == BODY
    assert len(told) == 1 and repo.served == len(BODY)


def test_a_stall(client: Hub, repo: Any, fault: Any, told: list[str]) -> None:
    repo.faults.append(fault(stall=50_000))
    assert fetched(client).data == BODY
    assert len(told) == 1 and "timed out" in told[0]


def test_many_cuts_are_borne_as_long_as_each_brings_something(client: Hub, repo: Any, fault: Any) -> None:
    repo.faults += [fault(cut=5_000) for _ in range(3 * LIMITS.hub_attempts)]
    sink = fetched(client)
    assert sink.data == BODY and sink.restarts == 0


def test_one_attempt_past_the_limit(client: Hub, repo: Any, fault: Any, told: list[str]) -> None:
    repo.faults += [fault(cut=0) for _ in range(LIMITS.hub_attempts - 1)]
    assert fetched(client).data == BODY
    repo.faults += [fault(cut=0) for _ in range(LIMITS.hub_attempts)]
    with pytest.raises(PullFailed, match=rf"\({LIMITS.hub_attempts} attempts\)") as caught:
        fetched(client, BODY[:10])
    assert caught.value.retryable and caught.value.details["kept"] == 10
    assert len(told) == 2 * (LIMITS.hub_attempts - 1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes(client: Hub, repo: Any, fault: Any, told: list[str], status: int) -> None:
    repo.faults += [fault(status=status, headers={"Retry-After": "0"}), fault(status=status)]
    repo.lists += [fault(status=status)]
    assert fetched(client).data == BODY
    assert len(told) == 3 and all(str(status) in line for line in told)


def test_one_past_the_wait_that_a_hub_may_ask_for(client: Hub, repo: Any, fault: Any) -> None:
    wait = int(LIMITS.hub_wait_seconds) + 1
    repo.faults.append(fault(status=429, headers={"Retry-After": str(wait)}))
    with pytest.raises(PullFailed, match="wants 61 s of rest") as caught:
        fetched(client)
    assert "again in 61 s" in caught.value.hint


def test_a_server_that_ignores_the_range_is_read_from_the_start(client: Hub, repo: Any, fault: Any) -> None:
    repo.faults.append(fault(whole=True))
    sink = fetched(client, BODY[:1_000])
    assert sink.data == BODY and sink.restarts == 1


def test_a_server_that_gives_another_range(client: Hub, repo: Any, fault: Any) -> None:
    repo.faults.append(fault(other_range=True))
    sink = fetched(client, BODY[:1_000])
    assert sink.data == BODY and sink.restarts == 1


def test_a_server_that_has_no_such_range(client: Hub, repo: Any, fault: Any) -> None:
    repo.faults.append(fault(status=416))
    sink = fetched(client, BODY[:1_000])
    assert sink.data == BODY and sink.restarts == 1


def test_more_than_was_told_is_not_taken(client: Hub, repo: Any, fault: Any) -> None:
    repo.faults.append(fault(extra=b"x" * 5_000_000))
    assert fetched(client).data == BODY
    assert repo.served < len(BODY) + 5_000_000


def test_a_packed_answer_is_refused(client: Hub, repo: Any, fault: Any) -> None:
    repo.faults.append(fault(headers={"Content-Encoding": "gzip"}))
    with pytest.raises(PullFailed, match="packs"):
        fetched(client)


@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Repo-Commit", "2" * 40), ("X-Linked-Etag", f'"{"0" * 64}"'), ("X-Linked-Size", "5")],
)
def test_a_file_that_has_changed_since_it_was_listed(client: Hub, repo: Any, header: str, value: str) -> None:
    repo.linked[header] = value
    with pytest.raises(ModelMismatch, match="than it has listed"):
        fetched(client)
    assert repo.served == 0


# --- redirects and the token ---------------------------------------------------------------------


def test_the_token_stays_at_home(client: Hub, repo: Any) -> None:
    fetched(client)
    seen = {asked.server: asked.headers.get("Authorization") for asked in repo.asked}
    assert seen == {"hub": "Bearer hf_secret", "cdn": None}


def test_the_token_stays_at_home_though_a_list_is_elsewhere(client: Hub, repo: Any, fault: Any) -> None:
    repo.lists.append(fault(redirect=f"{repo.cdn_url}/blob/o/r/m.gguf"))
    with pytest.raises(PullFailed, match="no list of files"):
        client.listing("o/r")
    assert [asked.headers.get("Authorization") for asked in repo.asked] == ["Bearer hf_secret", None]


def test_a_moved_repository_is_found(client: Hub, repo: Any, fault: Any) -> None:
    repo.lists.append(fault(redirect="/api/models/o/r/revision/main?blobs=true"))
    assert client.listing("o/r").commit == repo.commit
    assert [asked.headers["Authorization"] for asked in repo.asked] == ["Bearer hf_secret"] * 2


def test_one_redirect_past_the_limit(client: Hub, repo: Any, fault: Any) -> None:
    repo.redirecting = False
    again = f"{repo.url}/o/r/resolve/main/m.gguf"
    repo.faults += [fault(redirect=again) for _ in range(LIMITS.hub_redirects)]
    assert fetched(client).data == BODY
    repo.faults += [fault(redirect=again) for _ in range(LIMITS.hub_redirects + 1)]
    with pytest.raises(PullFailed, match="more than 5 times"):
        fetched(client)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://u:p@127.0.0.1:1/", "http://[", "gopher://x"])
def test_redirects_that_are_not_followed(client: Hub, repo: Any, fault: Any, target: str) -> None:
    repo.lists.append(fault(redirect=target))
    with pytest.raises(PullFailed, match="sends on"):
        client.listing("o/r")


# --- nothing unasked -----------------------------------------------------------------------------


def test_only_what_is_needed_is_asked_and_nothing_is_told_of_this_machine(client: Hub, repo: Any) -> None:
    fetched(client)
    assert [(asked.server, asked.method, asked.path.split("?")[0]) for asked in repo.asked] == [
        ("hub", "GET", "/api/models/o/r/revision/main"),
        ("hub", "GET", f"/o/r/resolve/{repo.commit}/m.gguf"),
        ("cdn", "GET", "/blob/o/r/m.gguf"),
    ]
    names = {name for asked in repo.asked for name in asked.headers}
    allowed = {"Host", "Accept", "Accept-Encoding", "Connection", "User-Agent", "Authorization", "X-Amzn-Trace-Id"}
    assert names == allowed
    assert {asked.headers["User-Agent"] for asked in repo.asked} == {hubs._agent()}


def test_no_hub_at_all(home: Path, told: list[str]) -> None:
    client = Hub("http://127.0.0.1:9", pause=0.001, retrying=told.append)
    with pytest.raises(PullFailed, match=r"could not be fetched from http://127\.0\.0\.1:9"):
        client.listing("o/r")
    assert len(told) == LIMITS.hub_attempts - 1


def test_the_library_in_offline_mode(client: Hub, repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubOffline) as caught:
        client.listing("o/r")
    assert caught.value.exit_code == 3 and repo.asked == []

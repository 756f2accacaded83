"""Where a hub is, who sees the token, and where no redirect leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from linnet.errors import PullFailed, SettingsInvalid
from linnet.models import addresses
from linnet.models.addresses import PUBLIC


def test_the_endpoint_as_given_or_by_the_variable_or_the_public_one() -> None:
    assert addresses.endpoint("http://h:1/", {"HF_ENDPOINT": "http://x"}) == "http://h:1"
    assert addresses.endpoint(None, {"HF_ENDPOINT": "https://x/hub/"}) == "https://x/hub"
    assert addresses.endpoint(None, {}) == addresses.endpoint("", {"HF_ENDPOINT": ""}) == PUBLIC


@pytest.mark.parametrize(
    "address",
    ["h", "ftp://h", "file:///etc", "https://", "https://u:p@h", "https://h?x=1", "https://h#x", "https://h x",
     "https://h:99999", "https://h:0", "http://[", "https://h\n"],
)  # fmt: skip
def test_what_is_no_address_of_a_hub(address: str) -> None:
    with pytest.raises(SettingsInvalid, match="not the address of a hub"):
        addresses.endpoint(address, {})


def test_the_token_of_the_environment() -> None:
    assert addresses.token(PUBLIC, {"HF_TOKEN": " hf_x\n"}) == "hf_x"
    assert addresses.token("https://mirror", {"HF_TOKEN": "hf_x"}) == "hf_x"
    assert addresses.token(PUBLIC, {"HF_TOKEN": "hf_x", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}) is None
    with pytest.raises(SettingsInvalid, match="no token has"):
        addresses.token(PUBLIC, {"HF_TOKEN": "a\r\nb"})


def test_no_token_goes_in_clear_text_to_another_machine() -> None:
    assert addresses.token("http://mirror", {"HF_TOKEN": "hf_x"}) is None
    assert addresses.token("http://127.0.0.1:1", {"HF_TOKEN": "hf_x"}) == "hf_x"


def test_the_token_of_a_login_is_for_the_public_hub_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_stored\n")
    environ = {"HF_HOME": str(tmp_path)}
    assert addresses.token(PUBLIC, environ) == "hf_stored"
    assert addresses.token("https://mirror", environ) is None
    assert addresses.token(PUBLIC, {"HF_HOME": str(tmp_path / "absent")}) is None
    assert addresses.token(PUBLIC, {"HF_TOKEN_PATH": str(tmp_path / "token")}) == "hf_stored"
    (tmp_path / "token").write_bytes(b"\xff")
    assert addresses.token(PUBLIC, environ) is None


def test_offline() -> None:
    assert addresses.is_offline({"HF_HUB_OFFLINE": "1"}) and addresses.is_offline({"TRANSFORMERS_OFFLINE": "yes"})
    assert not addresses.is_offline({}) and not addresses.is_offline({"HF_HUB_OFFLINE": "0"})


def test_origins() -> None:
    assert addresses.origin("https://H/x") == addresses.origin("https://h:443")
    others = ("http://h", "https://h:444", "https://i", "https://h.evil")
    assert all(addresses.origin(other) != addresses.origin("https://h") for other in others)


def test_redirects() -> None:
    assert addresses.following("https://h/a/b", "/c") == "https://h/c"
    assert addresses.following("http://h/a", "https://cdn/x?sig=1") == "https://cdn/x?sig=1"
    for target in ("http://h/x", "file:///etc/passwd", "https://u:p@h/x", "http://[", "https://h:port/"):
        with pytest.raises(PullFailed, match="sends on"):
            addresses.following("https://h/a", target)

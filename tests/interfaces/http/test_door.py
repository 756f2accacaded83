"""Who may come in: keys, host names, origins; and which addresses may be listened on without a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from linnet.errors import Forbidden, InputInvalid, NotAuthorized, RequestError, SettingsInvalid
from linnet.interfaces.http.auth import Keys, collected, given_key
from linnet.interfaces.http.guard import Door, is_loopback

ONE, TWO = "key-number-one", "key-number-two"


def headers(**given: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in given.items()})


# --- keys ----------------------------------------------------------------------------------------


def test_every_key_is_somebody_else_and_says_nothing_of_itself() -> None:
    keys = Keys([ONE, TWO])
    owners = {keys.owner(ONE), keys.owner(TWO)}
    assert len(owners) == 2 and keys.owner(ONE) == Keys([ONE]).owner(ONE)
    assert not any(ONE in owner or len(owner) > 64 for owner in owners)


@pytest.mark.parametrize("given", ["", "key-number-on", "key-number-one ", "KEY-NUMBER-ONE", "\udcff", "x" * 100_000])
def test_another_key_is_none(given: str) -> None:
    with pytest.raises(NotAuthorized):
        Keys([ONE, TWO]).owner(given)


def test_without_keys_everybody_is_the_same() -> None:
    assert Keys().owner("") == Keys().owner("whatever") == "" and not Keys()


@pytest.mark.parametrize("key", ["short", "with a space in it", "tab\tinside-it", "ümlaut-in-it"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Keys([key])
    assert key not in caught.value.message


def test_keys_come_from_everywhere(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n{ONE}\n\n  {TWO}  \n")
    found = collected(["given-by-hand"], [file], {"LINNET_API_KEYS": "from-there-1, from-there-2"})
    assert found == ("given-by-hand", ONE, TWO, "from-there-1", "from-there-2")
    with pytest.raises(InputInvalid):
        collected([], [tmp_path / "none"], {})


@pytest.mark.parametrize("text", ["", " \n", "# only said what it is for\n"])
def test_a_place_for_keys_without_any_is_no_open_door(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    empty = ([""], [], {}), ([ONE, " "], [], {}), ([ONE], [file], {}), ([ONE], [], {"LINNET_API_KEYS": " , "})
    for keys, files, environ in empty:
        with pytest.raises(SettingsInvalid, match="holds no API key"):
            collected(keys, files, environ)
    assert collected([], [], {}) == ()


def test_clients_send_keys_in_their_own_ways() -> None:
    assert given_key(headers(authorization=f"Bearer {ONE}")) == given_key(headers(x_api_key=ONE)) == ONE
    assert given_key(headers(authorization=f"Basic {ONE}")) == given_key(headers()) == ""


# --- names and origins ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "localhost:8177", "127.0.0.1:1", "[::1]:80", "LOCALHOST"])
def test_the_servers_own_names(host: str) -> None:
    assert Door().admit(headers(host=host)) == ""


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "169.254.169.254", "10.0.0.1", "localhost."],
)
def test_other_names_are_denied(host: str) -> None:
    with pytest.raises(Forbidden):
        Door().admit(headers(host=host))
    with pytest.raises(Forbidden):
        Door(keys=Keys([ONE])).admit(headers(host=host, authorization=f"Bearer {ONE}"))


@pytest.mark.parametrize("host", ["", "a b", "localhost:99999999", "@localhost", "localhost,evil", "local/host"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(RequestError):
        Door().admit(headers(host=host))


def test_a_public_server_goes_by_its_addresses_and_the_names_it_was_given() -> None:
    door = Door("0.0.0.0", Keys([ONE]), frozenset({"linnet.example"}))
    for host in ("10.1.2.3:8177", "linnet.example", "localhost"):
        assert door.admit(headers(host=host, x_api_key=ONE))
    with pytest.raises(Forbidden):
        door.admit(headers(host="rebound.example", x_api_key=ONE))


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1:8177.evil.example", "file://"],
)
def test_pages_of_other_origins_are_denied(origin: str) -> None:
    with pytest.raises(Forbidden):
        Door().admit(headers(host="127.0.0.1:8177", origin=origin))


def test_its_own_pages_and_those_named_may_ask() -> None:
    door = Door(origins=frozenset({"http://localhost:3000"}))
    for origin in ("http://127.0.0.1:8177", "http://localhost:3000"):
        assert door.admit(headers(host="127.0.0.1:8177", origin=origin)) == ""


def test_a_page_that_hides_its_origin_is_denied() -> None:
    with pytest.raises(Forbidden):
        Door().admit(headers(host="localhost", sec_fetch_site="cross-site"))
    assert Door().admit(headers(host="localhost", sec_fetch_site="none")) == ""


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "linnet.example", "", "127.0.0.1.example"])
def test_no_public_address_without_a_key(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(Forbidden):
        Door(host).check_bind()
    Door(host, Keys([ONE])).check_bind()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_alone_needs_none(host: str) -> None:
    Door(host).check_bind()


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/path", "ftp://example.org", "*", "null"])
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(SettingsInvalid):
        Door(origins=frozenset({origin})).check_bind()

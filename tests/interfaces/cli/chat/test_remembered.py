"""What was typed: kept in a private file, within bounds, and whatever happens to the file, the chat goes on."""

from __future__ import annotations

from pathlib import Path

from linnet.interfaces.cli.chat.remembered import Remembered, history_file
from linnet.limits import LIMITS


def loaded(path: Path) -> list[str]:
    """The newest first, as prompt_toolkit wants them."""
    return list(Remembered(path).load_history_strings())


def test_it_is_private_and_in_the_folder_for_state(home: Path) -> None:
    assert history_file() == home / "xdg_state_home" / "linnet" / "chat_history"
    Remembered(history_file()).store_string("first\nof two lines")
    Remembered(history_file()).store_string("secönd")
    assert loaded(history_file()) == ["secönd", "first\nof two lines"]
    assert history_file().stat().st_mode & 0o777 == 0o600
    assert history_file().parent.stat().st_mode & 0o777 == 0o700


def test_what_begins_with_a_space_is_not_kept(tmp_path: Path) -> None:
    Remembered(tmp_path / "h").store_string(" secret")
    assert loaded(tmp_path / "h") == []


def test_a_wider_file_is_made_private_and_torn_lines_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "h"
    file.write_bytes(b'"one"\n{"no": 1}\n"to\n\xff\n"two"\n')
    file.chmod(0o644)
    assert loaded(file) == ["two", "one"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_more_than_the_limit_and_the_older_half_goes(tmp_path: Path) -> None:
    file = tmp_path / "h"
    most = LIMITS.chat_history
    file.write_text("".join(f'"{i}"\n' for i in range(2 * most)))
    assert loaded(file) == [str(i) for i in range(2 * most - 1, most - 1, -1)]
    assert file.read_text().count("\n") == 2 * most
    Remembered(file).store_string("one more")
    assert loaded(file)[:2] == ["one more", str(2 * most - 1)]
    assert file.read_text().count("\n") == most


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    history = Remembered(tmp_path / "taken" / "h")
    history.store_string("lost")
    assert list(history.load_history_strings()) == []

"""One at a time, the others told whom they wait for; and a lock that ends with its process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from linnet.models import locks

HOLDER = """
import sys, time
from pathlib import Path
from linnet.models import locks
with locks.exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(30)
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-P", "-c", HOLDER, tmp_path / "lock"], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_lock_is_there_and_gone(tmp_path: Path) -> None:
    with locks.exclusive(tmp_path / "lock") as waited:
        assert not waited
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / "lock").exists()


def test_a_killed_owner_leaves_the_lock_to_who_waits(tmp_path: Path, holder) -> None:
    owners: list[int | None] = []

    def waiting(owner: int | None) -> None:
        owners.append(owner)
        holder.kill()

    with locks.exclusive(tmp_path / "lock", waiting) as waited:
        assert waited
    assert owners == [holder.pid]


def test_holders(tmp_path: Path, holder) -> None:
    assert locks.holders(tmp_path / "lock") == (holder.pid,)
    assert locks.holders(tmp_path / "absent") == ()
    (tmp_path / "free").touch()
    assert locks.holders(tmp_path / "free") == ()


def test_only_one_at_a_time_in_many_threads(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with locks.exclusive(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and not (tmp_path / "lock").exists()


def test_held_together_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.touch()
    with path.open("rb") as one, path.open("rb") as other:
        assert locks.hold(one.fileno()) and locks.hold(other.fileno())
        with locks.alone(path) as free:
            assert not free
        assert locks.holders(path) == (os.getpid(),)
    with locks.alone(path) as free:
        assert free
        with path.open("rb") as late:
            assert not locks.hold(late.fileno())
    with locks.alone(tmp_path / "absent") as free:
        assert free


def test_an_error_in_the_block_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locks.exclusive(tmp_path / "lock"):
        raise ZeroDivisionError
    with locks.exclusive(tmp_path / "lock") as waited:
        assert not waited

"""How many replicas a batch has, and what each is given at a time."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path

import pytest

from linnet.agent.batch import lines
from linnet.errors import OutOfMemory
from linnet.interfaces.scale.shares import Crew, Node, check_room, crew, shares
from linnet.limits import LIMITS, MIB

GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("nodes", "wanted", "requests", "expected"),
    [
        ([Node(2, 8 * GIB)], None, 1000, Crew(1, 2)),
        ([Node(16, 8 * GIB)], None, 1000, Crew(4, 4)),
        ([Node(16, 3 * GIB)], None, 1000, Crew(3, 5)),
        ([Node(16, 8 * GIB)], None, 9, Crew(2, 8)),
        ([Node(16, 8 * GIB)], None, 0, Crew(1, 16)),
        ([Node(16, 8 * GIB), Node(4, 8 * GIB), Node(0, 8 * GIB)], None, 1000, Crew(5, 4)),
        ([Node(2, 8 * GIB)], 2, 1000, Crew(2, 1)),
        ([Node(16, 8 * GIB), Node(4, 8 * GIB)], 2, 1000, Crew(2, 8)),
        ([Node(4, GIB // 2), Node(4, 2 * GIB)], 2, 1000, Crew(2, 2)),
    ],
)
def test_a_crew_for_a_cluster(nodes: list[Node], wanted: int | None, requests: int, expected: Crew) -> None:
    assert crew(nodes, GIB, wanted, requests, at_once=8) == expected


def test_one_core_more_than_usual_makes_no_replica_more() -> None:
    cores = LIMITS.batch_replica_cores
    for more in range(cores):
        assert crew([Node(cores + more, 8 * GIB)], GIB, None, 1000, at_once=8) == Crew(1, cores + more)
    assert crew([Node(2 * cores, 8 * GIB)], GIB, None, 1000, at_once=8).replicas == 2


def test_where_there_is_no_room_it_is_told_how_many_there_is_room_for() -> None:
    with pytest.raises(OutOfMemory, match="3 replicas were asked for, and 2") as refused:
        crew([Node(2, 8 * GIB)], GIB, 3, 1000, at_once=8)
    assert refused.value.hint == "Use --replicas 2."
    with pytest.raises(OutOfMemory, match=r"needs 1\.0 GiB and a core"):
        crew([Node(16, GIB - 1), Node(0, 8 * GIB)], GIB, None, 1000, at_once=8)


def numbers(path: Path, total: int, replicas: int, at_once: int = 2) -> list[list[int]]:
    found = shares(path, total, replicas, at_once)
    return [[line.number for line in islice(lines.raw(path, s.number, s.at), s.count)] for s in found]


def test_shares_are_the_whole_file_and_even(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text("\n\n".join(f'{{"id": {i}, "text": "a"}}' for i in range(30)))
    few, many = numbers(file, 30, 1), numbers(file, 30, 4)
    assert [*chain(*few)] == [*chain(*many)] == list(range(1, 60, 2))
    assert {len(part) for part in few[:-1]} == {8}, "four rounds of two at once"
    assert {len(part) for part in many[:-1]} == {2}, "four for each replica"
    assert numbers(file, 0, 1)[0] == [1]
    (tmp_path / "none").write_text("\n")
    assert numbers(tmp_path / "none", 0, 1) == []


def test_of_very_many_requests_shares_are_no_more_than_ray_bears(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text("{}\n" * 20_000)
    assert len(list(shares(file, 20_000, 2, 1))) == 1_000


@pytest.mark.parametrize(("length", "each"), [(-2, 3), (0, 2)])
def test_a_share_has_few_bytes(tmp_path: Path, length: int, each: int) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text(("x" * (LIMITS.batch_line_bytes // 2 + length) + "\n") * 6)
    assert {len(part) for part in numbers(file, 600, 1, at_once=8)} == {each}


def test_room_is_counted_machine_by_machine() -> None:
    check_room([3.0, 3.0, 0.0], cores=2.0, replicas=2)
    with pytest.raises(OutOfMemory) as caught:
        check_room([3.0, 3.0, 0.0], cores=2.0, replicas=3)  # six cores, and no machine has two left
    assert caught.value.details["largest"] == 2

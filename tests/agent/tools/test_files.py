"""The file tools read what is in their root, say what they left out, and cannot be led outside."""

import errno
import os
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.agent.tools import files as module
from linnet.agent.tools import root as confinement
from linnet.agent.tools.files import files
from linnet.agent.tools.root import Root, printable
from linnet.errors import LinnetError, ToolArgumentsInvalid, ToolDenied, ToolError, ToolFailed, ToolInvalid
from linnet.limits import LIMITS
from linnet.tools import Permission, Tool

SECRET = "the canary is yellow"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture
def home(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "notes.txt").write_text("Buy milk\nCall Anna\nbuy BREAD\n")
    (folder / "docs" / "plan.md").write_text("# Plan\nBuy nothing.\n")
    (folder / "docs" / "deep" / "end.txt").write_text("the end")
    return folder


@pytest.fixture(params=["openat2", "walk"])
def tools(home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tool]:
    """The three tools, on the kernel's confinement and on the fallback."""
    if request.param == "walk":
        monkeypatch.setattr(confinement, "_has_openat2", lambda folder: False)
    elif Root(home).opener is not confinement._openat2:
        pytest.skip("this kernel has no openat2, or forbids it")
    return {tool.name: tool for tool in files(home)}


def limit(monkeypatch: pytest.MonkeyPatch, **numbers: int) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, **numbers))


def answer(tool: Tool, **arguments: str) -> str | None:
    return tool.render_answer(tool.validate(arguments), tool.run(arguments))


# --- what they do --------------------------------------------------------------------------------


def test_a_folder_is_listed_in_order(tools: dict[str, Tool]) -> None:
    listed = tools["list_files"].run({})
    assert listed == {
        "folder": "./",
        "entries": ["docs/", "notes.txt"],
        "count": 2,
        "truncated": False,
        "note": "",
    }
    assert tools["list_files"].run({"folder": "docs", "pattern": "*.md"})["entries"] == ["plan.md"]
    assert tools["list_files"].run({"folder": "docs/deep/"})["entries"] == ["end.txt"]
    assert tools["list_files"].run({"folder": ""})["folder"] == "./"


def test_a_file_is_read(tools: dict[str, Tool]) -> None:
    read = tools["read_file"].run({"path": "docs/plan.md"})
    expected = {
        "path": "docs/plan.md",
        "text": "# Plan\nBuy nothing.\n",
        "bytes": 20,
        "truncated": False,
        "note": "",
    }
    assert read == expected
    assert tools["read_file"].run({"path": "./docs//plan.md"})["text"] == read["text"]


def test_a_search_finds_lines_in_any_case(tools: dict[str, Tool]) -> None:
    found = tools["search_files"].run({"text": "buy"})
    assert found["matches"] == [
        {"path": "notes.txt", "line": 1, "text": "Buy milk"},
        {"path": "notes.txt", "line": 3, "text": "buy BREAD"},
        {"path": "docs/plan.md", "line": 2, "text": "Buy nothing."},
    ]
    assert (found["count"], found["truncated"], found["note"]) == (3, False, "")
    assert tools["search_files"].run({"text": "buy", "pattern": "*.md"})["count"] == 1
    assert tools["search_files"].run({"text": "the", "pattern": "docs/*"})["count"] == 1
    assert tools["search_files"].run({"text": "b.y"})["matches"] == []


def test_answers_read_well(tools: dict[str, Tool]) -> None:
    assert answer(tools["list_files"]) == "Files in ./: docs/ and notes.txt"
    assert answer(tools["list_files"], pattern="*.csv") == "Files in ./: none"
    assert answer(tools["read_file"], path="docs/deep/end.txt") == "docs/deep/end.txt:\nthe end"
    found = 'Lines with "anna":\n- path: notes.txt, line: 2, text: Call Anna'
    assert answer(tools["search_files"], text="anna") == found
    assert answer(tools["search_files"], text="zebra") == 'Lines with "zebra":\nnone'


def test_the_tools_ask_for_one_permission_and_are_described_in_few_words(tools: dict[str, Tool]) -> None:
    for tool in tools.values():
        assert tool.permissions == {Permission.READ_FILES}
        assert len(tool.description) < 80
        assert all(len(p["description"]) < 60 for p in tool.parameters["properties"].values())


@pytest.mark.parametrize("path", ["nothing.txt", "docs/nothing/x", "notes.txt/x", "", "docs", ".", "notes.txt/"])
def test_what_cannot_be_read_is_said(tools: dict[str, Tool], path: str) -> None:
    try:
        text = tools["read_file"].run({"path": path})["text"]
    except ToolFailed as error:
        assert any(word in error.message for word in ("does not exist", "is a folder", "not a folder"))
    else:
        assert path == "notes.txt/" and text.startswith("Buy")  # the fallback does not mind the slash


def test_an_empty_search_is_refused(tools: dict[str, Tool]) -> None:
    with pytest.raises(ToolArgumentsInvalid, match="text"):
        tools["search_files"].run({"text": ""})


@pytest.mark.parametrize("root", ["no/such/folder", "notes.txt", "a\0b"])
def test_a_root_is_an_existing_folder(home: Path, root: str) -> None:
    with pytest.raises(ToolInvalid, match="root"):
        files(home / root)


def test_the_root_stays_the_same_folder_when_its_name_is_taken(home: Path) -> None:
    listing, *_ = files(home)
    home.rename(home.parent / "moved")
    home.mkdir()
    (home / "other.txt").write_text("")
    assert listing.run({})["entries"] == ["docs/", "notes.txt"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_descriptors_are_given_back(home: Path) -> None:
    def open_now() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_now()
    tools = {tool.name: tool for tool in files(home)}
    for _ in range(20):
        tools["search_files"].run({"text": "a"})
        tools["list_files"].run({})
        for path in ("notes.txt", "docs", "../x", "none", "/etc"):
            with suppress(ToolError):
                tools["read_file"].run({"path": path})
    assert open_now() == before + 1
    del tools
    assert open_now() == before


# --- escapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.txt",
        "docs/../../outside/secret.txt",
        "docs/deep/../../../outside/secret.txt",
        "./../outside/secret.txt",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "/",
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd",
        "notes.txt\0.md",
        "\0",
    ],
)
def test_paths_that_lead_out_are_denied(tools: dict[str, Tool], path: str) -> None:
    for name, argument in (("read_file", "path"), ("list_files", "folder")):
        with pytest.raises(ToolDenied) as caught:
            tools[name].run({argument: path})
        assert caught.value.hint == "Name a path inside the folder that the agent was given."


@pytest.mark.parametrize(
    "path", ["~/x", "file:///etc/passwd", "..\\outside\\secret.txt", "%2e%2e/outside", "....//x"]
)
def test_other_spellings_are_plain_names(tools: dict[str, Tool], path: str) -> None:
    with pytest.raises(ToolFailed, match="does not exist"):
        tools["read_file"].run({"path": path})


@pytest.mark.parametrize("length", [256, 5_000, 1_000_000])
def test_very_long_names_are_refused_shortly(tools: dict[str, Tool], length: int) -> None:
    for path in ("x" * length, "docs/" * (length // 5)):
        with pytest.raises(ToolError) as caught:
            tools["read_file"].run({"path": path})
        assert len(caught.value.message) < 300


def test_links_that_lead_out_are_denied(tools: dict[str, Tool], home: Path, outside: Path) -> None:
    (home / "file").symlink_to(outside / "secret.txt")
    (home / "folder").symlink_to(outside)
    (home / "relative").symlink_to("../outside")
    (home / "chain").symlink_to("folder")
    (home / "loop").symlink_to("loop")
    (home / "magic").symlink_to("/proc/self/root")
    paths = [
        "file",
        "folder/secret.txt",
        "relative/secret.txt",
        "chain/secret.txt",
        "loop",
        "magic/etc/passwd",
    ]
    for path in paths:
        with pytest.raises(ToolDenied):
            tools["read_file"].run({"path": path})
    for folder in ("folder", "relative", "chain", "magic"):
        with pytest.raises(ToolDenied):
            tools["list_files"].run({"folder": folder})
    assert tools["search_files"].run({"text": SECRET})["matches"] == []
    assert "folder" in tools["list_files"].run({})["entries"]


def test_links_that_stay_inside_are_followed_by_the_kernel_and_refused_by_the_fallback(
    tools: dict[str, Tool], home: Path, request: pytest.FixtureRequest
) -> None:
    (home / "latest").symlink_to("docs")
    (home / "docs" / "up").symlink_to("../notes.txt")
    for path, text in (("latest/plan.md", "# Plan"), ("docs/up", "Buy milk")):
        if "openat2" in request.node.name:
            assert tools["read_file"].run({"path": path})["text"].startswith(text)
        else:
            with pytest.raises(ToolDenied):
                tools["read_file"].run({"path": path})


def test_the_magic_links_of_proc_are_not_followed(request: pytest.FixtureRequest) -> None:
    process = Path(f"/proc/{os.getpid()}")
    if not process.exists():
        pytest.skip("no /proc")
    _, read, _ = files(process)
    for path in ("root/etc/passwd", "cwd/pyproject.toml", "fd/0", "exe"):
        with pytest.raises(ToolDenied):
            read.run({"path": path})


def test_a_link_swapped_during_the_call_never_leads_out(tools: dict[str, Tool], home: Path, outside: Path) -> None:
    """A thread swaps a folder for a link to the outside, as fast as it can, while files below it are read."""
    (home / "spot").mkdir()
    (home / "spot" / "secret.txt").write_text("harmless")
    (home / "trap").symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (home / "spot").rename(home / "away")
            (home / "trap").rename(home / "spot")
            (home / "spot").rename(home / "trap")
            (home / "away").rename(home / "spot")

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen, refused = set(), 0
    try:
        for attempt in range(20_000):
            if attempt >= 2_000 and refused:
                break
            try:
                seen.add(tools["read_file"].run({"path": "spot/secret.txt"})["text"])
                if attempt % 10 == 0:
                    matches = tools["search_files"].run({"text": "a"})["matches"]
                    seen |= {match["text"] for match in matches if "secret" in match["path"]}
            except ToolError:
                refused += 1
    finally:
        stop.set()
        swapper.join()
    assert seen <= {"harmless"}
    assert refused > 0  # the race was run


# --- what is no text file ------------------------------------------------------------------------


def test_fifos_sockets_and_devices_are_refused_without_waiting(
    tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(home / "pipe")
    monkeypatch.chdir(home)  # socket paths are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path in ("pipe", "socket"):
            with pytest.raises(ToolFailed, match=f"{path} is not a regular file"):
                tools["read_file"].run({"path": path})
        assert tools["search_files"].run({"text": "buy"})["note"] == ""
        assert tools["list_files"].run({})["entries"] == ["docs/", "notes.txt", "pipe", "socket"]


def test_devices_are_refused() -> None:
    _, read, _ = files("/dev")
    for path in ("null", "zero"):
        with pytest.raises(ToolFailed, match="not a regular file"):
            read.run({"path": path})


@pytest.mark.parametrize("content", [b"\x7fELF\0\0\1", "täxt".encode("utf-16"), b"abc\0", b"\x01\x02\x03abc"])
def test_binary_files_are_refused_and_passed_by(tools: dict[str, Tool], home: Path, content: bytes) -> None:
    (home / "blob.txt").write_bytes(content)
    with pytest.raises(ToolFailed, match=rf"blob\.txt is not text \({len(content)} bytes\)"):
        tools["read_file"].run({"path": "blob.txt"})
    found = tools["search_files"].run({"text": "abc"})
    assert found["matches"] == [] and found["note"] == "\n(1 binary files left out)"


def test_invalid_utf8_is_replaced_and_a_mark_dropped(tools: dict[str, Tool], home: Path) -> None:
    (home / "latin.txt").write_bytes(b"caf\xe9 noir")
    (home / "marked.txt").write_bytes(b"\xef\xbb\xbfhello")
    (home / "empty.txt").write_bytes(b"")
    assert tools["read_file"].run({"path": "latin.txt"})["text"] == "caf\ufffd noir"
    assert tools["read_file"].run({"path": "marked.txt"})["text"] == "hello"
    assert tools["read_file"].run({"path": "empty.txt"})["text"] == ""
    assert tools["search_files"].run({"text": "NOIR"})["count"] == 1


def test_names_are_shown_without_characters_that_do_things(tools: dict[str, Tool], home: Path) -> None:
    names = [b"a\nb.txt", b"c\x1b[31m.txt", b"\xff.txt", "e\u202etxt.exe".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(home) + b"/" + name)).write_text("needle")
    listed = tools["list_files"].run({"pattern": "*.*"})["entries"]
    assert listed == [r"a\nb.txt", r"c\x1b[31m.txt", r"e\u202etxt.exe", "notes.txt", r"\udcff.txt"]
    found = {match["path"] for match in tools["search_files"].run({"text": "needle"})["matches"]}
    assert found == {*listed} - {"notes.txt"}
    assert printable("ok name-é.txt") == "ok name-é.txt"
    with pytest.raises(ToolFailed, match=r"a\\nb does not exist"):
        tools["read_file"].run({"path": "a\nb"})


def test_unreadable_files_are_counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: int, path: bytes, flags: int) -> int:
        if path in (b"notes.txt", b"docs/deep/"):
            raise OSError(errno.EACCES, "denied")
        return confinement._walk(folder, path, flags)

    root = Root(home)
    root.opener = refuse
    monkeypatch.setattr(module, "Root", lambda path: root)
    listing, read, search = files(home)
    with pytest.raises(ToolFailed, match=r"notes\.txt may not be read"):
        read.run({"path": "notes.txt"})
    found = search.run({"text": "buy"})
    assert [match["path"] for match in found["matches"]] == ["docs/plan.md"]
    assert found["note"] == "\n(2 unreadable files or folders left out)"
    assert listing.run({})["count"] == 2


def test_a_name_that_no_file_can_have_is_refused(home: Path) -> None:
    with pytest.raises(ToolFailed, match="is not a file name"), Root(home).read("\ud800"):
        pass


def test_a_kernel_that_keeps_being_disturbed_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def busy(*arguments: object) -> int:
        tries.append(arguments)
        return -1

    root = Root(home)
    if root.opener is not confinement._openat2:
        pytest.skip("this kernel has no openat2, or forbids it")
    monkeypatch.setattr(confinement, "_syscall", lambda: busy)
    monkeypatch.setattr(confinement.ctypes, "get_errno", lambda: errno.EAGAIN)
    with pytest.raises(ToolFailed, match="being moved about"), root.read("notes.txt"):
        pass
    assert len(tries) == confinement._TRIES


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_without_openat2_the_path_is_walked(home: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(confinement, "_syscall", lambda: lambda *arguments: -1)
    monkeypatch.setattr(confinement.ctypes, "get_errno", lambda: number)
    root = Root(home)
    assert root.opener is confinement._walk
    with root.read("docs/deep/end.txt") as file:
        assert file.read() == b"the end"


# --- limits --------------------------------------------------------------------------------------


def test_reading_ends_at_the_limit_and_says_so(tools: dict[str, Tool], home: Path) -> None:
    most = LIMITS.file_read_bytes
    (home / "fits.txt").write_bytes(b"x" * most)
    (home / "more.txt").write_bytes(b"x" * (most - 1) + "é".encode())
    fits, more = (tools["read_file"].run({"path": path}) for path in ("fits.txt", "more.txt"))
    assert (len(fits["text"]), fits["truncated"], fits["note"]) == (most, False, "")
    assert more["text"] == "x" * (most - 1)  # no half character
    assert (more["truncated"], more["bytes"]) == (True, most + 1)
    assert more["note"] == f"\n(the first {most:,} of {most + 1:,} bytes)"
    assert answer(tools["read_file"], path="more.txt").endswith(more["note"])


def test_a_huge_file_costs_no_more_than_its_beginning(tools: dict[str, Tool], home: Path) -> None:
    with (home / "huge.txt").open("wb") as file:
        file.write(b"needle\n" + b"x" * LIMITS.file_read_bytes)
        file.truncate(2**40)  # sparse
    read = tools["read_file"].run({"path": "huge.txt"})
    assert read["truncated"] and read["bytes"] == 2**40


def test_the_worst_text_still_fits_the_output_of_a_tool(tools: dict[str, Tool], home: Path) -> None:
    for content in (
        b'"' * LIMITS.file_read_bytes,
        b"\xff" * LIMITS.file_read_bytes,
        b"\x01aaaaaaaaaa" * 30_000,
    ):
        (home / "worst.txt").write_bytes(content)
        assert tools["read_file"].run({"path": "worst.txt"})["text"]


def test_a_listing_ends_at_the_limit(tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, file_listing=2)
    assert tools["list_files"].run({})["truncated"] is False
    (home / "zero.txt").write_text("")
    listed = tools["list_files"].run({})
    assert listed["entries"] == ["docs/", "notes.txt"]
    assert (listed["count"], listed["truncated"], listed["note"]) == (3, True, "\n(2 of 3 shown)")


def test_a_listing_looks_at_so_many_entries(
    tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, file_entries=2)
    assert tools["list_files"].run({})["truncated"] is False
    (home / "zero.txt").write_text("")
    listed = tools["list_files"].run({})
    assert len(listed["entries"]) == 2 and listed["truncated"] and "the first 2 looked at" in listed["note"]


def test_long_names_are_listed_as_far_as_a_result_has_room(tools: dict[str, Tool], home: Path) -> None:
    (home / "many").mkdir()
    for n in range(800):
        Path(os.fsdecode(os.fsencode(home / "many") + b"/" + b"%03d" % n + b"\xff" * 150)).touch()
    listed = tools["list_files"].run({"folder": "many"})
    assert listed["count"] == 800 and listed["truncated"] and 0 < len(listed["entries"]) < 800


def test_search_results_end_at_the_limit(tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, file_listing=3)
    assert tools["search_files"].run({"text": "buy"})["truncated"] is False
    (home / "zero.txt").write_text("buy")
    found = tools["search_files"].run({"text": "buy"})
    assert (found["count"], found["truncated"], found["note"]) == (3, True, "\n(the first 3 lines shown)")


@pytest.mark.parametrize("extra", [0, 1])
def test_searching_ends_at_so_many_bytes(
    tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch, extra: int
) -> None:
    total = sum(path.stat().st_size for path in home.rglob("*.*"))
    limit(monkeypatch, file_search_bytes=total - extra)
    found = tools["search_files"].run({"text": "zebra"})
    assert found["truncated"] is bool(extra)
    assert found["note"] == (f"\n(the first {total - 1:,} bytes searched)" if extra else "")


def test_a_cut_between_two_files_is_said_too(
    tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, file_search_bytes=(home / "notes.txt").stat().st_size)
    assert tools["search_files"].run({"text": "zebra"})["truncated"] is True


@pytest.mark.parametrize("extra", [0, 1])
def test_searching_ends_at_so_many_entries(
    tools: dict[str, Tool], home: Path, monkeypatch: pytest.MonkeyPatch, extra: int
) -> None:
    total = len(list(home.rglob("*")))
    limit(monkeypatch, file_entries=total - extra)
    assert tools["search_files"].run({"text": "zebra"})["truncated"] is bool(extra)


def test_searching_ends_at_so_many_folders_down(tools: dict[str, Tool], home: Path) -> None:
    deepest = home.joinpath(*["d"] * LIMITS.file_depth)
    deepest.mkdir(parents=True)
    (deepest / "at.txt").write_text("needle")
    assert tools["search_files"].run({"text": "needle"})["truncated"] is False
    (deepest / "d").mkdir()
    (deepest / "d" / "below.txt").write_text("needle")
    found = tools["search_files"].run({"text": "needle"})
    assert found["count"] == 1 and found["truncated"]
    assert found["note"] == f"\n(folders over {LIMITS.file_depth} deep left out)"


def test_long_lines_are_cut_around_the_match(tools: dict[str, Tool], home: Path) -> None:
    (home / "long.txt").write_text("first\n" + "x" * 70_000 + "needle" + "y" * 70_000 + "\nneedle\n")
    first, second = tools["search_files"].run({"text": "NEEDLE"})["matches"]
    assert first["text"].startswith("...x") and first["text"].endswith("y...") and "needle" in first["text"]
    assert len(first["text"]) <= 206
    assert [first["line"], second["line"]] == [2, 3]


# --- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_text", "name", "arguments"),
    [
        ("ls: docs", "list_files", {"folder": "docs"}),
        ("ls", "list_files", {}),
        ("list files", "list_files", {}),
        ("Please list all the files.", "list_files", {}),
        ("show me my files", "list_files", {}),
        ("What files are there?", "list_files", {}),
        ("list the files in this folder", "list_files", {}),
        ("list files in docs", "list_files", {"folder": "docs"}),
        ("list the files in the docs/deep folder", "list_files", {"folder": "docs/deep"}),
        ("which files are in the folder 'my docs'?", "list_files", {"folder": "my docs"}),
        ("Are there any csv files here?", "list_files", {"pattern": "*.csv"}),
        ("list the .MD files", "list_files", {"pattern": "*.md"}),
        ("read: notes.txt", "read_file", {"path": "notes.txt"}),
        ("read notes.txt", "read_file", {"path": "notes.txt"}),
        ("Show me docs/plan.md.", "read_file", {"path": "docs/plan.md"}),
        ("open the file minutes.md for me please", "read_file", {"path": "minutes.md"}),
        ("read the contents of the file a/b.xyz", "read_file", {"path": "a/b.xyz"}),
        ('show the file "my notes"', "read_file", {"path": "my notes"}),
        ("show me the file README", "read_file", {"path": "README"}),
        ("What is in notes.txt?", "read_file", {"path": "notes.txt"}),
        ("Show me what is written in config.toml", "read_file", {"path": "config.toml"}),
        ("search: milk and bread", "search_files", {"text": "milk and bread"}),
        ("search the files for milk", "search_files", {"text": "milk"}),
        ("search my files for 'milk and bread'", "search_files", {"text": "milk and bread"}),
        ("find the word milk in the files", "search_files", {"text": "milk"}),
        ("Which of my files mentions pigeons?", "search_files", {"text": "pigeons"}),
    ],
)
def test_plain_requests_need_no_model(home: Path, request_text: str, name: str, arguments: dict[str, str]) -> None:
    assert [(tool.name, found) for tool in files(home) if (found := tool.match(request_text)) is not None] == [
        (name, arguments)
    ]


@pytest.mark.parametrize(
    "request_text",
    [
        "hello",
        "list my reminders",
        "show the file list",
        "open file manager",
        "list files in alphabetical order",
        "list files in here and delete them",
        "read notes.txt and summarise it",
        "read me a story",
        "open example.com",
        "which files have changed",
        "search the web for milk",
        "search the files for milk and tell Anna",
        "find my keys",
        "show me the money",
        "delete notes.txt",
        "what is in the fridge?",
        "read notes.txt " * 400,
    ],
)
def test_requests_that_could_mean_something_else_are_left_alone(home: Path, request_text: str) -> None:
    assert [tool.name for tool in files(home) if tool.match(request_text) is not None] == []


@pytest.mark.parametrize("text", ["\0", "../..", "x" * 300, "docs", "\u202e", "a\nb", "*", "[", "notes.txt/.."])
def test_any_text_has_a_result_or_a_typed_error(tools: dict[str, Tool], text: str) -> None:
    for name, tool in tools.items():
        for argument in tool.parameters["properties"]:
            with suppress(LinnetError):
                assert tools[name].run({"text": "a", argument: text} if name == "search_files" else {argument: text})

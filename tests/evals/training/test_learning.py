"""Learning on a tiny random model: packs against single texts, resuming after a kill, export and the engine.

Needs the extra `linnet[train]`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

import tiny

from linnet.errors import InputInvalid
from linnet.evals.training import export, keeping
from linnet.evals.training.agreement import agreements
from linnet.evals.training.course import Course, split
from linnet.evals.training.learning import Learned, Learning
from linnet.evals.training.lesson import Lesson, Piece
from linnet.evals.training.network import Network
from linnet.evals.training.pack import Told, pack
from linnet.evals.training.plan import Recipe
from linnet.evals.training.tokens import Tokens
from linnet.evals.training.weights import Shape, shape_of
from linnet.messages import Message
from linnet.models.adapters import checked
from linnet.models.gguf import open_model
from linnet.models.integrity import checked_header
from linnet.requests import Prompt, Score, Segment, complete
from linnet.runtime.local import open_local

torch = pytest.importorskip("torch", reason="the extra linnet[train] is not installed: torch")
pytest.importorskip("gguf", reason="the extra linnet[train] is not installed: gguf")

pytestmark = pytest.mark.timeout(600)  # beside other work torch is ten times as slow

PLAIN = [f"The {thing} lies in the {place}." for thing in ("lamp", "key", "map") for place in ("hall", "car", "bag")]
RECIPE = Recipe(steps=8, rank=4, alpha=8.0, tokens=512, rate=1e-2)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def parts(path: Path) -> tuple[Shape, Tokens]:
    with open_model(path) as file:
        header = checked_header(file)
    return shape_of(header), Tokens(header)


def render(messages: tuple[Message, ...]) -> Prompt:
    return tuple(Segment(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n", True) for m in messages)


def network(path: Path, shape: Shape) -> Network:
    return Network(path, shape, rank=RECIPE.rank, alpha=RECIPE.alpha, seed=0, device="cpu", half=False)


def learning(path: Path, folder: Path, saving: float = 0.0, recipe: Recipe = RECIPE) -> Learning:
    with open_model(path) as file:
        header = checked_header(file)
    cut = split(tiny.examples(), 0)
    kinds = ("choose", "fill", "write")
    courses = [Course(each, Tokens(header), render, kinds, 0, recipe.tokens) for each in (cut.learn, cut.look)]
    own = network(path, shape_of(header))
    plain = keeping.packed(PLAIN, Tokens(header), 64)
    return Learning(own, courses[0], courses[1].all(), recipe, folder, "tiny", saving, plain)


@pytest.fixture(scope="module")
def undisturbed(path: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Learned, Network]:
    torch.set_num_threads(1)
    made = learning(path, tmp_path_factory.mktemp("undisturbed"))
    return made.run(), made._network


def spelled(tokens: Tokens, prompt: str, answer: str) -> Told:
    lesson = Lesson("write", ((Segment(prompt, False),),), (Piece(answer),))
    return Told(lesson, tuple(tokens.spelled(lesson)))


def test_texts_of_a_pack_see_nothing_of_one_another(path: Path, parts: tuple[Shape, Tokens]) -> None:
    own = network(path, parts[0])
    texts = [("Set the light", " in the hall"), ("Set the light", " now"), ("Wake me", " up"), ("Set the l", "amp")]
    told = [spelled(parts[1], *text) for text in texts]
    together = own.logits(pack(told))
    alone = torch.cat([own.logits(pack([one])) for one in told])
    assert len(pack(told).ids) < sum(len(pack([one]).ids) for one in told)
    assert torch.allclose(together, alone, atol=1e-4)


def test_it_learns(undisturbed: tuple[Learned, Network]) -> None:
    learned, _ = undisturbed
    losses = learned.progress.losses
    assert len(losses) == RECIPE.steps and learned.stopped == "steps"
    assert sum(losses[-2:]) < 0.8 * sum(losses[:2])
    assert [check.step for check in learned.progress.checks][-1] == RECIPE.steps
    assert learned.best is not None and learned.best.nats < learned.progress.checks[0].nats


def test_held_to_its_own_words_it_moves_less(path: Path, tmp_path: Path) -> None:
    """And without an adapter, or with one that is nothing yet, it has not moved at all."""
    free, held = (
        learning(path, tmp_path / str(hold), recipe=replace(RECIPE, hold=hold)).run().progress.checks
        for hold in (0.0, 50.0)
    )
    assert free[0].drift == held[0].drift == pytest.approx(0.0, abs=1e-6)
    assert 0.0 < held[-1].drift < 0.5 * free[-1].drift


def test_drift_is_the_divergence_from_the_model_without_its_adapter(
    path: Path, undisturbed: tuple[Learned, Network], parts: tuple[Shape, Tokens]
) -> None:
    (plain, *_), _ = keeping.packed(PLAIN, parts[1], 64)
    own, moved = network(path, parts[0]).logits(plain), undisturbed[1].logits(plain)
    expected = torch.nn.functional.kl_div(
        torch.log_softmax(moved, -1), torch.log_softmax(own, -1), log_target=True, reduction="batchmean"
    )
    assert undisturbed[1].drifted([plain]) == pytest.approx(float(expected), rel=1e-4)
    assert torch.equal(undisturbed[1].logits(plain), moved), "its adapter is there again"


_KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
import torch
from pathlib import Path
from test_learning import learning
torch.set_num_threads(1)
def watch(progress, estimate):
    print(progress.step, flush=True)
    if progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
learning(Path({path!r}), Path({folder!r})).run(watch)
"""


def test_killed_in_the_middle_it_goes_on_as_if_nothing_had_been(
    path: Path, tmp_path: Path, undisturbed: tuple[Learned, Network]
) -> None:
    paths = [str(Path(__file__).parent)]
    program = _KILLED.format(paths=paths, path=str(path), folder=str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=400, check=False)
    assert ran.returncode == -signal.SIGKILL and ran.stdout.split()[-1] == "5", ran.stderr
    again = learning(path, tmp_path)
    assert again.resumed_at == 4, "the step that it was killed in was not saved"
    learned, own = again.run(), again._network
    expected, network = undisturbed
    assert learned.progress.losses == pytest.approx(expected.progress.losses, rel=1e-5)
    assert learned.progress.checks[-1].nats == pytest.approx(expected.progress.checks[-1].nats, rel=1e-5)
    for name, value in own.learned().items():
        assert torch.allclose(value, network.learned()[name], atol=1e-6), name
    assert not [left for left in tmp_path.iterdir() if left.name.startswith(".")]


def test_a_folder_of_another_training_is_refused(path: Path, tmp_path: Path) -> None:
    made = learning(path, tmp_path)
    made._identity = "another"
    with pytest.raises(InputInvalid, match="another training"):
        made._kept()


def test_it_ends_where_there_is_no_progress(path: Path, tmp_path: Path) -> None:
    idle = Recipe(steps=40, rank=4, alpha=8.0, tokens=512, rate=0.0, patience=2)
    learned = learning(path, tmp_path, saving=1e9, recipe=idle).run()
    assert learned.stopped == "no better" and learned.progress.step < 40


# --- what comes of it, in the engine -------------------------------------------------------------

TEXTS = (" the hall", " at 7", " nobody lives here")


@pytest.fixture(scope="module")
def adapter(undisturbed: tuple[Learned, Network], parts: tuple[Shape, Tokens], path: Path) -> Iterator[Path]:
    made = path.with_name("learned.gguf")
    export.adapter(made, _louder(undisturbed[1]), parts[0], alpha=RECIPE.alpha, name="learned")
    yield made


def _louder(network: Network) -> dict[str, Any]:
    """So much of a change that a wrong order of rows shows."""
    return {name: 2.0 * value.detach() for name, value in network.learned().items()}


def _scores(model: Any) -> list[float]:
    return [score for score, _ in complete(model, Score((Segment("Set the light in", False),), TEXTS)).scores]


def _said(network: Network, tokens: Tokens) -> list[float]:
    told = [spelled(tokens, "Set the light in", text) for text in TEXTS]
    with torch.no_grad():
        return [-judgement.nats for judgement in network.judge([pack(told)])]


def test_the_engine_says_what_torch_says_with_and_without_it(
    path: Path, adapter: Path, undisturbed: tuple[Learned, Network], parts: tuple[Shape, Tokens]
) -> None:
    shape, tokens = parts
    with open_model(adapter) as file, open_model(path) as base:
        found = checked(file, checked_header(base))
    assert (found.rank, found.alpha, len(found.tensors)) == (4, 8.0, 7 * shape.blocks)
    own = network(path, shape)
    with closing(open_local(str(path), context=512, threads=1)) as plain:
        assert _scores(plain) == pytest.approx(_said(own, tokens), abs=0.05)
        own.load(_louder(undisturbed[1]))
        changed = plain.with_adapter(str(adapter))
        assert _scores(changed) == pytest.approx(_said(own, tokens), abs=0.05)
        assert _scores(changed) != pytest.approx(_scores(plain), abs=0.5)
        prompts = [(Segment(text, False),) for text in ("Set the", "Wake me up at", "Who lives")]
        told = list(agreements(changed, own, tokens, prompts, most=6))
    assert len(told) == 3 and all(one.whole or one.gap < 0.05 for one in told)


def test_merged_it_is_the_same_model(
    path: Path, adapter: Path, undisturbed: tuple[Learned, Network], parts: tuple[Shape, Tokens]
) -> None:
    made = path.with_name("merged.gguf")
    export.merged(made, path, _louder(undisturbed[1]), parts[0], scale=RECIPE.alpha / RECIPE.rank)
    with (
        closing(open_local(str(path), context=512, threads=1)) as plain,
        closing(open_local(str(made), context=512, threads=1)) as merged,
    ):
        assert _scores(merged) == pytest.approx(_scores(plain.with_adapter(str(adapter))), abs=0.1)
        assert merged.family.template == plain.family.template

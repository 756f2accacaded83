"""The one value that says how a model is run: its file, its family, the catalogue and the user's settings together.

Hides which of them goes before which: what the user sets for the model, what the user sets for all, the catalogue,
the file, the family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic.dataclasses import dataclass

from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import STRICT
from linnet.models import catalogue
from linnet.models.families import Advice, State
from linnet.models.family import Family, detect
from linnet.models.gguf import Header
from linnet.models.store import Located
from linnet.requests import Sampling
from linnet.settings import ModelSettings

DEFAULT_CONTEXT = 4_096
"""Tokens, over all answers at once: what a small model's agent turns need; a trained context may be 32 times it."""

Thinks: TypeAlias = State | Literal["never"]


@dataclass(frozen=True, config=STRICT)
class Configuration:
    """`family` is how the model is spoken to, with what was set in place of what was found.

    `context` is in tokens. `sampling` is for requests that bring none of their own, `beside` what its source
    recommends too and the engine does not have. `thinks` is `never` for a model whose template knows of no
    thinking, `free` where its prompt leaves it to the model. `options` are the template's variables that are
    set. `origins` tells where each of these comes from, by name.
    """

    family: Family
    context: int
    sampling: Sampling
    beside: str
    thinks: Thinks
    options: dict[str, Any]
    origins: dict[str, str]

    def rows(self) -> list[tuple[str, Any, str]]:
        """What is in force, each as its name, a JSON value and where it comes from."""
        family, sampling = self.family, self.sampling
        marks = [family.thinking.begin, family.thinking.end] if family.thinking else []
        values = {
            "context": self.context,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "stops": list(family.stops),
            "system": "own" if family.takes_system else "folded",
            "thinking": self.thinks,
            "thinking_marks": marks,
            "thinking_switch": family.thinking.switch if family.thinking else "",
            "tools": family.tools,
            "dialect": family.dialect,
            "template": f"{len(family.template)} characters",
            "template_options": self.options,
        }
        return [(name, value, self.origins[name]) for name, value in values.items()]


class Layer(NamedTuple):
    """Settings, and where they are from, in words."""

    origin: str
    settings: ModelSettings


Layers: TypeAlias = Sequence[Layer]
"""The later go before the earlier."""


def layers(
    asked: str, located: Located, context: int | None = None, models: Mapping[str, ModelSettings] | None = None
) -> Layers:
    """What is set for a model: in the catalogue, for all models, by its own name and by what the user called it."""
    entry = catalogue.entries().get(located.name)
    found = [Layer("settings", ModelSettings(context=context))]
    if entry and entry.sha256 == located.sha256:
        found.insert(0, Layer(f"catalogue: {located.name}", entry.settings))
    own = models or {}
    names = dict.fromkeys((located.name, asked))
    return [*found, *(Layer(f"settings: models.{name!r}", own[name]) for name in names if name in own)]


def configure(header: Header, given: Layers = ()) -> Configuration:
    """How to run a model. Raises SettingsInvalid for what cannot be set for it."""
    chosen = _Chosen(given)
    family = _family(header, chosen)
    origins = dict(family.origins)
    for name in ("stops", "system", "dialect", "template"):
        origins[name] = chosen.origin(name) or origins[name]
    if chosen.origin("template"):
        origins.update(dict.fromkeys(("tools", "thinking"), chosen.origin("template")))
    context, origins["context"] = _context(family, chosen)
    thinks, options, origin = _thinks(family, chosen)
    origins["thinking_marks"] = origins["thinking_switch"] = origins["thinking"]
    origins["thinking"] = origin or origins["thinking"]
    origins["template_options"] = chosen.origin("template_options") or origin or "nothing is set"
    advice = family.advice if thinks == "never" else family.advised(thinks)
    sampling = _sampling(advice, chosen, origins)
    return Configuration(family, context, sampling, advice.beside, thinks, options, origins)


class _Chosen:
    """The settings of all layers as one."""

    def __init__(self, given: Layers) -> None:
        self._values: dict[str, Any] = {}
        self._origins: dict[str, str] = {}
        for layer in given:
            for name in ModelSettings.model_fields:
                if (value := getattr(layer.settings, name)) is not None:
                    self._values[name], self._origins[name] = value, layer.origin

    def get(self, name: str) -> Any:
        """None if it is not set."""
        return self._values.get(name)

    def origin(self, name: str) -> str:
        """Where it is set; "" if it is not."""
        return self._origins.get(name, "")


def _family(header: Header, chosen: _Chosen) -> Family:
    path = chosen.get("template")
    family = detect(header, name=chosen.get("family"), text=None if path is None else _read(path))
    changes: dict[str, Any] = {}
    if (system := chosen.get("system")) is not None:
        changes["takes_system"] = system == "own"
    if (stops := chosen.get("stops")) is not None:
        changes["stops"] = stops
    if (dialect := chosen.get("dialect")) is not None:
        changes["dialect"] = dialect
    return replace(family, **changes) if changes else family


def _read(path: Path) -> str:
    """A template that the user names. Raises SettingsInvalid."""
    try:
        if path.exists() and not path.is_file():  # a pipe would never open
            raise SettingsInvalid(f"the template {str(path)!r} cannot be read: it is no regular file")
        with path.open("rb") as file:
            body = file.read(LIMITS.template_bytes + 1)
        if len(body) > LIMITS.template_bytes:
            raise SettingsInvalid(f"the template {str(path)!r} is over {LIMITS.template_bytes:,} bytes")
        return body.decode()
    except OSError as error:
        raise SettingsInvalid(f"the template {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsInvalid(f"the template {str(path)!r} is not UTF-8 at byte {error.start}") from error


def _context(family: Family, chosen: _Chosen) -> tuple[int, str]:
    context = chosen.get("context")
    if context is None:
        if family.context > DEFAULT_CONTEXT:
            return DEFAULT_CONTEXT, f"Linnet's own: trained are {family.context} ({family.origins['context']})"
        return family.context, family.origins["context"]
    if context < LIMITS.context_least:
        raise SettingsInvalid(f"a context of {context} tokens is under the least of {LIMITS.context_least}")
    return int(context), chosen.origin("context")


def _thinks(family: Family, chosen: _Chosen) -> tuple[Thinks, dict[str, Any], str]:
    """Whether it thinks, the template's options, and where the first was set, "" if it was not."""
    options, wanted = dict(chosen.get("template_options") or {}), chosen.get("thinking")
    for name in options:
        if name in _TAKEN:
            raise SettingsInvalid(f"`template_options` sets {name!r}, which is not for settings")
    known = family.thinking
    if known is None:
        if wanted:
            raise SettingsInvalid("`thinking` is on, but the model's template knows of no thinking")
        return "never", options, ""
    if known.switch in options:
        if wanted is not None and options[known.switch] is not wanted:
            raise SettingsInvalid(f"`thinking` and `template_options` disagree on {known.switch!r}")
        return "on" if options[known.switch] else "off", options, chosen.origin("template_options")
    if wanted is None:
        return known.state, options, ""
    state: State = "on" if wanted else "off"
    if known.switch:
        options[known.switch] = wanted
    elif state != known.state:
        hint = f"Leave `thinking` unset; its thoughts stand between {known.begin} and {known.end}."
        raise SettingsInvalid(f"`thinking` is {state}, but the model's template has no switch for it", hint=hint)
    return state, options, chosen.origin("thinking")


_TAKEN = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "strftime_now"})
"""Variables of templates that are the renderer's own."""


def _sampling(advice: Advice, chosen: _Chosen, origins: dict[str, str]) -> Sampling:
    """Completes the origins."""
    unknown = "no recommendation is known: greedy"
    changes = {}
    for name in ("temperature", "top_p", "top_k"):
        if (value := chosen.get(name)) is not None:
            changes[name] = value
        usual = unknown if advice.source == "unknown" else f"family: {advice.source}"
        origins[name] = chosen.origin(name) or usual
    return replace(advice.sampling, **changes) if changes else advice.sampling

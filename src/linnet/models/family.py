"""How a model likes to be spoken to: header and chat template -> Family.

Hides how what the file says and what is known of its family (`families.toml`) come together. Templates are only
searched here, in time linear in their length; they are rendered in the model-less child.
"""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from linnet.messages import STRICT, Message
from linnet.models import marks, template
from linnet.models.families import Advice, State, table
from linnet.models.gguf import Header
from linnet.models.infill import infill
from linnet.models.marks import TEMPLATE, TOKENS, Evidence
from linnet.models.template import Thinking
from linnet.requests import Infill, Sampling


@dataclass(frozen=True, config=STRICT)
class Family:
    """`detected` names the fields of the header that decided, and what was found in them.

    `bos` and `eos` are token texts, empty if the file names none; `stops` are the token texts or strings
    that end a turn. `takes_system` says whether the template takes a system message; where it does not, `joint` is
    the text that joins one to the first user message. `thinking` is None if the template knows of none. `tools` is
    the template's variable that takes tools, "" for none; `dialect` the row of `linnet.calling.dialects` that reads
    the model's own notation of calls, "" where none is known. `context` is what it was trained for, in tokens.
    `infill` are the tokens that ask for what belongs into a gap, None for a model that has none.
    `advice` is the recommended sampling, `thoughtful` the one for while it thinks. `origins` tells, for the others
    by name, where each comes from.
    """

    name: str
    title: str
    detected: tuple[str, ...]
    template: str
    bos: str
    eos: str
    stops: tuple[str, ...]
    takes_system: bool
    joint: str
    thinking: Thinking | None
    tools: str
    dialect: str
    context: int
    advice: Advice
    thoughtful: Advice | None
    origins: dict[str, str]
    infill: Infill | None = None

    @property
    def sampling(self) -> Sampling:
        """What is recommended if nothing is set otherwise."""
        return self.advised(self.thinking.state if self.thinking else "off").sampling

    def advised(self, thinks: State) -> Advice:
        return self.thoughtful if self.thoughtful and thinks == "on" else self.advice

    def adapt(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The messages as the template takes them: it may want system text inside the first user message.

        What they become together is trusted only if all of its parts are.
        """
        if self.takes_system:
            return messages
        count = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
        return _folded(messages[:count], messages[count:], self.joint)


def detect(header: Header, *, name: str | None = None, text: str | None = None) -> Family:
    """The family of a model, or `unknown` with the template that it carries, or the plainest one.

    A `name` says which family it is, a `text` which template it has, whatever its header says. Raises
    SettingsInvalid for a name that is none.
    """
    found = marks.evidence(header)
    if name is None:
        name, row, detected = marks.recognise(found)
    else:
        row, detected = marks.named(name), (f"settings: {name}",)
    own, origin = (text, "settings") if text is not None else _template(found)
    thinking = _thinking(own, row.thinks)
    dialect, shown = _dialect(own, row.dialect)
    context, trained = _context(header)
    bos, eos = (_token(header, f"tokenizer.ggml.{kind}_token_id") for kind in ("bos", "eos"))
    taken = template.takes_system(own)
    return Family(
        name=name,
        title=row.title,
        detected=detected,
        template=own,
        bos=bos,
        eos=eos,
        stops=_stops(found, own, eos, thinking),
        takes_system=taken,
        joint=row.joint,
        thinking=thinking,
        tools=template.tools(own),
        dialect=dialect,
        context=context,
        advice=row.advice,
        thoughtful=row.thoughtful,
        origins={
            "context": trained,
            "template": origin,
            "stops": f"file: {TOKENS}" + (", and Linnet's own" if own == _PLAIN else ""),
            "system": origin if taken else f"{origin}: it takes none; family: joined by {row.joint!r}",
            "thinking": origin,
            "tools": origin,
            "dialect": f"{origin}: {shown}" if shown else "family" if dialect else "unknown",
        },
        infill=infill(header, found.special),
    )


_PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content | trim }}\n"
    "{% endfor %}Assistant:"
)
_PLAIN_STOP = "\nUser:"

_DEFAULT_CONTEXT = 2_048
"""For a file that does not say: the least of any model of these families."""


def _template(found: Evidence) -> tuple[str, str]:
    """The chat template and where it is from: the file, the turns that its vocabulary knows, or plain roles."""
    if found.template:
        return found.template, f"file: {TEMPLATE}"
    if found.turns:
        return table().turns[found.turns].template.lstrip("\n"), f"Linnet's own, for {found.turns} turns"
    return _PLAIN, "Linnet's own, with plain roles: no template and no known mark of a turn"


def _thinking(text: str, thinks: State) -> Thinking | None:
    found = template.thinking(text)
    if found is None or found.state != "free" or found.switch:
        return found
    return Thinking(found.begin, found.end, found.switch, thinks)


def _dialect(text: str, usual: str) -> tuple[str, str]:
    """The notation of calls that a template shows, with its sign; else the one that is usual in the family."""
    for notation in table().notations:
        if all(sign in text for sign in notation.signs):
            return notation.dialect, notation.signs[0]
    return usual, ""


def _token(header: Header, key: str) -> str:
    """The text of the token that a field names; empty when it names none."""
    index, tokens = header.integer(key), header.texts(TOKENS)
    return tokens[index] if index is not None and 0 <= index < len(tokens) else ""


def _stops(found: Evidence, text: str, eos: str, thinking: Thinking | None) -> tuple[str, ...]:
    ids = (_token(found.header, f"tokenizer.ggml.{kind}_token_id") for kind in ("eot", "eom"))
    ends = (end for end in found.ends if thinking is None or end != thinking.end)
    plain = (_PLAIN_STOP,) if text == _PLAIN else ()
    return tuple(dict.fromkeys(stop for stop in (eos, *ids, *ends, *plain) if stop))


def _context(header: Header) -> tuple[int, str]:
    key = f"{header.architecture}.context_length"
    trained = header.integer(key)
    if trained and trained > 0:
        return trained, f"file: {key}"
    return _DEFAULT_CONTEXT, "the file does not say"


def _folded(system: tuple[Message, ...], rest: tuple[Message, ...], joint: str) -> tuple[Message, ...]:
    if not system:
        return rest
    user, rest = (rest[:1], rest[1:]) if rest and rest[0].role == "user" else ((), rest)
    parts = (*system, *user)
    content = joint.join(part.content for part in parts)
    return (Message("user", content, trusted=all(part.trusted for part in parts)), *rest)

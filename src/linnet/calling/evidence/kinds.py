"""What a parameter is about, beyond its type: numbers, options, lists, times, files, or free text.

Read from its schema and the words of its name; the same reading serves choosing a tool and filling it.
"""

from __future__ import annotations

from linnet.calling.evidence.naming import words
from linnet.calling.evidence.stems import stem
from linnet.schema import JsonSchema

_TIMES = frozenset(map(stem, ("time", "date", "when", "day", "deadline", "datetime", "moment", "schedule")))
_FILES = frozenset(map(stem, ("path", "file", "filename", "folder", "directory", "filepath")))
_CLAUSES = frozenset(
    map(stem, ("text", "message", "task", "note", "content", "body", "title", "what", "todo", "subject", "comment"))
)


def is_number(schema: JsonSchema) -> bool:
    return schema.get("type") in ("number", "integer") and _is_open(schema)


def is_text(schema: JsonSchema) -> bool:
    return schema.get("type") == "string" and _is_open(schema)


def _is_open(schema: JsonSchema) -> bool:
    """Whether any value of its type will do, rather than some that it names."""
    return not schema.get("enum") and "const" not in schema


def is_list(schema: JsonSchema) -> bool:
    return schema.get("type") == "array"


def is_number_list(schema: JsonSchema) -> bool:
    return is_list(schema) and items(schema).get("type") in ("number", "integer")


def items(schema: JsonSchema) -> JsonSchema:
    """The schema of a list's elements; the one that takes anything when there is none (`items` may be a bool)."""
    found = schema.get("items")
    return found if isinstance(found, dict) else {}


def takes_text(schema: JsonSchema) -> bool:
    """Whether a text may be a value: it is a string, or could be one."""
    forms = schema.get("anyOf") or schema.get("oneOf")
    return "string" in schema.get("type", "string") and (not forms or any(map(takes_text, forms)))


def options(schema: JsonSchema) -> list[str]:
    """The options of a parameter that are words."""
    return [option for option in schema.get("enum", ()) if isinstance(option, str)]


def is_time(name: str, schema: JsonSchema) -> bool:
    return is_text(schema) and bool(_TIMES & name_words(name))


def is_file(name: str, schema: JsonSchema) -> bool:
    return is_text(schema) and bool(_FILES & name_words(name))


def is_clause(name: str) -> bool:
    """Whether a text is something said or to be done (`call Anna`), rather than the name of a thing."""
    return bool(_CLAUSES & name_words(name))


def name_words(name: str) -> set[str]:
    """Stems of a parameter's name, function words such as `when` included."""
    return {*words(name), *(stem(part.lower()) for part in name.split("_"))}

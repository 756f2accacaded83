"""JSON and Python literals inside a call: their end found in one pass, their value read without evaluating.

The scanner knows brackets, quotes and which characters may stand outside of them; it stops at the first that
may not. Python literals are rewritten as JSON by one substitution, and JSON is read by the standard library:
depth is bounded by the scanner, so neither can recurse far.
"""

from __future__ import annotations

import json
import re
from typing import Any

from linnet.calling.dialects.source import NotACall, Reading, Source
from linnet.limits import LIMITS

_CLOSING = {"{": "}", "[": "]", "(": ")"}
_JSON_OUTSIDE = re.compile(r"[\s,:0-9+\-.eEtrufalsn]*+")
_JSON_INSIDE = {'"': re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)}
_PYTHON_OUTSIDE = re.compile(r"[^\"'()\[\]{}<>`;]*+")
_PYTHON_INSIDE = {**_JSON_INSIDE, "'": re.compile(r"(?:[^'\\]++|\\.)*+", re.DOTALL)}


class _Scan:
    """Where a bracketed text ends. `advance` goes as far as the text reaches, and can be called again."""

    def __init__(self, outside: re.Pattern[str], inside: dict[str, re.Pattern[str]]) -> None:
        self.outside, self.inside = outside, inside
        self.open: list[str] = []
        self.quote = ""
        self.whole = False

    def advance(self, text: str, at: int) -> int:
        """Consumes from `at`; the text is at its end unless `whole`. NotACall.at is where it went wrong."""
        while at < len(text) and not self.whole:
            if self.quote:
                at = self._in_string(text, at)
                if at < len(text) and text[at] == "\\":
                    return at  # its other half has not come yet
            else:
                at = self._between(text, at)
        return at

    def _in_string(self, text: str, at: int) -> int:
        found = self.inside[self.quote].match(text, at)
        at = found.end() if found else at
        if text[at : at + 1] == self.quote:
            self.quote = ""
            at += 1
        return at

    def _between(self, text: str, at: int) -> int:
        found = self.outside.match(text, at)
        at = found.end() if found else at
        if at == len(text):
            return at
        letter = text[at]
        if letter in self.inside:
            self.quote = letter
        elif letter in _CLOSING:
            self.open.append(_CLOSING[letter])
            if len(self.open) > LIMITS.schema_depth + 2:
                raise _Stopped(at, f"it nests deeper than {LIMITS.schema_depth} levels")
        elif self.open and letter == self.open[-1]:
            self.open.pop()
            self.whole = not self.open
        else:
            raise _Stopped(at, f"{letter!r} cannot stand there")
        return at + 1


class _Stopped(NotACall):
    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


def _bracketed(source: Source, scan: _Scan) -> Reading[str]:
    """The text from here to the end of the bracket that opens here; NotACall where it cannot go on, or ends."""
    parts = []
    while True:
        try:
            parts.append(source.take(scan.advance(source.text, source.at)))
        except _Stopped as stopped:
            source.take(stopped.at)
            raise
        if scan.whole:
            return "".join(parts)
        if source.ended:
            source.take(len(source.text))
            raise NotACall("it is cut off")
        yield None


def json_text(source: Source, opened: str = "") -> Reading[str]:
    """The text of the JSON object or array that begins here; `opened` is what of it was read before."""
    scan = _Scan(_JSON_OUTSIDE, _JSON_INSIDE)
    scan.advance(opened, 0)
    return opened + (yield from _bracketed(source, scan))


def closed_json(text: str) -> str:
    """A cut-off JSON object or array with its brackets closed; "" where that would take inventing a value."""
    scan = _Scan(_JSON_OUTSIDE, _JSON_INSIDE)
    try:
        scan.advance(text, 0)
    except NotACall:
        return ""
    return "" if scan.quote or scan.whole else text + "".join(reversed(scan.open))


def python_text(source: Source, opened: str = "") -> Reading[str]:
    """The text of the Python list, call or literal that begins here; `opened` is what of it was read before."""
    scan = _Scan(_PYTHON_OUTSIDE, _PYTHON_INSIDE)
    scan.advance(opened, 0)
    return opened + (yield from _bracketed(source, scan))


def load(text: str) -> Any:
    """A JSON value; NotACall when it is none. Raw line ends in strings are let pass: models write code."""
    try:
        return json.loads(text, strict=False, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotACall(f"it is not JSON: {str(error)[:100]}") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


# --- Python --------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+")
    |(?P<call>[A-Za-z_][\w.\-]*+)\s*+\(
    |(?P<key>[A-Za-z_]\w*+)\s*+=
    |(?P<name>[A-Za-z_]\w*+)
    |(?P<number>(?:(?<![\w.)\]}])[-+])?(?:\d[\w.]*+(?:(?<=[eE])[-+]\d++)?|\.\d\w*+))
    |(?P<open>[(\[{])|(?P<close>[)\]}])
    |(?<![\[({,\s]),(?=\s*+[\])}])""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r"""'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+\"""", re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null", "true": "true", "false": "false", "null": "null"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""}


class _Rewriter:
    """Python -> JSON, token by token. Calls become objects; they stand outermost or in the outermost list."""

    def __init__(self) -> None:
        self.open: list[tuple[str, int]] = []
        """Brackets that are open, with where their inside begins; `f` for those of a call."""

    def __call__(self, found: re.Match[str]) -> str:
        kind = found.lastgroup
        return "" if kind is None else str(getattr(self, f"_{kind}")(found[kind], found))

    def _text(self, text: str, _: re.Match[str]) -> str:
        return dump(_ESCAPE.sub(_unescaped, text[1:-1]))

    def _call(self, name: str, found: re.Match[str]) -> str:
        if self.open and self.open != [("[", self.open[0][1])]:
            raise NotACall(f"{name}(...) is a call inside a call")
        self.open.append(("f", found.end()))
        return f'{{"name": {dump(name)}, "arguments": {{'

    def _key(self, name: str, _: re.Match[str]) -> str:
        if not self.open or self.open[-1][0] != "f":
            raise NotACall(f"{name}= stands in no call")
        return f"{dump(name)}:"

    def _name(self, name: str, _: re.Match[str]) -> str:
        if name not in _WORDS:
            raise NotACall(f"{name} is a name, not a value")
        return _WORDS[name]

    def _number(self, digits: str, _: re.Match[str]) -> str:
        try:
            return dump(int(digits, 0) if "." not in digits and "e" not in digits.lower() else float(digits))
        except ValueError as error:
            raise NotACall(f"{digits[:40]} is no number") from error

    def _open(self, bracket: str, found: re.Match[str]) -> str:
        self.open.append((bracket, found.end()))
        return "[" if bracket == "(" else bracket

    def _close(self, bracket: str, found: re.Match[str]) -> str:
        opened, start = self.open.pop() if self.open else ("", 0)
        if opened == "f":
            return "}}"
        return self._tuple(found.string[start : found.start()]) if opened == "(" else bracket

    def _tuple(self, inside: str) -> str:
        """Round brackets make a tuple when a comma is in them; flat ones only, as coordinates are."""
        bare = _QUOTED.sub("", inside)
        if set(bare) & set("()[]{}") or not ("," in bare or not inside.strip()):
            raise NotACall("round brackets that are no tuple")
        return "]"


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xuU" and len(code) > 1:
        return chr(min(int(code[1:], 16), 0x10FFFF))
    if code[0] in "01234567":
        return chr(int(code, 8))
    return _ESCAPES.get(code, code if code in "\\'\"" else f"\\{code}")


def load_python(text: str) -> Any:
    """A Python literal, or a list of calls with keywords (`{"name", "arguments"}` each), as JSON values.

    Nothing is evaluated. Numbers keep their kind, tuples become lists, unknown escapes stay as they are.
    """
    return load(_TOKEN.sub(_Rewriter(), text))


def dump_python(value: Any) -> str:
    """A JSON value as a Python literal."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_quoted(str(k))}: {dump_python(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(dump_python, value))}]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """In double quotes, with the escapes that Python and JSON share."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")


def literal(text: str) -> Any:
    """A JSON or Python list or object that is the whole text; None when it is none."""
    for reading, scan in (
        (load, _Scan(_JSON_OUTSIDE, _JSON_INSIDE)),
        (load_python, _Scan(_PYTHON_OUTSIDE, _PYTHON_INSIDE)),
    ):
        try:
            if scan.advance(text, 0) == len(text) and scan.whole:
                return reading(text)
        except NotACall:
            continue
    return None

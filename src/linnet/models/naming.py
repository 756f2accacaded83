"""What a user may write to name a model, and what may be the name of a stored one.

    smollm2-135m                                a known model, or a stored one
    hf:owner/repo[@revision][:file-or-quant]    a file on a hub: `hf:o/r:Q4_K_M`, `hf:o/r@main:sub/m.gguf`
    pkg:distribution[:file.gguf]                a file that an installed package carries
    ./m.gguf, ~/m.gguf, m.gguf                  a path: has a separator, a leading `~`, or ends in .gguf
    BASE+ADAPTER                                a model of any of these kinds, with an adapter (see `split_adapter`)

Hides which characters are let through. No name is ever joined to a path before it has passed here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from linnet.errors import InputInvalid
from linnet.limits import LIMITS


@dataclass(frozen=True)
class OnHub:
    """`selector` is a path in the repository if it ends in .gguf, else a quantisation in capitals."""

    repo: str
    revision: str | None = None
    selector: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return self.revision is not None and bool(_COMMIT.fullmatch(self.revision))

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf:{self.repo}{revision}" + (f":{self.selector}" if self.selector else "")


@dataclass(frozen=True)
class InPackage:
    """`file` is the last part of the path in the package, or all of it; None where there is only one."""

    package: str
    file: str | None = None


@dataclass(frozen=True)
class OnDisk:
    path: Path


@dataclass(frozen=True)
class Named:
    name: str


Reference: TypeAlias = OnHub | InPackage | OnDisk | Named


def parse(text: str) -> Reference:
    """What the text names; nothing is looked up. Raises InputInvalid for what cannot name anything."""
    scheme, _, rest = text.partition(":")
    if scheme.lower() == "hf":
        return _on_hub(text, rest)
    if scheme.lower() == "pkg":
        return _in_package(text, rest)
    if rest.startswith("//"):
        raise _odd(
            "the model", text, "addresses are not fetched", "Write hf:owner/repo:file.gguf for a file of a hub."
        )
    if _is_path(text):
        return OnDisk(_expanded(Path(text)))
    return Named(text)


def split_adapter(text: str) -> tuple[str, str]:
    """What names the model, and what names the adapter behind it: `("default", "./a.gguf")` for
    `default+./a.gguf`, and "" in the second place where there is none. Each part is for `parse`.

    A `+` parts the two where a whole model stands before it: a name, a reference without a file, or anything that
    ends in .gguf. In any other place (`./c++/m.gguf`, `hf:o/r:a+b.gguf`) it is a character of a path, and so it is
    in the path of a file that exists. Raises InputInvalid where a part is missing, or for a second adapter.
    """
    if "+" not in text or _is_there(text):
        return text, ""
    at = next((at for at, sign in enumerate(text) if sign == "+" and _is_whole(text[:at], text)), None)
    if at is None:
        return text, ""
    base, adapter = text[:at], text[at + 1 :]
    if not base or not adapter:
        missing = "no adapter behind the '+'" if base else "no model before the '+'"
        raise _odd("the model", text, f"there is {missing}", _ADAPTER_HINT)
    if adapter.startswith("+") or split_adapter(adapter)[1]:
        raise _odd("the model", text, "there is more than one adapter, and one is used at a time", _ADAPTER_HINT)
    return base, adapter


_ADAPTER_HINT = (
    "Write MODEL+ADAPTER, such as default+home or default+./home.gguf; begin paths that hold a '+' with ./."
)


def check_name(name: str) -> str:
    """The name, if a stored model may have it. Raises InputInvalid."""
    if _NAME.fullmatch(name) and ".." not in name and not name.endswith(".gguf"):
        return name
    limit = f"small letters, digits, '.', '_' and '-', at most {LIMITS.model_name_chars}, not ending in .gguf"
    raise _odd("the name", name, f"a name has {limit}", "Give another name with --as.")


def default_name(file: str) -> str:
    """`qwen2.5-0.5b-instruct-q4_k_m` for `sub/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf`. Raises InputInvalid."""
    stem = file.rpartition("/")[2].lower().removesuffix(".gguf")
    tidy = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9._-]+", "-", stem)).strip("-._")
    return check_name(tidy[: LIMITS.model_name_chars].rstrip("-._"))


def is_plain_file(path: str) -> bool:
    """Whether this is a relative path with nothing in it that could lead elsewhere or look like something else."""
    parts = path.split("/")
    return len(path) <= LIMITS.hub_reference_chars and all(_PART.fullmatch(part) for part in parts)


def is_digest(text: str) -> bool:
    """Whether this is a SHA-256 as it is written here: 64 hexadecimal digits in small letters."""
    return bool(_DIGEST.fullmatch(text))


def is_commit(text: str) -> bool:
    return bool(_COMMIT.fullmatch(text))


_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LIMITS.model_name_chars - 1}}}", re.ASCII)
_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(f"{_WORD}/{_WORD}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}){0,4}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_(\[](?:[A-Za-z0-9 ._+()\[\],=@~-]{0,253}[A-Za-z0-9_)\]])?", re.ASCII)
_QUANTISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def _on_hub(text: str, rest: str) -> OnHub:
    if len(text) > LIMITS.hub_reference_chars:
        raise _odd("the model", text, f"it is over {LIMITS.hub_reference_chars} characters", _HUB_HINT)
    head, colon, selector = rest.partition(":")
    repo, at, revision = head.partition("@")
    if not _REPO.fullmatch(repo) or any(odd in repo for odd in ("..", "--")) or repo.endswith(".git"):
        raise _odd("the model", text, f"{_short(repo)} is not an owner and a repository", _HUB_HINT)
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise _odd("the model", text, f"{_short(revision)} is not a revision", _HUB_HINT)
    if not colon:
        return OnHub(repo, revision or None)
    if selector.lower().endswith(".gguf"):
        if not is_plain_file(selector):
            raise _odd("the model", text, f"{_short(selector)} is not a plain file name", _HUB_HINT)
        return OnHub(repo, revision or None, selector)
    if not _QUANTISATION.fullmatch(selector):
        raise _odd("the model", text, f"{_short(selector)} is neither a .gguf file nor a quantisation", _HUB_HINT)
    return OnHub(repo, revision or None, selector.upper())


_HUB_HINT = "Write hf:owner/repo, hf:owner/repo:Q4_K_M, or hf:owner/repo@revision:file.gguf."


def _in_package(text: str, rest: str) -> InPackage:
    package, colon, file = rest.partition(":")
    hint = "Write pkg:distribution or pkg:distribution:file.gguf."
    if not _PACKAGE.fullmatch(package):
        raise _odd("the model", text, f"{_short(package)} is not the name of a package", hint)
    if colon and not (is_plain_file(file) and file.lower().endswith(".gguf")):
        raise _odd("the model", text, f"{_short(file)} is not a plain .gguf file name", hint)
    return InPackage(package, file or None)


def _is_path(text: str) -> bool:
    separators = {os.sep, os.altsep or os.sep}
    return text.startswith("~") or text.lower().endswith(".gguf") or any(s in text for s in separators)


def _is_whole(base: str, text: str) -> bool:
    """Whether what stands before a `+` of the text is a model by itself, rather than a piece of a path."""
    if base.lower().endswith(".gguf"):
        return True
    scheme, _, rest = base.partition(":")
    if scheme.lower() in ("hf", "pkg"):
        # behind a second colon stands a quantisation, or the beginning of a file's name
        return ":" not in rest or (scheme.lower() == "hf" and not any(map(_is_reference, _files(text))))
    return not _is_path(base)


def _files(text: str) -> Iterator[str]:
    """The text up to each end of a .gguf file's name in it."""
    return (text[: found.end()] for found in re.finditer(r"\.gguf(?=\+|$)", text, re.IGNORECASE))


def _is_reference(text: str) -> bool:
    try:
        parse(text)
    except InputInvalid:
        return False
    return True


def _is_there(text: str) -> bool:
    """Whether this is the path of something that exists; a name never is."""
    try:
        return _is_path(text) and _expanded(Path(text)).exists()
    except (OSError, ValueError):
        return False


def _expanded(path: Path) -> Path:
    """With `~` replaced; a user that does not exist, or cannot, is left as it stands, and will not be found."""
    try:
        return path.expanduser()
    except (RuntimeError, ValueError):
        return path


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _odd(what: str, text: str, why: str, hint: str) -> InputInvalid:
    return InputInvalid(f"{what} {_short(text)} cannot be used: {why}", hint=hint, given=text[:200])

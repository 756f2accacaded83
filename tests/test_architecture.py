"""The house as its design draws it, checked from the imports: lazy ones and those for types included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import linnet

ROOT = Path(linnet.__file__).parent
LONGEST = 400
TREE = 500
"""Lines of errors.py, which is one tree and drawn at its top: to take it apart would hide what it shows."""
"""Lines of a module."""

FLOORS = {
    "hardware": 1,
    "models": 2,
    "runtime": 3,
    "calling": 4,
    "agent": 5,
    "evals": 6,
    "app": 7,
    "interfaces": 8,
    "__main__": 8,
}
"""Every other module beside `linnet/__init__.py` is a value: floor 0. `worker` stands apart."""

NATIVE = {"llama_cpp", "llguidance"}


def name_of(path: Path) -> str:
    parts = ("linnet", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PUBLIC = {f"linnet.{name}": home for name, home in linnet._HOME.items()}
"""Where a name of the public face really lives: importing it from there is importing its module."""

MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(), MODULES[module])


@cache
def imports(module: str) -> tuple[tuple[str, int], ...]:
    """(name, line) of everything that a module imports anywhere in it; modules by their full name."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                whole = PUBLIC.get(whole, whole)
                found.append((whole if whole in MODULES else base, node.lineno))
    return tuple(found)


def absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, *([node.module] if node.module else [])])


def inner_imports(module: str) -> Iterator[tuple[str, int]]:
    return ((name, line) for name, line in imports(module) if name.split(".")[0] == "linnet")


def room(module: str) -> str:
    """The first name below `linnet`."""
    return [*module.split("."), ""][1]


def floor(module: str) -> int:
    return FLOORS.get(room(module), 0)


def where(module: str, line: int) -> str:
    return f"{MODULES[module].relative_to(ROOT.parent)}:{line}"


def test_there_is_a_house() -> None:
    assert len(MODULES) > 30 and {"linnet.worker.llama", "linnet.runtime.supervisor"} <= set(MODULES)
    assert ("linnet.requests", 9) not in imports("linnet.protocol")
    assert any(name == "linnet.requests" for name, _ in imports("linnet.protocol"))


def test_every_inner_import_names_a_module_that_exists() -> None:
    missing = [f"{where(m, line)} {name}" for m in MODULES for name, line in inner_imports(m) if name not in MODULES]
    assert missing == []


def test_nobody_imports_a_floor_above() -> None:
    up = [
        f"{where(module, line)} (floor {floor(module)}) imports {name} (floor {floor(name)})"
        for module in MODULES
        if module != "linnet" and room(module) != "worker"
        for name, line in inner_imports(module)
        if floor(name) > floor(module)
    ]
    assert up == []


def test_the_workers_are_imported_by_nobody_and_import_values_and_hardware_only() -> None:
    inside = [
        f"{where(module, line)} imports {name}"
        for module in MODULES
        for name, line in inner_imports(module)
        if (room(name) == "worker") != (room(module) == "worker")
        and (room(name) == "worker" or floor(name) > FLOORS["hardware"])
    ]
    assert inside == []


def test_the_values_that_workers_import_are_the_few_they_need() -> None:
    allowed = {
        "errors",
        "limits",
        "messages",
        "requests",
        "protocol",
        "page",
        "program",
        "script",
        "trial",
        "channel",
        "storage",
        "tokens",
        "vectors",
        "hardware",
        "worker",
    }
    others = {room(name) for m in MODULES if room(m) == "worker" for name, _ in inner_imports(m)} - allowed
    assert others == set()


def test_the_public_face_imports_late() -> None:
    """It runs in the children too, and must load nothing there."""
    body = tree_of("linnet").body
    early = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [n for node in early for n in ast.walk(node) if getattr(n, "module", "") and "linnet" in n.module] == []


def circles() -> list[list[str]]:
    """Groups of modules that reach each other by imports (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for name, _ in inner_imports(module):
            if name not in index:
                visit(name)
            if name in stack:
                low[module] = min(low[module], low[name])
        if low[module] == index[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1 or module in {name for name, _ in inner_imports(module)}:
                found.append(sorted(group))

    for module in MODULES:
        if module != "linnet" and module not in index:
            index.setdefault("linnet", -1)
            visit(module)
    return found


def test_there_is_no_circle() -> None:
    assert circles() == []


def test_native_code_is_loaded_by_workers_only() -> None:
    loaded = [
        f"{where(module, line)} imports {name}"
        for module in MODULES
        if room(module) != "worker"
        for name, line in imports(module)
        if name.split(".")[0] in NATIVE
    ]
    assert loaded == []


def test_one_file_names_llama_cpp() -> None:
    """By import, attribute or string; the package on the index has another name, with dashes."""
    naming = {module for module in MODULES if any("llama_cpp" in name for name in names_in(module))}
    assert naming == {"linnet.worker.library"}


def names_in(module: str) -> Iterator[str]:
    documented = {id(node.body[0].value) for node in ast.walk(tree_of(module)) if has_docstring(node)}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
    yield from (name for name, _ in imports(module))


def has_docstring(node: ast.AST) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node) is not None


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for_and_is_not_too_long(module: str) -> None:
    document = ast.get_docstring(tree_of(module))
    assert document and len(document.split()) >= 4, "no docstring that says anything"
    most = TREE if module == "linnet.errors" else LONGEST
    assert len(MODULES[module].read_text().splitlines()) <= most


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_nothing_is_pickled() -> None:
    carriers = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "diskcache"}
    used = [where(m, line) for m in MODULES for name, line in imports(m) if name.split(".")[0] in carriers]
    assert used == []

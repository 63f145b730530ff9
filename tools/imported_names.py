#!/usr/bin/env python3
"""Check that each name that tests and tools take from a module of this project is there, without running any of them.

mypy reads the package alone, and a test imports some names only while it runs; so a name that was moved would be missed
by a test at the end of a long run. This reads the sources: imports at any depth, attributes of imported modules, and
names that are replaced by ``monkeypatch.setattr``.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tests", "tools")
PROJECT = ("securechat", *FOLDERS)
ALWAYS = frozenset(("__doc__", "__file__", "__name__", "__path__", "__version__", "__dict__"))


def main() -> int:
    """Print each name that is not there; returns 1 when there is one."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = [
        line
        for path in files
        for line in missing_in(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]
    print("\n".join(found) if found else "every imported name is there")
    return 1 if found else 0


def missing_in(source: str, where: str) -> Iterator[str]:
    """Yield a line for each name that a file takes from where it is not.

    Args:
        source: the text of the file.
        where: its path in this checkout, with slashes.
    """
    kinds = (ast.Import, ast.ImportFrom, ast.Attribute, ast.Call, ast.Name, ast.arg)
    nodes = [node for node in ast.walk(ast.parse(source, where)) if isinstance(node, kinds)]
    for line, module, name in taken(nodes, where.removesuffix(".py").replace("/", ".")):
        if module.partition(".")[0] in PROJECT and not has(module, name):
            yield f"{where}:{line}: there is no {name} in {module}" if name else f"{where}:{line}: there is no {module}"


def taken(nodes: Sequence[ast.AST], own: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of all that is taken from modules; an import of the module itself has no name.

    Args:
        nodes: of a module.
        own: the module's dotted name.
    """
    modules = imported_modules(nodes)
    for node in nodes:
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, each.name, "") for each in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                source = ".".join(filter(None, (*own.split(".")[:-level], module))) if level else module or ""
                yield from ((node.lineno, source, each.name) for each in names)
            case ast.Attribute(value=ast.Name(id=alias), attr=name) if alias in modules:
                yield node.lineno, modules[alias], name
            case ast.Call(
                func=ast.Attribute(attr="setattr"), args=[ast.Name(id=alias), ast.Constant(value=str(name)), *_]
            ) if alias in modules and not any(each.arg == "raising" for each in node.keywords):
                yield node.lineno, modules[alias], name


def imported_modules(nodes: Sequence[ast.AST]) -> dict[str, str]:
    """Return the modules that a file knows by a name of one word, unless the name means something else as well."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        match node:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for each in names:
                    path = f"{module}.{each.name}"
                    is_module = source_of(path) is not None and each.name not in names_of(module)
                    found.setdefault(each.asname or each.name, set()).add(path if is_module else "")
            case ast.Import(names=names):
                for each in names:
                    if each.asname:
                        found.setdefault(each.asname, set()).add(each.name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found.setdefault(name, set()).add("")
    return {name: paths.pop() for name, paths in found.items() if len(paths) == 1 and "" not in paths}


def has(module: str, name: str) -> bool:
    """Tell whether a module of the project exists and has a name; a package has its modules, too."""
    source = source_of(module)
    if source is None:
        return False
    if not name or name == "*" or name in ALWAYS or source_of(f"{module}.{name}") is not None:
        return True
    names = names_of(module)
    return name in names or "__getattr__" in names


@functools.cache
def source_of(module: str) -> Path | None:
    """Return the file, or the folder of a package without one; None where there is neither."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((each for each in candidates if each.is_file()), path if path.is_dir() else None)


@functools.cache
def names_of(module: str) -> frozenset[str]:
    """Return what a module binds, in whatever block; a star stands for all names of where it comes from."""
    source = source_of(module)
    if source is None or source.is_dir():
        return frozenset()
    names: set[str] = set()
    for node in outside_of_functions(ast.parse(source.read_text(encoding="utf-8"), str(source))):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Import(names=imported):
                names.update(each.asname or each.name.partition(".")[0] for each in imported)
            case ast.ImportFrom(module=origin, names=imported):
                for each in imported:
                    names.update(names_of(origin or "") if each.name == "*" else (each.asname or each.name,))
    return frozenset(names)


def outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those in the bodies of functions and classes."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from outside_of_functions(child)


if __name__ == "__main__":
    sys.exit(main())

"""A fingerprint of the source of a stage, so that an edit reruns exactly what it can change.

Snakemake sees a rule's command, not the package behind it. Each rule therefore carries as a parameter the hash of its
stage's module and of all that it imports of ours. The hash is of the syntax tree without docstrings: a comment or a
better docstring reruns nothing.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

__all__ = ["fingerprint", "imported_modules", "stage_module"]

PACKAGE = "baler_energy"
ROOT = Path(__file__).parent


@cache
def fingerprint(*modules: str) -> str:
    """Hash modules of ours and everything of ours that they import, directly or not.

    Parameters
    ----------
    *modules
        Dotted names, such as ``baler_energy.stages.train``.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256.
    """
    pending, seen = list(modules), set[str]()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending.extend(imported_modules(name))
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(_read(name)[1])
    return digest.hexdigest()[:16]


def stage_module(stage: str, engine: str) -> str:
    """Name the module that runs a stage with an engine: that of ``upstream`` is apart, and no other depends on it."""
    return f"{PACKAGE}.stages.upstream.{stage}" if engine == "upstream" else f"{PACKAGE}.stages.{stage}"


def imported_modules(module: str) -> frozenset[str]:
    """Names of the modules of ours that a module imports anywhere in its text.

    Importing a package's module runs the package's ``__init__`` too, so that the packages above are included.
    """
    return _read(module)[0]


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _read(module: str) -> tuple[frozenset[str], bytes]:
    """Parse a module: what it imports of ours, and its syntax tree as text.

    The tree itself is let go: kept, the trees of all modules take the garbage collector most of the time.
    """
    path = _path(module)
    if path is None:
        raise ValueError(f"{module} is not a module of {PACKAGE}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {module}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_docstring(statement)]
    ours = {name for name in found if name.split(".")[0] == PACKAGE and _path(name) is not None}
    parents = {".".join(parts[:n]) for name in ours for parts in [name.split(".")] for n in range(2, len(parts))}
    imported = frozenset(ours | {name for name in parents if _path(name) is not None})
    return imported, f"{module}\0{ast.dump(tree)}\0".encode()


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

"""A fingerprint of what a result is made with, so that a change reruns exactly what it can change.

Snakemake sees a rule's command, not the package behind it. Each rule therefore carries as a parameter the hash of its
stage's module, of all that it imports of ours, and of the versions of the packages that these import. The source is
hashed as a syntax tree without docstrings: a comment or a better docstring reruns nothing.

A module that only one variant needs (`variants`) and that a function imports counts only where it is named, or imported
by one that is: an edit of one engine, meter or format reruns nothing of the others.
"""

import ast
import hashlib
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from baler_energy.variants import variant_modules

__all__ = ["fingerprint", "ingredients", "modules_behind", "package_versions", "source_hash"]

PACKAGE = "baler_energy"
ROOT = Path(__file__).parent
#: Lists of names: a line added to them changes no result.
REGISTRIES = frozenset({f"{PACKAGE}.variants", f"{PACKAGE}.sources"})
#: Packages that no value depends on.
_DISPLAY = frozenset({"tqdm"})
#: Distributions that are called otherwise than what is imported of them; to look through all takes a third of a second.
_DISTRIBUTIONS = {"pynvml": "nvidia-ml-py", "yaml": "PyYAML"}
#: Names of packages that are looked for rather than imported, such as for a file that they bring.
_LOOKED_FOR = re.compile(r'(?:find_spec|program)\("([\w-]+)"')


@cache
def fingerprint(*modules: str) -> str:
    """Hash the source behind modules and the versions of the packages that it uses.

    Parameters
    ----------
    *modules
        Dotted names of ours, such as ``baler_energy.stages.train``.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256.
    """
    return _hash(repr(sorted(ingredients(*modules).items())).encode())


@cache
def source_hash(*modules: str) -> str:
    """Hash the source behind modules, whatever the versions of other packages; arguments as of `fingerprint`."""
    return _hash(repr([(name, _read(name).hash) for name in sorted(modules_behind(*modules))]).encode())


@cache
def ingredients(*modules: str) -> Mapping[str, str]:
    """Give what a fingerprint is made of: by module its hash, by package its version, and Python's version."""
    hashes = {name: _read(name).hash for name in modules_behind(*modules)}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **package_versions(*modules), **hashes}


@cache
def package_versions(*modules: str) -> Mapping[str, str]:
    """Give the installed versions of the packages that modules use, directly or through ours.

    Parameters
    ----------
    *modules
        As of `fingerprint`.

    Returns
    -------
    mapping
        Version by name of the distribution. A package that is not installed is left out.
    """
    used = {package for name in modules_behind(*modules) for package in _read(name).packages} - _DISPLAY
    versions = {_DISTRIBUTIONS.get(package, package): _version(package) for package in sorted(used)}
    return {name: version for name, version in versions.items() if version is not None}


@cache
def modules_behind(*modules: str) -> frozenset[str]:
    """Name modules and everything of ours that they import, directly or not; arguments as of `fingerprint`.

    Importing a package's module runs the ``__init__`` of the packages above, which therefore belong to it.
    """
    variants = variant_modules()
    pending, seen = list(modules), set[str]()
    while pending:
        name = pending.pop()
        if name in seen or name in REGISTRIES:
            continue
        seen.add(name)
        module = _read(name)
        pending.extend(module.imports)
        pending.extend(other for other in module.lazy_imports if name in variants or other not in variants)
    return frozenset(seen)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(_DISTRIBUTIONS.get(package, package))
    except metadata.PackageNotFoundError:
        return None


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split(".")[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@dataclass(frozen=True)
class _Module:
    """What a module's text says."""

    imports: frozenset[str]
    """Modules of ours that are imported with it."""
    lazy_imports: frozenset[str]
    """Modules of ours that its functions import."""
    packages: frozenset[str]
    """Names of the packages of others that it imports or looks for."""
    hash: str
    """Of its syntax tree. The tree is let go: the garbage collector would take long with those of all modules."""


@cache
def _read(module: str) -> _Module:
    path = _path(module)
    if path is None:
        raise ValueError(f"{module} is not a module of {PACKAGE}")
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    at_once, lazily = set[str](), set[str]()
    _strip(tree, at_once, lazily, in_function=False)
    packages = {name.split(".")[0] for name in at_once | lazily | set(_LOOKED_FOR.findall(source))}
    others = frozenset(packages - {PACKAGE} - sys.stdlib_module_names)
    return _Module(_ours(at_once | {module}), _ours(lazily), others, _hash(ast.dump(tree).encode()))


def _ours(names: set[str]) -> frozenset[str]:
    """Pick modules of ours out of imported names, and add the packages that they are in."""
    ours = [name.split(".") for name in names if name.split(".")[0] == PACKAGE and _path(name) is not None]
    return frozenset(".".join(parts[:length]) for parts in ours for length in range(1, len(parts) + 1))


def _strip(node: ast.AST, at_once: set[str], lazily: set[str], *, in_function: bool) -> None:
    """Take docstrings out of a module, and note what it imports, at once and in functions, type checkers apart."""
    found = lazily if in_function else at_once
    if isinstance(node, ast.Import):
        found.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        found.add(node.module)
        found.update(f"{node.module}.{alias.name}" for alias in node.names)
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        in_function = True
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        node.body = [statement for statement in node.body if not _is_docstring(statement)]
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        inside = getattr(node, field, ())
        # The body of a lambda or of a conditional expression is no list; neither can hold a statement.
        for statement in inside if isinstance(inside, list) else ():
            _strip(statement, at_once, lazily, in_function=in_function)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

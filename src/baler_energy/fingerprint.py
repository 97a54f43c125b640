"""A fingerprint of the code behind a result, so that a change reruns exactly what it can affect.

Snakemake sees a rule's command, not the package behind it. Each rule therefore has a parameter with the hash of its
stage's module, of all our modules that it imports, and of the versions of the packages that these import. The source is
hashed as a syntax tree without docstrings, so that a change to a comment or docstring reruns nothing.

A variant's module (`variants`) that is imported inside a function only counts if it is named, or imported by another
variant's module that counts: an edit of one engine, meter or format does not rerun the others.
"""

import ast
import hashlib
import importlib
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
#: Lists of names: adding a line to them changes no result, except for `_FACTS` and what `_READERS` write.
REGISTRIES = frozenset(
    {f"{PACKAGE}.variants", f"{PACKAGE}.variant_kinds", f"{PACKAGE}.sources", f"{PACKAGE}.stages.file_names"}
)
#: What the registries say about variants and results depend on, if a module imports it.
_FACTS = frozenset(
    {
        f"{PACKAGE}.vocabulary.PRIMARY_METERS",
        f"{PACKAGE}.vocabulary.NODE_METERS",
        f"{PACKAGE}.variants.NOTICES",
        f"{PACKAGE}.variants.TIMED_ENGINE",
    }
)
#: Modules that read results, and describe every variant that the registries list, also by what they import.
_READERS = (f"{PACKAGE}.figures.", f"{PACKAGE}.analysis.schema", f"{PACKAGE}.stages.collect")
#: Packages that do not affect any value.
_DISPLAY = frozenset({"tqdm"})
#: Distributions whose name differs from that of the imported package; searching all of them takes 0.3 s.
_DISTRIBUTIONS = {"pynvml": "nvidia-ml-py", "yaml": "PyYAML"}
#: Packages that are looked up rather than imported, for example for a file that they contain.
_LOOKED_FOR = re.compile(r'(?:find_spec|program|require_module)\("([\w-]+)"')


@cache
def fingerprint(*modules: str) -> str:
    """Hash the source behind modules and the versions of the packages that it uses.

    Parameters
    ----------
    *modules
        Dotted names of our modules, such as ``baler_energy.stages.train``.

    Returns
    -------
    str
        16 hexadecimal digits of a SHA-256.
    """
    return _hash(repr(sorted(ingredients(*modules).items())).encode())


@cache
def source_hash(*modules: str) -> str:
    """Hash the source behind modules, without the versions of packages; arguments as for `fingerprint`."""
    return _hash(repr([(name, _read(name).hash) for name in sorted(modules_behind(*modules))]).encode())


@cache
def ingredients(*modules: str) -> Mapping[str, str]:
    """Return what a fingerprint is made of: versions of Python and packages, hashes of modules and of facts."""
    behind = modules_behind(*modules)
    hashes = {name: _read(name).hash for name in behind}
    describes = any(name.startswith(_READERS) for name in behind)
    facts = {fact for name in behind for fact in _read(name).facts if describes or fact in _FACTS}
    hashes |= {fact: _hash(repr(_value(fact)).encode()) for fact in facts}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **package_versions(*modules), **hashes}


def _value(fact: str) -> object:
    module, _, name = fact.rpartition(".")
    return getattr(importlib.import_module(module), name)


@cache
def package_versions(*modules: str) -> Mapping[str, str]:
    """Return the installed versions of the packages that modules use, directly or through our other modules.

    Parameters
    ----------
    *modules
        As for `fingerprint`.

    Returns
    -------
    mapping
        Version by name of the distribution. Packages that are not installed are left out.
    """
    used = {package for name in modules_behind(*modules) for package in _read(name).packages} - _DISPLAY
    versions = {_DISTRIBUTIONS.get(package, package): _version(package) for package in sorted(used)}
    return {name: version for name, version in versions.items() if version is not None}


@cache
def modules_behind(*modules: str) -> frozenset[str]:
    """Return modules and all our modules that they import, directly or not; arguments as for `fingerprint`.

    Importing a module runs the ``__init__`` of the packages above it, so these are included.
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
    """What was read from a module's source."""

    imports: frozenset[str]
    """Our modules that it imports when it is loaded."""
    lazy_imports: frozenset[str]
    """Our modules that its functions import."""
    packages: frozenset[str]
    """Third-party packages that it imports or looks up."""
    facts: frozenset[str]
    """What it imports from the registries: `_FACTS` and lists of variants."""
    hash: str
    """Hash of its syntax tree, which is not kept: the trees of all modules would slow down the garbage collector."""


@cache
def _read(module: str) -> _Module:
    path = _path(module)
    if path is None:
        raise ValueError(f"{module} is not a module of {PACKAGE}")
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    at_once, lazily = set[str](), set[str]()
    _strip(tree, at_once, lazily, in_function=False)
    written: list[str] = []
    _write(tree, written)
    packages = {name.split(".")[0] for name in at_once | lazily | set(_LOOKED_FOR.findall(source))}
    others = frozenset(packages - {PACKAGE} - sys.stdlib_module_names)
    facts = {name for name in at_once | lazily if name in _FACTS or _is_list(name)}
    return _Module(_ours(at_once | {module}), _ours(lazily), others, frozenset(facts), _hash("".join(written).encode()))


def _is_list(name: str) -> bool:
    """Whether an imported name is a list of variants."""
    module, _, own = name.rpartition(".")
    return module == f"{PACKAGE}.variants" and own.isupper()


def _write(node: object, into: list[str]) -> None:
    """Write a syntax tree without the positions of its nodes, in a third of the time of `ast.dump`."""
    if isinstance(node, ast.AST):
        into.append(f"{type(node).__name__}(")
        for field in node._fields:
            _write(getattr(node, field, None), into)
        into.append(")")
    elif isinstance(node, list):
        into.append("[")
        for one in node:
            _write(one, into)
        into.append("]")
    else:
        into.append(f"{node!r},")


def _ours(names: set[str]) -> frozenset[str]:
    """Select our modules from imported names, and add the packages that they are in."""
    ours = [name.split(".") for name in names if name.split(".")[0] == PACKAGE and _path(name) is not None]
    return frozenset(".".join(parts[:length]) for parts in ours for length in range(1, len(parts) + 1))


def _strip(node: ast.AST, at_once: set[str], lazily: set[str], *, in_function: bool) -> None:
    """Remove a module's docstrings and collect its imports, at once and in functions; not those for type checkers."""
    found = lazily if in_function else at_once
    if isinstance(node, ast.Import):
        found.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        found.add(node.module)
        found.update(f"{node.module}.{alias.name}" for alias in node.names)
    fields = ["body", "handlers", "cases", "orelse", "finalbody"]
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        fields.remove("body")
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        in_function = True
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        node.body = [statement for statement in node.body if not _is_docstring(statement)]
    for field in fields:
        inside = getattr(node, field, ())
        # The body of a lambda or conditional expression is not a list; neither can contain statements.
        for statement in inside if isinstance(inside, list) else ():
            _strip(statement, at_once, lazily, in_function=in_function)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

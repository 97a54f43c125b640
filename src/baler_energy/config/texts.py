"""Lists of variants in texts: they derive from the registries, so that no text has to name a new variant.

A description may contain the name of a list between bars, such as ``|coders|``. The command line only fills in what the
registries say, because a stage does not import variants that it does not use (`fingerprint`). The documentation
(`stages.schema`) also has what the variants' modules say.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType

from baler_energy.variant_kinds import TrainingKind
from baler_energy.variants import CODERS, FORMATS, GENERATORS, PRUNINGS, RUNTIMES, SCHEDULES, STARTS

__all__ = ["FILES", "REMOTE", "explained", "filled", "one_of", "several"]

#: Kinds of files that are read.
FILES = tuple(one.kind.removesuffix(" file") for one in FORMATS.values() if one.by_suffix)
#: Kinds of files that are also read from URLs.
REMOTE = tuple(one.kind for one in FORMATS.values() if one.is_remote)
_LIST = re.compile(r"\|(\w+)\|")


def one_of(names: Iterable[object], word: str = "or") -> str:
    """Write a list, such as ``a, b or c``; empty without names."""
    *others, last = [*map(str, names)] or [""]
    return f"{', '.join(others)} {word} {last}" if others else last


def several(names: Iterable[object]) -> str:
    """Write a list of names as code, joined by ``and``."""
    return one_of((f"``{name}``" for name in names), "and")


def explained(meanings: Mapping[str, str]) -> str:
    """Write names, each with its meaning in parentheses if it has one."""
    return ", ".join(f"``{name}``{f' ({meaning})' if meaning else ''}" for name, meaning in meanings.items())


def filled(text: str, lists: Mapping[str, Callable[[], str]] = MappingProxyType({})) -> str:
    """Fill in the lists of a text; `lists` makes those that say more than the registries."""
    known = {**_LISTS, **lists}
    return _LIST.sub(lambda found: known[found[1]](), text)


def _prunings() -> str:
    return explained({f"{name}-0.5": kind.meaning for name, kind in PRUNINGS.items()})


def _runtimes() -> str:
    return explained({name: kind.meaning for name, kind in RUNTIMES.items()})


def _meanings(kinds: Mapping[str, TrainingKind]) -> str:
    return explained({name: kind.meaning for name, kind in kinds.items()})


_LISTS: Mapping[str, Callable[[], str]] = {
    "coders": lambda: ", ".join(CODERS),
    # The option itself shows their names.
    "engines": str,
    "transforms": str,
    "files": partial(one_of, FILES),
    "generators": lambda: explained({name: kind.meaning for name, kind in GENERATORS.items()}),
    "prunings": _prunings,
    "runtimes": _runtimes,
    "schedules": partial(_meanings, SCHEDULES),
    "starts": partial(_meanings, STARTS),
}

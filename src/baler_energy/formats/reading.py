"""What all readers share: the request, and the names and types that it selects."""

import difflib
import fnmatch
import itertools
from bisect import bisect
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import is_url
from baler_energy.errors import InputError
from baler_energy.files import check_distinct

__all__ = [
    "Layout",
    "Request",
    "choose",
    "integral_dtypes",
    "is_number",
    "is_url",
    "keep_numeric",
    "keep_present",
    "listing",
    "refuse_absent",
    "refuse_text",
]

Layout = Literal["objects", "leading"]

# Most names in a message, and most missing names whose near misses come first.
_LISTED, _SOUGHT = 20, 4
# Most names that are compared with a missing one, which takes some 25 us each.
_COMPARED = 2_000
_PATTERN = frozenset("*?[")
# By size of a float (bytes): it holds integers of up to this many bits exactly.
_MANTISSA_BITS = {2: 11, 4: 24, 8: 53}


@dataclass(frozen=True)
class Request:
    """What to read from a file.

    Parameters
    ----------
    columns
        Names in the requested order; None: all numeric ones.
    tree
        ROOT tree, or HDF5 dataset or group; None: the only one.
    layout
        ROOT: ``objects`` gives a row per object of the jagged branches, ``leading`` a row per event with its first
        `leading` objects.
    leading
        Objects per event, in the file's order.
    """

    columns: tuple[str, ...] | None = None
    tree: str | None = None
    layout: Layout = "objects"
    leading: int | None = None


def listing(names: Sequence[str], *near: str) -> str:
    """List at most twenty names for a message, those most like one of `near` first."""
    matches = [difflib.get_close_matches(one, _alike(one, names), n=5, cutoff=0.4) for one in near]
    likely = list(dict.fromkeys(itertools.chain.from_iterable(matches)))
    ordered = likely + [name for name in names if name not in likely]
    more = f" and {len(ordered) - _LISTED} more" if len(ordered) > _LISTED else ""
    return (", ".join(ordered[:_LISTED]) or "nothing") + more


def _alike(name: str, names: Sequence[str]) -> Sequence[str]:
    """Return all names or, of very many, those that begin or end most like `name`."""
    if len(names) <= _COMPARED:
        return names
    found: dict[str, None] = {}
    for step in (1, -1):
        ordered = sorted(other[::step] for other in names)
        place = bisect(ordered, name[::step])
        around = ordered[max(0, place - _COMPARED // 4) : place + _COMPARED // 4]
        found |= dict.fromkeys(other[::step] for other in around)
    return list(found)


def choose(
    source: str, wanted: Sequence[str] | None, available: Sequence[str], kind: str = "column"
) -> tuple[str, ...]:
    """Return the wanted names (None: all) after checking that each exists, is unique in the file, and is given once.

    A wanted name with ``*`` or ``?`` selects all names that match, such as ``Jet_*``.

    Raises
    ------
    InputError
        A name is missing (the message lists what exists, near misses first), is the end of several full names
        (``parent/name``), occurs more than once in the file, or is given twice.
    """
    known = set(available)
    names: list[str] = []
    for pattern in available if wanted is None else wanted:
        names += fnmatch.filter(available, pattern) if _is_pattern(pattern, known) else [pattern]
    missing = [name for name in dict.fromkeys(names) if name not in known]
    for name in missing[:_LISTED]:
        if full := [other for other in available if other.endswith(f"/{name}")]:
            raise InputError(f"{source}: {kind} {name!r} is not unique. Use its full name: {listing(full)}.")
    if missing:
        near = listing(available, *missing[:_SOUGHT])
        raise InputError(f"{source}: has no {kind} {listing([repr(name) for name in missing])}. It has: {near}.")
    chosen = set(names)
    check_distinct(source, (name for name in available if name in chosen), kind)
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise InputError(f"{source}: {kind} {listing(repeated)} is given more than once.")
    if not names:
        raise InputError(f"{source}: has no {kind}s.")
    return tuple(names)


def _is_pattern(name: str, known: Collection[str]) -> bool:
    """Whether a wanted name is a pattern with matches, not a column with such a character in its name."""
    if name in known or not _PATTERN.intersection(name):
        return False
    return any(fnmatch.fnmatchcase(other, name) for other in known)


def is_number(dtype: np.dtype[Any]) -> bool:
    """Whether these are plain numbers; wider floats than float64 are not, as tables would round them."""
    return dtype.kind in "iub" or (dtype.kind == "f" and dtype.itemsize <= 8)


def refuse_text(source: str, names: Sequence[str]) -> None:
    """Refuse columns that are not numbers.

    Raises
    ------
    InputError
        Any name is given.
    """
    if names:
        raise InputError(
            f"{source}: column {listing(names)} contains text or other values that are not plain numbers. Choose "
            "numeric columns with --columns."
        )


def keep_numeric(
    source: str, request: Request, chosen: Sequence[str], others: Sequence[str], kinds: str = "columns"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the numeric ones of the chosen columns, and a warning if others are left out.

    Columns are only left out if the request names none.

    Parameters
    ----------
    source, request
        The file, and what to read from it.
    chosen, others
        The columns from `choose`, and those of them that are not numeric.
    kinds
        What the columns are called.

    Raises
    ------
    InputError
        A column that was requested is not numeric, or no column is.
    """
    if request.columns is not None:
        refuse_text(source, others)
    text = set(others)
    names = tuple(name for name in chosen if name not in text)
    if not names:
        text_of_others = f"; these are not plain numbers: {listing(others)}" if others else ""
        raise InputError(f"{source}: has no numeric {kinds}{text_of_others}.")
    return names, (f"{kinds} that are not plain numbers were left out: {listing(others)}",) if others else ()


def keep_present(
    source: str, request: Request, chosen: Sequence[str], absent: Mapping[str, str], kinds: str = "columns"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those of the chosen columns whose values are in the file, and a warning if others are left out.

    Columns are only left out if the request names none.

    Parameters
    ----------
    source, request, chosen, kinds
        See `keep_numeric`.
    absent
        Why values are not in the file, as words that follow "is", by column.

    Raises
    ------
    InputError
        The values of a column that was requested, or of all columns, are not in the file.
    """
    names = tuple(name for name in chosen if name not in absent)
    if request.columns is not None or not names:
        refuse_absent(source, absent)
    return names, (
        f"{kinds} with values missing from the file were left out: {_with_reasons(absent)}",
    ) if absent else ()


def refuse_absent(source: str, absent: Mapping[str, str]) -> None:
    """Refuse columns or datasets whose values are not in the file; HDF5 would read 0 instead.

    Raises
    ------
    InputError
        Any name is given.
    """
    if absent:
        raise InputError(
            f"{source}: some values are not in this file: {_with_reasons(absent)}. Write the file again with these "
            "values, or choose others with --columns or --tree."
        )


def _with_reasons(absent: Mapping[str, str]) -> str:
    return listing([f"{name} is {why}" for name, why in absent.items()])


def integral_dtypes(stored: Sequence[np.dtype[Any]], blocks: Iterable[Iterable[NDArray[Any]]]) -> tuple[str, ...]:
    """Return the native dtypes of columns in a file that stores all of them in one dtype.

    A float column with only integral values counts as integer, because such files cannot mark integers. The integer
    dtype has the size of the float dtype, so that sizes in native dtypes stay those of the file.

    Parameters
    ----------
    stored
        The dtype of each column in the file.
    blocks
        For each block of rows, its columns (rows,). Reading stops once no column can be integral.
    """
    unsure = {place for place, dtype in enumerate(stored) if dtype.kind == "f" and dtype.itemsize in _MANTISSA_BITS}
    empty = True
    if unsure:
        for columns in blocks:
            for place, values in enumerate(columns):
                empty = empty and not values.size
                if place in unsure and not _integral(values):
                    unsure.discard(place)
            if not unsure:
                break
    integers = set() if empty else unsure
    return tuple(f"int{8 * dtype.itemsize}" if place in integers else dtype.name for place, dtype in enumerate(stored))


def _integral(values: NDArray[Any]) -> bool:
    """Whether every float is an integer that its type holds exactly, and none is -0.0, which no integer type has."""
    with np.errstate(invalid="ignore"):
        exact = (np.trunc(values) == values) & (np.abs(values) < 2.0 ** _MANTISSA_BITS[values.itemsize])
    return bool(np.all(exact & ~((values == 0) & np.signbit(values))))

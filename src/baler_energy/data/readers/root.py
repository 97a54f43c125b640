"""ROOT files: TTrees and RNTuples with flat and jagged branches, local or remote."""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import uproot
from awkward.contents import ListOffsetArray, NumpyArray
from numpy.typing import NDArray

from baler_energy.data.readers.base import Columns, Request, choose, is_url, listing, reading, refuse_text
from baler_energy.errors import InputError, UnavailableError
from baler_energy.progress import progress

__all__ = ["Branches", "Selection", "load", "open_file", "read", "select", "to_columns"]

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")
# Package that each protocol needs, and how to get it.
_PROTOCOLS = {
    "root": ("fsspec_xrootd", "pip install 'baler-energy[xrootd]'"),
    "http": ("aiohttp", "pip install aiohttp"),
    "https": ("aiohttp", "pip install aiohttp"),
}
# What uproot and awkward raise on a branch of a type that is no array.
_NOT_ARRAYS = (
    uproot.interpretation.identify.UnknownInterpretation,
    uproot.interpretation.objects.CannotBeAwkward,
    NotImplementedError,
    ValueError,
    TypeError,
)
_FLAT, _JAGGED, _OTHER = "flat", "jagged", "other"


@dataclass(frozen=True, eq=False)
class Selection:
    """Branches of a tree in an open file.

    Parameters
    ----------
    tree, leaves
        The tree, and all its branches that hold values.
    names, kinds
        Branches taken, and for each whether it is flat or jagged.
    unused, warnings
        As those of `Columns`.
    """

    tree: Any
    leaves: Mapping[str, Any]
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    unused: str | None
    warnings: tuple[str, ...]

    @property
    def jagged(self) -> tuple[str, ...]:
        """Names of the jagged branches among those taken."""
        return tuple(name for name in self.names if self.kinds[name] == _JAGGED)


@dataclass(frozen=True, eq=False)
class Branches:
    """Branches as read: the event-level ones as (events,), the jagged ones flattened, with objects per event."""

    flat: Mapping[str, NDArray[Any]]
    jagged: Mapping[str, NDArray[Any]]
    counts: NDArray[np.int64] | None


def read(source: str, request: Request) -> Columns:
    """Read branches of a tree.

    Parameters
    ----------
    source
        Local path or URL (root://, http://, https://).
    request
        Branches, tree and layout. Where no branch is named, all numeric ones are taken, as long as the jagged ones
        among them have one counting.

    Raises
    ------
    InputError
        The file is damaged or not a ROOT file, a tree or branch is missing or not numeric, or branches do not fit.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    _check_protocol(source)
    with reading(source, "ROOT file"), open_file(source) as file:
        selection = select(source, file, request)
        names = progress(selection.names, total=len(selection.names), label=f"reading {source}", unit="branches")
        arrays = ((name, selection.leaves[name].array(library="ak")) for name in names)
        return to_columns(source, selection, load(source, selection, arrays), request)


def open_file(source: str) -> Any:
    """Open a ROOT file, without uproot's caches, which grow with what is read."""
    # A mapping, because a plain string with a colon would be split into a file and an object.
    return uproot.open({source: None}, object_cache=None, array_cache=None)


def select(source: str, file: Any, request: Request) -> Selection:
    """Find the wanted branches in an open file.

    Raises
    ------
    InputError
        A tree or branch is missing or not numeric, or branches do not fit.
    """
    tree = file[_tree_name(source, _tree_names(file), request.tree)]
    leaves = _leaves(tree)
    chosen = choose(source, request.columns, list(leaves), "branch")
    kinds = {name: _kind(leaves[name]) for name in chosen}
    if request.columns is None:
        names, warnings = _numeric(source, leaves, kinds)
    else:
        names, warnings = chosen, ()
        refuse_text(source, [name for name in names if kinds[name] == _OTHER])
    whole = len(file.keys(recursive=True, cycle=False)) == 1 and len(names) == len(leaves)
    return Selection(tree, leaves, names, kinds, None if whole else "branches or objects that were not taken", warnings)


def to_columns(source: str, selection: Selection, branches: Branches, request: Request) -> Columns:
    """Lay branches out as columns, as the request wants; raises `InputError` where they are all flat and may not."""
    if request.layout == "leading":
        return _leading(source, selection.names, branches, request.leading or 1, selection.warnings)
    return _objects(selection.names, branches, selection.unused, selection.warnings)


def _check_protocol(source: str) -> None:
    protocol = source.partition("://")[0].lower() if is_url(source) else ""
    if not protocol:
        return
    if protocol not in _PROTOCOLS:
        raise InputError(f"{source}: the protocol {protocol!r} is none of {', '.join(_PROTOCOLS)}.")
    package, command = _PROTOCOLS[protocol]
    if importlib.util.find_spec(package) is None:
        raise UnavailableError(
            f"{source}: {protocol}:// needs the package {package}, not installed here. "
            f"Install it with `{command}`, or download the file and give the local path."
        )


def _tree_names(file: Any) -> list[str]:
    """Paths of the trees in the file, each once, whatever cycles it has."""
    classes = file.classnames(recursive=True, cycle=False)
    return [name for name, kind in classes.items() if kind in _TREES]


def _tree_name(source: str, trees: Sequence[str], wanted: str | None) -> str:
    if wanted is not None:
        name = wanted.strip("/").partition(";")[0]
        if name not in trees:
            raise InputError(f"{source}: has no tree {wanted!r}. It has: {listing(trees, name)}.")
        return wanted.strip("/")
    if len(trees) == 1:
        return trees[0]
    if not trees:
        raise InputError(f"{source}: holds no TTree or RNTuple.")
    raise InputError(f"{source}: holds several trees: {listing(trees)}. Choose one with --tree.")


def _leaves(tree: Any) -> dict[str, Any]:
    """Branches that hold values, by name; split objects are represented by their parts."""
    if isinstance(tree, uproot.TTree):
        return {branch.name: branch for branch in tree.itervalues(recursive=True) if not branch.branches}
    return {name: tree[name] for name in tree.keys(recursive=False)}


def _kind(branch: Any) -> str:
    """Tell whether a branch is flat, jagged or neither, without reading its values."""
    try:
        layout = ak.to_layout(branch.array(library="ak", entry_stop=0))
    except _NOT_ARRAYS:
        return _OTHER
    if layout.parameter("__array__") is not None:
        return _OTHER
    if isinstance(layout, ListOffsetArray):
        return _JAGGED if _plain(layout.content) else _OTHER
    return _FLAT if _plain(layout) else _OTHER


def _plain(layout: Any) -> bool:
    """Whether this is a one-dimensional array of numbers."""
    plain = isinstance(layout, NumpyArray) and layout.parameter("__array__") is None
    return plain and layout.data.ndim == 1 and layout.data.dtype.kind in "fiub"


def _numeric(
    source: str, leaves: Mapping[str, Any], kinds: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the numeric branches, which must have one counting, and a warning of those left out."""
    names = tuple(name for name, kind in kinds.items() if kind != _OTHER)
    groups: dict[str, list[str]] = {}
    for name in names:
        counter = getattr(leaves[name], "count_branch", None)
        if kinds[name] == _JAGGED and counter is not None:
            groups.setdefault(counter.name, []).append(name)
    if len(groups) > 1:
        shown = listing([f"{counter} ({len(group)} branches, as {group[0]})" for counter, group in groups.items()])
        raise InputError(
            f"{source}: its jagged branches have several countings, of which a table can have one: {shown}. "
            "Name the branches to take with --columns."
        )
    if not names:
        raise InputError(f"{source}: the tree has no numeric branches.")
    others = [name for name, kind in kinds.items() if kind == _OTHER]
    return names, (f"branches that are not plain numbers were left out: {listing(others)}",) if others else ()


def load(source: str, selection: Selection, arrays: Iterable[tuple[str, ak.Array]], first_event: int = 0) -> Branches:
    """Take branches apart that were read over the same events, of which the first is `first_event` of the tree.

    Raises
    ------
    InputError
        Two jagged branches count different objects.
    """
    flat: dict[str, NDArray[Any]] = {}
    jagged: dict[str, NDArray[Any]] = {}
    counts: NDArray[np.int64] | None = None
    for name, array in arrays:
        if selection.kinds[name] == _FLAT:
            flat[name] = _native(ak.to_numpy(array))
            continue
        own = ak.to_numpy(ak.num(array)).astype(np.int64)
        if counts is not None and not np.array_equal(own, counts):
            event = int(np.flatnonzero(own != counts)[0])
            raise InputError(
                f"{source}: branches {next(iter(jagged))!r} and {name!r} do not count the same objects: "
                f"event {first_event + event} has {counts[event]} and {own[event]}. Take branches of one counting."
            )
        counts = own
        jagged[name] = _native(ak.to_numpy(ak.flatten(array)))
    return Branches(flat, jagged, counts)


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Bring ROOT's big-endian values into the machine's byte order."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _objects(names: Sequence[str], branches: Branches, unused: str | None, warnings: tuple[str, ...]) -> Columns:
    """Give a row per object, with the event-level values repeated; a row per event where nothing is jagged."""
    columns = [
        branches.jagged[name]
        if name in branches.jagged
        else branches.flat[name]
        if branches.counts is None
        else np.repeat(branches.flat[name], branches.counts)
        for name in names
    ]
    return Columns(tuple(names), tuple(columns), tuple(column.dtype.name for column in columns), unused, warnings)


def _leading(source: str, names: Sequence[str], branches: Branches, leading: int, warnings: tuple[str, ...]) -> Columns:
    """Give a row per event that has `leading` objects, with these as columns name_0, name_1, ..."""
    if branches.counts is None:
        raise InputError(f"{source}: the layout 'leading' needs a jagged branch; {listing(names)} are all flat.")
    events = np.flatnonzero(branches.counts >= leading)
    first = (np.cumsum(branches.counts) - branches.counts)[events]
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        if name in branches.flat:
            columns[name] = branches.flat[name][events]
        else:
            columns |= {f"{name}_{place}": branches.jagged[name][first + place] for place in range(leading)}
    dropped = len(branches.counts) - len(events)
    if dropped:
        warnings += (f"{dropped} of {len(branches.counts)} events have fewer than {leading} objects and were left out",)
    dtypes = tuple(column.dtype.name for column in columns.values())
    return Columns(tuple(columns), tuple(columns.values()), dtypes, "objects beyond the leading ones", warnings, events)

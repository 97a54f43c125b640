"""Branches of ROOT files (TTree or RNTuple, flat or jagged, local or remote), and the rows made from them."""

import importlib.util
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import uproot
import xxhash
from awkward.contents import ListOffsetArray, NumpyArray
from numpy.typing import NDArray

from baler_energy.errors import InputError, UnavailableError
from baler_energy.formats.reading import Request, choose, is_url, keep_numeric, keep_present, listing

__all__ = [
    "Branches",
    "Selection",
    "leading",
    "leading_names",
    "load",
    "objects",
    "open_file",
    "select",
    "stored_bytes",
]

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")
# Package that each protocol needs, and how to install it.
_PROTOCOLS = {
    "root": ("fsspec_xrootd", "pip install 'baler-energy[xrootd]'"),
    "http": ("aiohttp", "pip install aiohttp"),
    "https": ("aiohttp", "pip install aiohttp"),
}
# Size of the checksum after a page of an RNTuple, or a list of pages (B).
_CHECKSUM_B = 8
_FLAT, _JAGGED, _OTHER = "flat", "jagged", "other"


@dataclass(frozen=True, eq=False)
class Selection:
    """Branches of a tree in an open file.

    Parameters
    ----------
    tree, leaves
        The tree, and all its branches that hold values.
    names, kinds
        Selected branches, and the kind of each branch: flat, jagged or other.
    counters
        The branch that counts the objects of each selected jagged branch, if there is one.
    unused, warnings
        See `Source`.
    """

    tree: Any
    leaves: Mapping[str, Any]
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    counters: Mapping[str, str]
    unused: str | None
    warnings: tuple[str, ...]

    @property
    def jagged(self) -> tuple[str, ...]:
        """Selected branches that are jagged."""
        return tuple(name for name in self.names if self.kinds[name] == _JAGGED)


@dataclass(frozen=True, eq=False)
class Branches:
    """Values of branches: flat ones (events,), jagged ones flattened (objects,), and the objects per event."""

    flat: Mapping[str, NDArray[Any]]
    jagged: Mapping[str, NDArray[Any]]
    counts: NDArray[np.int64] | None


def open_file(source: str) -> Any:
    """Open a ROOT file without uproot's caches, which grow with every read.

    Raises
    ------
    InputError
        The URL's protocol is not supported.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    _check_protocol(source)
    # A mapping, because a plain string with a colon would be split into a file and an object.
    return uproot.open({source: None}, object_cache=None, array_cache=None)


def select(source: str, file: Any, request: Request) -> Selection:
    """Find the requested branches in an open file.

    Raises
    ------
    InputError
        The tree or a branch is missing, a branch is not numeric, or jagged branches count different objects.
    """
    tree = file[_tree_name(source, _tree_names(file), request.tree)]
    if not isinstance(tree, uproot.TTree):
        _check_pages(tree)
    named = _leaves(tree)
    chosen = choose(source, request.columns, [name for name, _ in named], "branch")
    leaves = dict(named)
    present, left_out = keep_present(source, request, chosen, _elsewhere(leaves, chosen), "branches")
    kinds = {name: _kind(leaves[name]) for name in present}
    others = [name for name in present if kinds[name] == _OTHER]
    names, warnings = keep_numeric(source, request, present, others, "branches")
    counters = _counters(leaves, [name for name in names if kinds[name] == _JAGGED])
    if request.columns is None:
        _check_counters(source, counters)
    whole = len(file.keys(recursive=True, cycle=False)) == 1 and len(names) == len(named)
    unused = None if whole else "branches or objects that were not read"
    return Selection(tree, leaves, names, kinds, counters, unused, left_out + warnings)


def _elsewhere(leaves: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, str]:
    """Return the branches with values in another file (TTree::SetBranchFile): uproot looks for them in this one."""
    files = {name: getattr(leaves[name], "all_members", {}).get("fFileName") for name in chosen}
    return {name: f"in another file ({file})" for name, file in files.items() if file}


def _check_pages(ntuple: Any) -> None:
    """Check the checksums of an RNTuple's lists of pages, and let uproot check those of its pages; it skips both (5.7).

    The XXH3 of a page as stored, and of a list as unpacked, follows it, in 8 bytes, little-endian (ROOT's RNTuple
    binary format specification, "Page locations" and "Envelopes"). Not every file has those of pages.
    """
    for place, group in enumerate(ntuple.footer.cluster_group_records):
        link = group.page_list_link
        _check_sum(ntuple.read_locator(link.locator, link.env_uncomp_size)[0], f"list {place} of pages")
    read_page = ntuple.read_page

    def checked(destination: Any, cluster: int, column: int, place: int, metadata: Any) -> None:
        page = ntuple.page_link_list[cluster][column].pages[place]
        if page.has_checksum:
            stop = page.locator.offset + page.locator.num_bytes
            stored = ntuple.file.source.chunk(page.locator.offset, stop + _CHECKSUM_B)
            _check_sum(stored, f"page {place} of column {column}")
        read_page(destination, cluster, column, place, metadata)

    ntuple.read_page = checked


def _check_sum(chunk: Any, what: str) -> None:
    """Raise `ValueError` unless a chunk of a file ends with the XXH3 of the bytes before it."""
    content = bytes(chunk.raw_data)
    if xxhash.xxh3_64_intdigest(content[:-_CHECKSUM_B]) != int.from_bytes(content[-_CHECKSUM_B:], "little"):
        raise ValueError(f"the checksum of {what} does not match")


def _check_protocol(source: str) -> None:
    protocol = source.partition("://")[0].lower() if is_url(source) else ""
    if not protocol:
        return
    if protocol not in _PROTOCOLS:
        raise InputError(f"{source}: unknown protocol {protocol!r} (supported: {', '.join(_PROTOCOLS)}).")
    package, command = _PROTOCOLS[protocol]
    if importlib.util.find_spec(package) is None:
        raise UnavailableError(
            f"{source}: {protocol}:// needs the package {package}, which is not installed. Install it with "
            f"`{command}`, or download the file and use the local path."
        )


def _tree_names(file: Any) -> list[str]:
    """Paths of the trees in the file; several cycles of a tree count once."""
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
        raise InputError(f"{source}: contains no TTree or RNTuple.")
    raise InputError(f"{source}: contains several trees: {listing(trees)}. Choose one with --tree.")


def _leaves(tree: Any) -> list[tuple[str, Any]]:
    """Branches that hold values, with their names, in the tree's order; a split object appears as its parts.

    If parts of several objects share a name, the object's name comes first: ``object/name``. Even that can occur twice.
    """
    if isinstance(tree, uproot.TTree):
        parts = [(path, branch) for path, branch in tree.iteritems(recursive=True) if not branch.branches]
        times = Counter(branch.name for _, branch in parts)
        return [(branch.name if times[branch.name] == 1 else path, branch) for path, branch in parts]
    return [(name, tree[name]) for name in tree.keys(recursive=False)]


def _kind(branch: Any) -> str:
    """Classify a branch as flat, jagged or other, without decoding its values; raises any exception on damage."""
    try:
        layout = ak.to_layout(branch.array(library="ak", entry_stop=0))
    except Exception:  # uproot and awkward raise nearly anything for a branch that they cannot interpret
        _raise_damage(branch)
        return _OTHER
    if layout.parameter("__array__") is not None:
        return _OTHER
    if isinstance(layout, ListOffsetArray):
        return _JAGGED if _plain(layout.content) else _OTHER
    return _FLAT if _plain(layout) else _OTHER


def _raise_damage(branch: Any) -> None:
    """Raise any exception if a branch cannot be read because of damage in its first basket, which uproot reads, too.

    Plain numbers can always be interpreted; of other branches, only the basket itself is looked at.
    """
    interpretation = getattr(branch, "interpretation", None)
    if type(getattr(interpretation, "content", interpretation)) is uproot.AsDtype:
        branch.array(library="np", entry_stop=0)
    if getattr(branch, "num_baskets", 0):
        branch.basket(0)


def _plain(layout: Any) -> bool:
    """Whether this is a one-dimensional array of numbers."""
    plain = isinstance(layout, NumpyArray) and layout.parameter("__array__") is None
    return plain and layout.data.ndim == 1 and layout.data.dtype.kind in "fiub"


def _counters(leaves: Mapping[str, Any], jagged: Sequence[str]) -> dict[str, str]:
    """Name the branch that counts the objects of each jagged branch, if there is one, as in `leaves`."""
    counters = {name: one for name in jagged if (one := getattr(leaves[name], "count_branch", None)) is not None}
    # Their own names may not be unique.
    names = {branch.cache_key: name for name, branch in leaves.items()} if counters else {}
    return {name: names.get(one.cache_key, one.name) for name, one in counters.items()}


def _check_counters(source: str, counters: Mapping[str, str]) -> None:
    """Check that all jagged branches share one counter; raises `InputError`."""
    groups: dict[str, list[str]] = {}
    for name, counter in counters.items():
        groups.setdefault(counter, []).append(name)
    if len(groups) > 1:
        shown = listing([f"{counter} ({len(group)} branches, as {group[0]})" for counter, group in groups.items()])
        raise InputError(
            f"{source}: its jagged branches count different objects, but a table can only have one kind: {shown}. "
            "Choose branches with --columns."
        )


def load(source: str, selection: Selection, arrays: Iterable[tuple[str, ak.Array]], first_event: int = 0) -> Branches:
    """Split branches of the same events into flat and jagged; the first event is number `first_event` of the tree.

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
                f"{source}: branches {next(iter(jagged))!r} and {name!r} do not count the same objects: event "
                f"{first_event + event} has {counts[event]} and {own[event]}. Choose branches that count the same "
                "objects."
            )
        counts = own
        jagged[name] = _native(ak.to_numpy(ak.flatten(array)))
    return Branches(flat, jagged, counts)


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Convert ROOT's big-endian values to the machine's byte order."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def objects(selection: Selection, branches: Branches) -> dict[str, NDArray[Any]]:
    """Return a row per object, with flat values repeated; a row per event if no branch is jagged."""
    return {
        name: branches.jagged[name]
        if name in branches.jagged
        else branches.flat[name]
        if branches.counts is None
        else np.repeat(branches.flat[name], branches.counts)
        for name in selection.names
    }


def leading_names(selection: Selection, most: int) -> list[str]:
    """Names of the columns of `leading`."""
    places = {name: range(most) for name in selection.jagged}
    return [
        column
        for name in selection.names
        for column in ([f"{name}_{place}" for place in places[name]] if name in places else [name])
    ]


def leading(
    selection: Selection, branches: Branches, counts: NDArray[np.int64], most: int
) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Return a row per event with at least `most` objects, as columns name_0, name_1, ..., and the events' indices.

    Parameters
    ----------
    selection, branches
        Branches of some events.
    counts
        Shape (events,): objects per event.
    most
        Objects per row.
    """
    events = np.flatnonzero(counts >= most)
    first = (np.cumsum(counts) - counts)[events]
    columns: dict[str, NDArray[Any]] = {}
    for name in selection.names:
        if name in branches.flat:
            columns[name] = branches.flat[name][events]
        else:
            columns |= {f"{name}_{place}": branches.jagged[name][first + place] for place in range(most)}
    return columns, events


def stored_bytes(selection: Selection) -> int | str:
    """Count the bytes on disk of the selected branches: their baskets with keys, or their pages with checksums.

    Baskets that were never written apart are in the tree's own record, compressed with those of all branches; then it
    returns why the bytes are unknown.
    """
    leaves = [selection.leaves[name] for name in selection.names]
    if not isinstance(selection.tree, uproot.TTree):
        return _page_bytes(selection.tree, {leaf.field_id for leaf in leaves})
    if any(basket.num_entries for leaf in leaves for basket in leaf.embedded_baskets):
        return "its tree keeps the values of all branches in one record, compressed together"
    counted = [(leaf, leaf.num_baskets - len(leaf.embedded_baskets)) for leaf in leaves]
    total: int = sum(leaf.basket_compressed_bytes(number) for leaf, count in counted for number in range(count))
    return total


def _page_bytes(ntuple: Any, chosen: Collection[int]) -> int:
    """Count the bytes of an RNTuple's pages that hold the chosen fields and the fields within them."""
    fields = set(chosen)
    for number, record in enumerate(ntuple.field_records):
        # The records of the fields within a field follow its own.
        if record.parent_field_id in fields:
            fields.add(number)
    # A projected field shows the columns of another one.
    shown = {number: ntuple.field_records[number].source_field_id for number in fields}
    sources = {number if source is None else source for number, source in shown.items()}
    columns = [column.idx for column in ntuple.column_records if column.field_id in sources]
    # ROOT writes equal pages once, to which several columns or clusters then lead.
    sizes = {
        page.locator.offset: page.locator.num_bytes + (_CHECKSUM_B if page.has_checksum else 0)
        for cluster in ntuple.page_link_list
        for column in columns
        if column < len(cluster)
        for page in cluster[column].pages
    }
    return sum(sizes.values())

"""ROOT files, read in steps of events and written to a TTree or RNTuple block by block."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from awkward.contents import ListOffsetArray, NumpyArray
from awkward.index import Index64
from numpy.typing import NDArray

from baler_energy.damage import check_rows, check_unpacked, is_url
from baler_energy.errors import InputError
from baler_energy.files import check_distinct
from baler_energy.formats.base import Block, Opened, Target, spans
from baler_energy.formats.branches import (
    Branches,
    Selection,
    leading,
    leading_names,
    load,
    objects,
    open_file,
    select,
    stored_bytes,
)
from baler_energy.formats.reading import Request, listing

__all__ = ["event_spans", "sink", "source"]

# Events whose objects are counted to choose the number of events per step.
_PROBE_EVENTS = 10_000
# Objects per step when objects are only counted.
_COUNTED_ROWS = 1 << 18
_COMPRESSIONS = {"ZLIB": uproot.ZLIB, "LZMA": uproot.LZMA, "LZ4": uproot.LZ4, "ZSTD": uproot.ZSTD}


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open a tree of a ROOT file.

    A block holds whole events. Apart from a block, memory holds the baskets that it touches (TTree) or a cluster
    (RNTuple). With the layout ``leading``, the objects of all events are counted first.

    If no branch is named, all numeric ones are read; the jagged ones among them must share one counter.
    """
    selection = select(path, stack.enter_context(open_file(path)), request)
    _check_objects(path, selection)
    opened = _of_leading if request.layout == "leading" else _of_objects
    return opened(path, selection, request)


def _of_objects(path: str, selection: Selection, request: Request) -> Opened:
    nothing = _nothing(path, selection)
    columns = objects(selection, nothing)
    check_rows(path, int(selection.tree.num_entries), sum(values.itemsize for values in nothing.flat.values()))

    def read(rows: int) -> Iterator[Block]:
        for first, arrays in _steps(selection, rows):
            branches = load(path, selection, arrays.items(), first)
            values, counts = list(objects(selection, branches).values()), branches.counts
            # Frees memory before the next step is read.
            del arrays, branches
            yield from _blocks(values, counts, rows)
            del values

    return Opened(
        names=tuple(columns),
        dtypes=tuple(values.dtype.name for values in columns.values()),
        rows=None if selection.jagged else int(selection.tree.num_entries),
        layout=_layout(selection, by_object=bool(selection.jagged)),
        read=read,
        unused=selection.unused,
        warnings=selection.warnings,
        lost=_lost(selection),
        count=partial(_count_objects, selection),
        stored_bytes=partial(stored_bytes, selection),
    )


def _of_leading(path: str, selection: Selection, request: Request) -> Opened:
    if not selection.jagged:
        raise InputError(
            f"{path}: layout 'leading' needs a jagged branch, but {listing(selection.names)} are all flat."
        )
    most = request.leading or 1
    check_distinct(path, leading_names(selection, most))
    columns, _ = leading(selection, _nothing(path, selection), np.empty(0, np.int64), most)
    events, kept = _enough(selection, most)

    def read(rows: int) -> Iterator[Block]:
        for first, arrays in _steps(selection, rows):
            branches = load(path, selection, arrays.items(), first)
            assert branches.counts is not None, "a jagged branch is among them"
            found, entries = leading(selection, branches, branches.counts, most)
            values = list(found.values())
            del arrays, branches, found
            for start, stop in spans(len(entries), rows):
                yield Block.of([column[start:stop] for column in values], entries=first + entries[start:stop])
            del values

    left_out = f"{events - kept} of {events} events have fewer than {most} objects and were left out"
    return Opened(
        names=tuple(columns),
        dtypes=tuple(values.dtype.name for values in columns.values()),
        rows=kept,
        layout=_layout(selection, by_object=False),
        read=read,
        unused="objects beyond the leading ones",
        warnings=selection.warnings + ((left_out,) if kept < events else ()),
    )


def _check_objects(path: str, selection: Selection) -> None:
    """Refuse jagged branches that take far more memory than the file's size; that of a remote file is unknown."""
    if is_url(path) or not selection.jagged:
        return
    tree = selection.tree
    if isinstance(tree, uproot.TTree):
        unpacked_b = sum(int(selection.leaves[name].member("fTotBytes")) for name in selection.jagged)
    else:
        columns = [column for cluster in tree.page_link_list for column in enumerate(cluster)]
        elements = ((page.num_elements, number) for number, column in columns for page in column.pages)
        unpacked_b = sum(count * tree.column_records[number].nbits for count, number in elements) // 8
    check_unpacked(unpacked_b, Path(path).stat().st_size)


def _nothing(path: str, selection: Selection) -> Branches:
    """Read the branches without any event, to get their types."""
    nothing = {name: selection.leaves[name].array(library="ak", entry_stop=0) for name in selection.names}
    return load(path, selection, nothing.items())


def _count_objects(selection: Selection, enough: int | None) -> int:
    """Count the objects of all events, from one jagged branch; stop once there are `enough`."""
    one, total = replace(selection, names=selection.jagged[:1]), 0
    for _, arrays in _steps(one, _COUNTED_ROWS):
        total += sum(int(ak.sum(ak.num(array))) for array in arrays.values())
        if enough is not None and total >= enough:
            break
    return total


def _enough(selection: Selection, most: int) -> tuple[int, int]:
    """Count all events, and those with at least `most` objects, from one jagged branch."""
    events = kept = 0
    one = replace(selection, names=selection.jagged[:1])
    for _, arrays in _steps(one, _COUNTED_ROWS):
        (array,) = arrays.values()
        events += len(array)
        kept += int(np.count_nonzero(ak.to_numpy(ak.num(array)) >= most))
    return events, kept


def _blocks(columns: list[NDArray[Any]], counts: NDArray[np.int64] | None, rows: int) -> Iterator[Block]:
    if counts is None:
        for start, stop in spans(len(columns[0]), rows):
            yield Block.of([values[start:stop] for values in columns])
        return
    place = 0
    for start, stop in event_spans(counts, rows):
        size = int(counts[start:stop].sum())
        yield Block.of([values[place : place + size] for values in columns], counts[start:stop].astype(np.int32))
        place += size


def _lost(selection: Selection) -> tuple[str, ...]:
    """Describe what rows of objects cannot hold."""
    if not selection.jagged:
        return ()
    counter, jagged = _counter(selection), set(selection.jagged)
    flat = [name for name in selection.names if name not in jagged and name != counter]
    if not flat:
        return ()
    return (
        f"events without objects have no rows, so their values of {listing(flat)} are lost: they are reconstructed "
        "as NaN, integers as the lowest (unsigned: the highest) of their type, booleans as false",
    )


def _counter(selection: Selection) -> str | None:
    """Name of the branch that counts the objects, if there is one."""
    return next(iter(selection.counters.values()), None)


def _layout(selection: Selection, by_object: bool) -> dict[str, Any]:
    tree = selection.tree
    compression = tree.file.compression
    return {
        "format": "root",
        "kind": "TTree" if isinstance(tree, uproot.TTree) else "RNTuple",
        "tree": tree.object_path.strip("/").partition(";")[0],
        "title": str(getattr(tree, "title", "")),
        "jagged": list(selection.jagged) if by_object else [],
        "counter": _counter(selection) if by_object else None,
        "compression": [compression.name, compression.level] if compression else None,
    }


def _steps(selection: Selection, rows: int) -> Iterator[tuple[int, dict[str, ak.Array]]]:
    """Read the branches in steps of about `rows` rows; yield each with the number of its first event."""
    leaves = selection.leaves
    events = rows
    if selection.jagged:
        probe = ak.num(leaves[selection.jagged[0]].array(library="ak", entry_stop=_PROBE_EVENTS))
        events = max(1, int(rows / max(1.0, float(ak.mean(probe) or 0.0))))
    if not isinstance(selection.tree, uproot.TTree):
        yield from _cluster_steps(selection, events)
        return
    if any(leaves[name].name != name for name in selection.names):
        yield from _single_steps(selection, events)
        return
    keys = {leaves[name].cache_key for name in selection.names}
    # `iterate` keeps the rest of a basket for the next step.
    chunks = selection.tree.iterate(filter_branch=lambda branch: branch.cache_key in keys, step_size=events, how=dict)
    yield from ((number * events, chunk) for number, chunk in enumerate(chunks))


def _single_steps(selection: Selection, events: int) -> Iterator[tuple[int, dict[str, ak.Array]]]:
    """Read each branch separately, because uproot's `iterate` takes the first of those that share a name."""
    for start, stop in spans(selection.tree.num_entries, events):
        span = {"entry_start": start, "entry_stop": stop, "library": "ak"}
        yield start, {name: selection.leaves[name].array(**span) for name in selection.names}


def _cluster_steps(selection: Selection, events: int) -> Iterator[tuple[int, dict[str, ak.Array]]]:
    """Read an RNTuple cluster by cluster, because uproot unpacks a whole cluster for any of its entries."""
    for cluster in selection.tree.cluster_summaries:
        first = cluster.num_first_entry
        span = {"entry_start": first, "entry_stop": first + cluster.num_entries}
        arrays = {name: selection.leaves[name].array(library="ak", **span) for name in selection.names}
        for name, array in arrays.items():
            if len(array) != cluster.num_entries:
                raise ValueError(f"a cluster has {cluster.num_entries} entries, but {name} has {len(array)}")
        for start, stop in spans(cluster.num_entries, events):
            yield first + start, {name: array[start:stop] for name, array in arrays.items()}
        del arrays


def event_spans(counts: NDArray[np.int64], rows: int) -> Iterator[tuple[int, int]]:
    """Split events into pieces of at most `rows` objects; a single event may have more.

    Parameters
    ----------
    counts
        Shape (events,): objects per event.
    rows
        At least 1.
    """
    ends = np.cumsum(counts, dtype=np.int64)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + rows, side="right")))
        yield start, stop
        start = stop


def sink(path: Path, target: Target, stack: ExitStack) -> Callable[[Block], None]:
    """Start a ROOT file with one tree, whose jagged branches share one counter."""
    layout, jagged = target.layout, dict.fromkeys(target.layout["jagged"])
    name, compression = str(layout["tree"]), layout["compression"]
    is_tree = layout["kind"] == "TTree"
    counter = (layout["counter"] or _free_name(f"n{next(iter(jagged))}", target.names)) if is_tree and jagged else None
    codec = _COMPRESSIONS[compression[0]](compression[1]) if compression else None
    # uproot reads numbers of 16 bits, but cannot write them.
    dtypes = ["float32" if dtype == "float16" else dtype for dtype in target.dtypes]
    types = {
        column: f"var * {np.dtype(dtype).name}" if column in jagged else np.dtype(dtype)
        for column, dtype in zip(target.names, dtypes, strict=True)
    }
    file = stack.enter_context(uproot.recreate(path, compression=codec))
    if is_tree:
        tree = file.mktree(name, types, layout["title"], counter_name=lambda _: counter)
    else:
        tree = file.mkrntuple(name, types)

    def write(block: Block) -> None:
        if bool(jagged) != (block.counts is not None):
            raise ValueError("jagged branches and numbers of objects go together")
        arrays: dict[str, Any] = dict(zip(target.names, block.native(target.names, dtypes), strict=True))
        if counter is not None:
            arrays.pop(counter, None)
        if block.counts is not None:
            arrays = _by_event(arrays, jagged, block.counts)
        if len(block.data if block.counts is None else block.counts):
            tree.extend(arrays)

    return write


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return the name, with underscores if a column has it: uproot would write the counter in place of the column."""
    while name in taken:
        name += "_"
    return name


def _by_event(arrays: Mapping[str, NDArray[Any]], jagged: Collection[str], counts: NDArray[np.int32]) -> dict[str, Any]:
    """Group objects into events again; a flat value is that of the event's first object."""
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    filled = counts > 0
    events: dict[str, Any] = {}
    for name, values in arrays.items():
        if name in jagged:
            events[name] = ak.Array(ListOffsetArray(Index64(offsets), NumpyArray(values)))
        else:
            events[name] = np.full(len(counts), _absent(values.dtype), values.dtype)
            events[name][filled] = values[offsets[:-1][filled]]
    return events


def _absent(dtype: np.dtype[Any]) -> float | int | bool:
    """Return the marker of a missing value: NaN, false, or the lowest (unsigned: the highest) integer."""
    if dtype.kind == "f":
        return np.nan
    if dtype.kind == "b":
        return False
    return int(np.iinfo(dtype).max if dtype.kind == "u" else np.iinfo(dtype).min)

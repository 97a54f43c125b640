"""ROOT files: steps of events in, a TTree or RNTuple that is extended block by block out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from awkward.contents import ListOffsetArray, NumpyArray
from awkward.index import Index64
from numpy.typing import NDArray

from baler_energy.data.blocks.base import Block, Opened, Target, matrix, native, spans
from baler_energy.data.origin import file_origin
from baler_energy.data.readers.base import Request
from baler_energy.data.readers.root import Selection, load, open_file, select, to_columns

__all__ = ["event_spans", "sink", "source"]

# Events whose objects are counted to choose how many events are read at once.
_PROBE_EVENTS = 10_000
_COMPRESSIONS = {"ZLIB": uproot.ZLIB, "LZMA": uproot.LZMA, "LZ4": uproot.LZ4, "ZSTD": uproot.ZSTD}


def source(path: str, request: Request, file_format: str, stack: ExitStack) -> Opened:
    """Open a tree of a ROOT file.

    A block is whole events. What is held besides a block: of a TTree the baskets that it touches, of an RNTuple a
    cluster. In the layout ``leading``, how many events are left out shows only in the rows.
    """
    selection = select(path, stack.enter_context(open_file(path)), request)
    nothing = {name: selection.leaves[name].array(library="ak", entry_stop=0) for name in selection.names}
    columns = to_columns(path, selection, load(path, selection, nothing.items()), request)
    by_object = bool(selection.jagged) and request.layout == "objects"
    rows = None if selection.jagged else int(selection.tree.num_entries)
    warnings = selection.warnings + (_lost(selection) if by_object else ())
    origin = file_origin(path, request, unused=columns.unused, warnings=warnings, rows=rows, available=rows)

    def read(rows: int) -> Iterator[Block]:
        for first, arrays in _steps(selection, rows):
            branches = load(path, selection, arrays.items(), first)
            data = matrix(to_columns(path, selection, branches, request).arrays)
            counts = branches.counts if by_object else None
            # Not held while the next step is read.
            del arrays, branches
            yield from _blocks(data, counts, rows)

    layout = _layout(selection, by_object)
    return Opened(columns.names, columns.dtypes, rows, origin | {"format": file_format}, layout, read)


def _blocks(data: NDArray[np.float64], counts: NDArray[np.int64] | None, rows: int) -> Iterator[Block]:
    if counts is None:
        for start, stop in spans(len(data), rows):
            yield Block(data[start:stop])
        return
    place = 0
    for start, stop in event_spans(counts, rows):
        size = int(counts[start:stop].sum())
        yield Block(data[place : place + size], counts[start:stop].astype(np.int32))
        place += size


def _lost(selection: Selection) -> tuple[str, ...]:
    """Say what rows of objects cannot hold."""
    counter = _counter(selection)
    flat = [name for name in selection.names if name not in selection.jagged and name != counter]
    if not flat:
        return ()
    return (
        f"events without objects have no rows, so that their values of {', '.join(flat)} are lost: they come back as "
        "NaN, integers as the lowest (unsigned: the highest) of their type, booleans as false",
    )


def _counter(selection: Selection) -> str | None:
    """Name of the branch that counts the objects, where there is one."""
    branches = [getattr(selection.leaves[name], "count_branch", None) for name in selection.jagged]
    return next((branch.name for branch in branches if branch is not None), None)


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
    """Read the branches over about as many events as give `rows` rows, with the number of the first event."""
    leaves = selection.leaves
    events = rows
    if selection.jagged:
        probe = ak.num(leaves[selection.jagged[0]].array(library="ak", entry_stop=_PROBE_EVENTS))
        events = max(1, int(rows / max(1.0, float(ak.mean(probe) or 0.0))))
    if not isinstance(selection.tree, uproot.TTree):
        yield from _cluster_steps(selection, events)
        return
    keys = {leaves[name].cache_key for name in selection.names}
    # It keeps what a step left of a basket for the next.
    chunks = selection.tree.iterate(filter_branch=lambda branch: branch.cache_key in keys, step_size=events, how=dict)
    yield from ((number * events, chunk) for number, chunk in enumerate(chunks))


def _cluster_steps(selection: Selection, events: int) -> Iterator[tuple[int, dict[str, ak.Array]]]:
    """Read an RNTuple by its clusters, because uproot unpacks the whole of one for any of its entries."""
    for cluster in selection.tree.cluster_summaries:
        first = cluster.num_first_entry
        span = {"entry_start": first, "entry_stop": first + cluster.num_entries}
        arrays = {name: selection.leaves[name].array(library="ak", **span) for name in selection.names}
        for start, stop in spans(cluster.num_entries, events):
            yield first + start, {name: array[start:stop] for name, array in arrays.items()}
        del arrays


def event_spans(counts: NDArray[np.int64], rows: int) -> Iterator[tuple[int, int]]:
    """Cut events into pieces of at most `rows` objects, but for a single event that has more.

    Parameters
    ----------
    counts
        (events,) objects of each.
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
    """Begin a ROOT file with one tree, whose jagged branches share one counter."""
    layout, jagged = target.layout, list(target.layout["jagged"])
    name, compression = str(layout["tree"]), layout["compression"]
    is_tree = layout["kind"] == "TTree"
    counter = (layout["counter"] or f"n{jagged[0]}") if is_tree and jagged else None
    codec = _COMPRESSIONS[compression[0]](compression[1]) if compression else None
    types = {
        column: f"var * {np.dtype(dtype).name}" if column in jagged else np.dtype(dtype)
        for column, dtype in zip(target.names, target.dtypes, strict=True)
    }
    file = stack.enter_context(uproot.recreate(path, compression=codec))
    if is_tree:
        tree = file.mktree(name, types, layout["title"], counter_name=lambda _: counter)
    else:
        tree = file.mkrntuple(name, types)

    def write(block: Block) -> None:
        if bool(jagged) != (block.counts is not None):
            raise ValueError("jagged branches and numbers of objects go together")
        columns = zip(target.names, block.data.T, target.dtypes, strict=True)
        arrays = {column: native(column, values, dtype) for column, values, dtype in columns if column != counter}
        if block.counts is not None:
            arrays = _by_event(arrays, jagged, block.counts)
        if len(block.data if block.counts is None else block.counts):
            tree.extend(arrays)

    return write


def _by_event(arrays: Mapping[str, NDArray[Any]], jagged: list[str], counts: NDArray[np.int32]) -> dict[str, Any]:
    """Put objects back into their events; an event's own value is that of its first object."""
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
    """Give the value that stands for none, as far as the type has one."""
    if dtype.kind == "f":
        return np.nan
    if dtype.kind == "b":
        return False
    return int(np.iinfo(dtype).max if dtype.kind == "u" else np.iinfo(dtype).min)

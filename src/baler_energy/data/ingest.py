"""A table from a user's file or generated shards, with rows selected and checked."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.damage import check_regular
from baler_energy.data.checks import FiniteCheck, check_rows, find_oddities
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.file_states import sha256_of
from baler_energy.formats import Request, Source, check_request, format_of, is_url, open_source
from baler_energy.progress import progress
from baler_energy.variants import GENERATORS

__all__ = ["split_rows", "tables_from_file", "tables_from_shards"]

Floats = NDArray[np.float64]

# Rows per block.
_ROWS = 1 << 16
# Keys that may differ between shards of one sample.
_SHARD_KEYS = ("seed", "warnings")


def split_rows(
    available: int, rows: int | None, held_out: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the rows of the table and the held-out rows at random; a smaller selection is a subset of a larger one.

    Parameters
    ----------
    available, rows, seed
        Number of available rows, number of rows of the table (None: all that are not held out), and the seed.
        Selections with the same seed are elements of the same permutation: the table takes the first ones, and the
        last ones are held out.
    held_out
        Maximum number of held-out rows over that of the table; fewer if fewer rows are left.

    Returns
    -------
    tuple
        Row numbers of both, each of shape (rows,) and ascending, so that the file's order is kept.
    """
    if rows is None:
        held = math.floor(available * held_out / (1 + held_out))
        rows = available - held
    else:
        held = min(available - rows, math.ceil(rows * held_out))
    order = np.random.default_rng(seed).permutation(available)
    return np.sort(order[:rows]), np.sort(order[available - held :])


def tables_from_file(
    source: str,
    request: Request,
    *,
    rows: int | None,
    seed: int,
    held_out: float = 0.0,
    file_format: str | None = None,
    sha256: str | None = None,
) -> tuple[Table, Table]:
    """Read a user's file; return the table and the held-out rows.

    Parameters
    ----------
    source, request
        Path, or URL of a ROOT file, and what to read from it.
    rows, seed, held_out
        Number of rows to select at random, seed of the selection, and share of held-out rows; see `split_rows`.
    file_format, sha256
        One of `formats.FILE_FORMATS` (None: the suffix determines it), and the checksum that a local file must have.

    Raises
    ------
    InputError
        The file, its columns or its values are invalid; the message states which and where.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    file_format = file_format or format_of(source)
    check_request(source, request, file_format)
    digest = _digest(source, sha256)
    with open_source(source, request, file_format) as opened:
        (data, held), available = _selected(source, opened, rows, held_out, seed)
        origin = opened.origin_of(len(data), available) | {"sha256": digest, "seed": seed}
        table = Table(data, opened.names, opened.dtypes, origin)
        return _with_oddities(table), _held_out(table, held)


def _selected(
    source: str, opened: Source, rows: int | None, held_out: float, seed: int
) -> tuple[tuple[Floats, Floats], int]:
    """Read the rows that `split_rows` selects, and count all rows.

    If the file does not state its number of rows, they are counted first, or, if all are selected, read at once.
    """
    check = FiniteCheck(opened.names)
    if opened.rows is None and rows is None:
        pieces = [np.empty((0, len(opened.names))), *(data for _, data in _pieces(source, opened, check))]
        data = np.concatenate(pieces)
        del pieces
        check_rows(source, len(data), rows)
        check.refuse(source)
        table, held = (data[chosen] for chosen in split_rows(len(data), rows, held_out, seed))
        return (table, held), len(data)
    available = opened.count_rows()
    check_rows(source, available, rows)
    both = split_rows(available, rows, held_out, seed)
    table, held = (np.empty((len(chosen), len(opened.names))) for chosen in both)
    stop = 0
    for start, piece in _pieces(source, opened, check):
        stop = start + len(piece)
        for chosen, data in zip(both, (table, held), strict=True):
            first, last = np.searchsorted(chosen, [start, stop])
            data[first:last] = piece[chosen[first:last] - start]
    if stop != available:
        raise InputError(f"{source}: is damaged: it should have {available} rows, but only {stop} can be read.")
    check.refuse(source)
    return (table, held), available


def _pieces(source: str, opened: Source, check: FiniteCheck) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the blocks of a file, each with the number of its first row, and check their values."""
    total = None if opened.rows is None else -(-opened.rows // _ROWS)
    start = 0
    for block in progress(opened.blocks(_ROWS), total=total, label=f"reading {source}", unit="blocks"):
        check.look(block.data, block.entries)
        yield start, block.data
        start += len(block.data)


def tables_from_shards(paths: Sequence[Path], rows: int | None, held_out: float = 0.0) -> tuple[Table, Table]:
    """Merge generated shards in the given order; return the first rows as the table and the last ones as held-out rows.

    Parameters
    ----------
    paths
        The shards.
    rows
        Number of rows of the table; None: all that are not held out.
    held_out
        See `split_rows`.

    Raises
    ------
    InputError
        A shard is damaged, the shards do not belong to one sample, share a seed, or have too few rows.
    """
    shards = [Table.read(path) for path in paths]
    sample = _sample(shards[0])
    for path, shard in zip(paths, shards, strict=True):
        if sample.get("source") not in GENERATORS or "label" not in sample:
            raise InputError(f"{path}: is not a generated shard. Remove --generated to read your own file.")
        if _sample(shard) != sample or shard.names != shards[0].names or shard.dtypes != shards[0].dtypes:
            raise InputError(f"{path}: belongs to another sample than {paths[0]}; their sources or settings differ.")
        check = FiniteCheck(shard.names)
        check.look(shard.data)
        check.refuse(str(path))
    seeds = Counter(shard.origin.get("seed") for shard in shards)
    twice = [str(path) for path, shard in zip(paths, shards, strict=True) if seeds[shard.origin.get("seed")] > 1]
    if twice:
        raise InputError(f"{', '.join(twice)}: were generated with the same seed, so that their rows are the same.")
    source = ", ".join(str(path) for path in paths)
    available = sum(len(shard.data) for shard in shards)
    check_rows(source, available, rows)
    # Generated rows are independent, so they need not be chosen at random.
    table_rows, held_rows = (len(chosen) for chosen in split_rows(available, rows, held_out, seed=0))
    data = np.concatenate([shard.data for shard in shards])
    origin = sample | {
        "seeds": [shard.origin.get("seed") for shard in shards],
        "rows_in_source": available,
        "warnings": [],
    }
    table = Table(data[:table_rows].copy(), shards[0].names, shards[0].dtypes, origin)
    return _with_oddities(table), _held_out(table, data[available - held_rows :].copy())


def _held_out(table: Table, data: Floats) -> Table:
    """Make a table of the held-out rows, which can be empty."""
    known = {key: table.origin[key] for key in ("source", "label")}
    return Table(np.ascontiguousarray(data), table.names, table.dtypes, known | {"held_out": True, "warnings": []})


def _sample(shard: Table) -> dict[str, Any]:
    return {key: value for key, value in shard.origin.items() if key not in _SHARD_KEYS}


def _with_oddities(table: Table) -> Table:
    warnings = [*table.origin["warnings"], *find_oddities(table.data, table.names, table.integer)]
    return Table(table.data, table.names, table.dtypes, {**table.origin, "warnings": warnings})


def _digest(source: str, expected: str | None) -> str | None:
    """Return the SHA-256 of a local file, which must equal `expected` if that is given; None for a URL."""
    if is_url(source):
        if expected is not None:
            raise InputError(
                f"{source}: the checksum of a remote file cannot be checked without reading all of it. "
                "Download the file and give the local path."
            )
        return None
    check_regular(source)
    try:
        digest = sha256_of(source)
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}.") from error
    if expected is not None and digest != expected.lower():
        raise InputError(
            f"{source}: its SHA-256 is {digest}, not {expected.lower()}. "
            "It is a different file or an incomplete download: download it again, or correct the checksum."
        )
    return digest

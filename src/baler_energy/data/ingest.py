"""A user's file or generated shards, selected and checked, as a table."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.data.checks import check_finite, check_rows, find_oddities
from baler_energy.data.origin import file_origin
from baler_energy.data.readers import Columns, Request, check_layout, format_of, is_url, read_columns
from baler_energy.data.table import Table
from baler_energy.errors import InputError

__all__ = ["nested_rows", "table_from_file", "table_from_shards"]

# What shards of one sample may differ in.
_SHARD_KEYS = ("seed", "warnings")


def nested_rows(available: int, rows: int, seed: int) -> NDArray[np.int64]:
    """Choose rows at random so that fewer rows are always a subset of more.

    Parameters
    ----------
    available, rows, seed
        Number of rows that there are, number wanted, and the seed. All counts with the same seed are the beginnings of
        one permutation.

    Returns
    -------
    ndarray
        Shape (rows,), ascending, so that the file's order is kept.
    """
    order = np.random.default_rng(seed).permutation(available)
    return np.sort(order[:rows])


def table_from_file(
    source: str,
    request: Request,
    *,
    rows: int | None,
    seed: int,
    file_format: str | None = None,
    sha256: str | None = None,
) -> Table:
    """Read a user's file.

    Parameters
    ----------
    source, request
        Path, or URL of a ROOT file, and what to take of it.
    rows, seed
        How many rows to select at random (None: all of them), and the seed of the selection; see `nested_rows`.
    file_format, sha256
        One of `readers.FORMATS` (None goes by the suffix), and the checksum that a local file must have.

    Raises
    ------
    InputError
        The file, its columns or its values are unfit; the message says which and where.
    UnavailableError
        The URL's protocol needs a package that is not installed.
    """
    file_format = file_format or format_of(source)
    check_layout(source, request, file_format)
    digest = _digest(source, sha256)
    columns = read_columns(source, request, file_format)
    wanted = check_rows(source, columns.rows, rows)
    check_finite(source, columns)
    chosen = nested_rows(columns.rows, wanted, seed) if wanted < columns.rows else slice(None)
    data = np.empty((wanted, len(columns.names)))
    for place, values in enumerate(columns.arrays):
        data[:, place] = values[chosen]
    unused, warnings = columns.unused, columns.warnings
    origin = file_origin(source, request, unused=unused, warnings=warnings, rows=wanted, available=columns.rows)
    origin |= {"format": file_format, "sha256": digest, "seed": seed}
    return _with_oddities(Table(data, columns.names, columns.dtypes, origin))


def table_from_shards(paths: Sequence[Path], rows: int | None) -> Table:
    """Merge generated shards, in the order given, and take the first `rows` rows (None: all of them).

    Raises
    ------
    InputError
        A shard is damaged, the shards are not of one sample, or they have too few rows.
    """
    shards = [Table.read(path) for path in paths]
    sample = _sample(shards[0])
    for path, shard in zip(paths, shards, strict=True):
        if sample.get("source") not in ("pythia8", "toy"):
            raise InputError(f"{path}: is not a generated shard. Leave --generated out for a file of your own.")
        if _sample(shard) != sample or shard.names != shards[0].names or shard.dtypes != shards[0].dtypes:
            raise InputError(f"{path}: is of another sample than {paths[0]}; their sources or settings differ.")
        columns = Columns(shard.names, tuple(shard.data.T), shard.dtypes)
        check_finite(str(path), columns)
    source = ", ".join(str(path) for path in paths)
    available = sum(len(shard.data) for shard in shards)
    wanted = check_rows(source, available, rows)
    data = np.ascontiguousarray(np.concatenate([shard.data for shard in shards])[:wanted])
    origin = sample | {
        "seeds": [shard.origin.get("seed") for shard in shards],
        "rows_in_source": available,
        "warnings": [],
    }
    return _with_oddities(Table(data, shards[0].names, shards[0].dtypes, origin))


def _sample(shard: Table) -> dict[str, Any]:
    return {key: value for key, value in shard.origin.items() if key not in _SHARD_KEYS}


def _with_oddities(table: Table) -> Table:
    warnings = [*table.origin["warnings"], *find_oddities(table.data, table.names, table.integer)]
    return Table(table.data, table.names, table.dtypes, {**table.origin, "warnings": warnings})


def _digest(source: str, expected: str | None) -> str | None:
    """Give the SHA-256 of a local file, which must be `expected` where that is given; None for a URL."""
    if is_url(source):
        if expected is not None:
            raise InputError(
                f"{source}: the checksum of a remote file cannot be checked without reading all of it. "
                "Download the file and give the local path."
            )
        return None
    try:
        with Path(source).open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror or error}.") from error
    if expected is not None and digest != expected.lower():
        raise InputError(
            f"{source}: its SHA-256 is {digest}, not {expected.lower()}. "
            "It is another file, or was not downloaded whole: download it again, or correct the checksum."
        )
    return digest

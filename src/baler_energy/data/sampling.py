"""A sample of a file of any size, for trying codecs: runs of consecutive rows, spread evenly over the file.

Single rows would not represent the file for coders that use neighbouring rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import Request, Source, format_of, open_source
from baler_energy.formats.base import spans
from baler_energy.progress import progress

__all__ = ["LEAST_ROWS", "RUN_ROWS", "FileSample", "sample_file"]

Floats = NDArray[np.float64]

#: Maximum number of consecutive rows in a run.
RUN_ROWS = 2048
#: With fewer rows, the fixed size of a compressed file outweighs the rows.
LEAST_ROWS = 200
#: Minimum number of runs; a small file, or a small sample, has shorter ones.
_LEAST_RUNS = 8
#: Rows that are read at once.
_READ_ROWS = 1 << 15


@dataclass(frozen=True, eq=False)
class FileSample:
    """Rows of a file in two disjoint tables.

    Parameters
    ----------
    training
        Rows to train on.
    test
        Rows to compress and evaluate.
    rows
        Number of rows in the whole file; if reading was stopped and the file does not state it, of those read.
    left_out
        Columns that are in neither table because they contain NaN or infinity, in the sample or in other rows.
    warnings
        Sentences for the user.
    """

    training: Table
    test: Table
    rows: int
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def native_bytes(self) -> int:
        """Size of the whole file's columns in their number types, uncompressed (B)."""
        return self.rows * (self.test.native_bytes // len(self.test.data))


def sample_file(
    source: str,
    request: Request,
    native_bytes: int,
    file_format: str | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> FileSample:
    """Read a file from front to back, and keep runs of rows that are spread evenly over it.

    Columns with NaN or infinity in any row that was read are left out, with a warning.

    Parameters
    ----------
    source, request, file_format
        See `formats.open_source`.
    native_bytes
        Maximum size of each of the two tables in their native types (B).
    stop
        Whether to stop reading, asked between blocks. The sample is then spread over the rows that were read, at least
        `LEAST_ROWS`, and has a warning.

    Raises
    ------
    InputError
        The file cannot be read, has fewer than `LEAST_ROWS` rows, or every column contains NaN or infinity.
    """
    with open_source(source, request, file_format or format_of(source)) as opened:
        row_bytes = sum(np.dtype(name).itemsize for name in opened.dtypes)
        wanted = max(LEAST_ROWS, 2 * native_bytes // row_bytes)
        run_rows = min(RUN_ROWS, -(-wanted // _LEAST_RUNS))
        data, finite, rows, whole = _evenly_spaced_runs(opened, wanted, run_rows, f"reading {source}", stop)
        if rows < LEAST_ROWS:
            raise InputError(f"{source}: has {rows} rows; at least {LEAST_ROWS} are needed to compare codecs.")
        left_out = tuple(opened.names[number] for number in np.flatnonzero(~finite))
        if not finite.any():
            raise InputError(f"{source}: every column contains NaN or infinity, so no codec can be compared.")
        names, dtypes = (tuple(np.array(every)[finite].tolist()) for every in (opened.names, opened.dtypes))
        total = rows if whole or opened.rows is None else opened.rows
        origin = dict(opened.origin_of(len(data), total))
    warnings = [*origin["warnings"]]
    if not whole:
        warnings.append(f"{source}: only the first {rows:,} rows were read, since time ran out")
    if left_out:
        warnings.append(f"{', '.join(left_out)}: left out because of NaN or infinity")
    # Runs alternate between the two tables.
    run_rows = max(1, min(run_rows, len(data) // _LEAST_RUNS))
    to_test = np.arange(len(data)) // run_rows % 2 == 1
    training, test = (
        Table(np.ascontiguousarray(data[mine][:, finite]), names, dtypes, origin) for mine in (~to_test, to_test)
    )
    return FileSample(training, test, total, left_out, tuple(warnings))


def _evenly_spaced_runs(
    opened: Source, wanted: int, run_rows: int, label: str, stop: Callable[[], bool]
) -> tuple[Floats, NDArray[np.bool_], int, bool]:
    """Keep evenly spread runs of `run_rows` rows, `wanted` rows in total.

    The number of rows in the file need not be known in advance: once twice as many runs as needed are kept, every
    second one is dropped, and from then on half as many are kept.

    Returns
    -------
    tuple
        The rows; for all rows that were read: whether each column is finite; their number; whether these are all.
    """
    kept: list[Floats] = []
    most, stride, rows, whole = -(-wanted // run_rows), 1, 0, True
    finite = np.ones(len(opened.names), np.bool_)
    has_floats = any(np.dtype(name).kind == "f" for name in opened.dtypes)
    numbers = count()
    total = None if opened.rows is None else -(-opened.rows // _READ_ROWS)
    for block in progress(opened.blocks(_READ_ROWS), total=total, label=label, unit="blocks"):
        if rows >= LEAST_ROWS and stop():
            whole = False
            break
        rows += len(block.data)
        if has_floats:
            finite &= np.isfinite(block.data).all(axis=0)
        for first, last in spans(len(block.data), run_rows):
            if next(numbers) % stride == 0:
                kept.append(block.data[first:last].copy())
            if len(kept) > 2 * most:
                kept, stride = kept[::2], 2 * stride
    chosen = kept if len(kept) <= most else [kept[place] for place in np.linspace(0, len(kept) - 1, most).astype(int)]
    return np.concatenate([np.empty((0, len(opened.names))), *chosen]), finite, rows, whole

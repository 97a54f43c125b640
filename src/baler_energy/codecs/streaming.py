"""Compress and decompress tables of any size: rows are read from a file and written to a file block by block.

Threads work on different blocks: the matrix products of one batch are too small to be split between threads.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import local
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from baler_energy.codecs.container import Reader, Sizes, StoredBlock, Writer
from baler_energy.codecs.corrections import Bound, Corrections
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.fitted import Fitted, check_columns, check_decoded, finite_latents
from baler_energy.codecs.native import round_to_native
from baler_energy.codecs.normalisation import lost_warning
from baler_energy.codecs.packing import Packing
from baler_energy.damage import naming
from baler_energy.errors import InputError
from baler_energy.formats import Block, Source, open_sink, open_source
from baler_energy.formats.base import native, rounded
from baler_energy.formats.reading import Request
from baler_energy.pools import results_in_order
from baler_energy.variants import NO_TRANSFORM

__all__ = ["BLOCK_ROWS", "Encode", "StreamingCodec", "streamed_compression", "streamed_decompression"]

Floats = NDArray[np.float64]
T = TypeVar("T")
R = TypeVar("R")
#: Turns values (rows, columns) into the arrays of `Facts.arrays`, not yet rounded to the packing's number format.
Encode = Callable[[Floats], tuple[NDArray[Any], ...]]
#: Turns these arrays into values (rows, columns), not yet rounded to the native types.
_Decode = Callable[..., Floats]

#: Maximum rows of a block: enough that the fixed cost per block is negligible, and few enough for memory.
BLOCK_ROWS = 32_768
#: Number of blocks of a smaller table, so that several threads have work, and minimum rows of a block: with 2048 rows
#: instead of 8192, 100,000 jets need 10 % more bytes with quantise-0.01+pcodec, 19 % with sz3-0.01, 2 % with pcodec.
BLOCKS, LEAST_BLOCK_ROWS = 8, 8192
#: A float64 of this size or more may be another integer, rounded.
_ROUNDED = 2.0**53


class StreamingCodec:
    """Compresses and decompresses files block by block.

    Time is linear in the number of rows; memory is that of a few blocks, for any number of rows.

    Parameters
    ----------
    fitted
        The codec.
    encoder, decoder
        Make the functions that encode and decode; called once per thread.
    packing
        How numbers are stored: a value of the axis ``packing``.
    threads
        Number of blocks processed at the same time; None: torch's number of threads.
    """

    def __init__(
        self,
        fitted: Fitted,
        encoder: Callable[[], Encode],
        decoder: Callable[[], _Decode],
        *,
        packing: str = "none",
        threads: int | None = None,
    ) -> None:
        self.fitted = fitted
        self._packing = packing
        self._threads = threads or torch.get_num_threads()
        self._encoder = _PerThread(encoder)
        self._decoder = _PerThread(decoder)
        #: Columns whose values are lost because the column was constant in training.
        self.lost: set[str] = set()
        #: Integer columns with values that float64 cannot distinguish.
        self.rounded: set[str] = set()
        self._wide = [n for n, dtype in enumerate(fitted.dtypes) if dtype in ("int64", "uint64")]

    def encode(self, data: Floats) -> tuple[NDArray[Any], ...]:
        """Encode values (rows, columns) to the arrays of `Facts.arrays`."""
        return self._encoder.here(data)

    def decode(self, *arrays: NDArray[Any]) -> Floats:
        """Decode these arrays to values (rows, columns) float64, not yet rounded to the native types."""
        return self._decoder.here(*arrays)

    def compress(self, source: Source, path: Path, most_rows: int | None = None) -> Sizes:
        """Encode the rows of a file and write them to a compressed file, which the caller makes atomic.

        Parameters
        ----------
        source
            The file to read.
        path
            The file to write.
        most_rows
            Stop at the end of the block that reaches this many rows; None: use all.

        Raises
        ------
        InputError
            The columns differ from the training's, a latent is not finite (without a bound), a value exceeds the
            packing's number format, or float64 rounds an integer by more than the bound.
        """
        check_columns(source.names, source.dtypes, self.fitted)
        packing = Packing.parse(self._packing)
        bound = Bound.of(self.fitted, packing)
        ranges = _ranges(source, most_rows) if packing.needs_ranges and self.fitted.latent is None else None

        def stored(numbered: tuple[int, Block]) -> StoredBlock:
            first_row, block = numbered
            self._note(block)
            arrays = self.encode(block.data)
            if self.fitted.latent is None:
                arrays = tuple(block.wide.get(place, values) for place, values in enumerate(arrays))
            else:
                arrays = (finite_latents(arrays[0], block.data, self.fitted, first_row, corrected=bound is not None),)
            reduced = packing.reduced(arrays, ranges)
            corrections = self._corrections(bound, block, self.decode(*reduced.arrays)) if bound else None
            return writer.packed(StoredBlock(reduced.arrays, corrections, block.counts, reduced.steps, reduced.packed))

        facts, rows = Facts.of(self.fitted, self._packing, source.origin, source.layout), 0
        with Writer(path, facts) as writer:
            wanted = None if packing.coder is None else packing.coder.block_rows
            blocks = source.blocks(_block_rows(source.rows if most_rows is None else most_rows, wanted))
            for stored_block in self._in_threads(stored, _first(blocks, most_rows)):
                writer.write(stored_block)
                rows += stored_block.rows
        return Sizes.of(writer, rows)

    def decompress(self, path: Path, out: Path) -> int:
        """Decode a compressed file to a file of its original format; return the number of rows.

        Raises
        ------
        InputError
            The file is damaged or was written with another checkpoint, or a decoded value is not finite.
        """
        content = Reader(path)
        facts, rows = content.facts, 0
        facts.check_made_with(self.fitted, path)
        bound = Bound.of(self.fitted, Packing.parse(facts.packing))
        origin = {**facts.origin, "reconstructed_from": path.name}
        layout = facts.layout or {"format": facts.file_format}
        # What cannot be written is what the compressed file asks for.
        with naming(path), open_sink(out, facts.names, facts.dtypes, layout, origin) as sink:
            packed = zip(content.packed_blocks(), content.first_rows, strict=True)
            for block in self._in_threads(lambda one: self._restored(one[0](), bound, one[1]), packed):
                sink.write(block)
                rows += len(block.data)
        return rows

    def _restored(self, block: StoredBlock, bound: Bound | None, first_row: int) -> Block:
        data = self.decode(*block.arrays)
        if bound and block.corrections:
            bound.restore(data, block.corrections)
        elif self.fitted.latent is not None:
            check_decoded(data, self.fitted, first_row)
            round_to_native(data, self.fitted.dtypes)
        # Without a transform the arrays are the columns, of which float64 may round some.
        wide = rounded(block.arrays) if self.fitted.latent is None else {}
        return Block(data, block.counts, wide=wide)

    def _corrections(self, bound: Bound, block: Block, decoded: Floats) -> Corrections:
        """Find a block's corrections; refuse integers that float64 rounds by more than the bound."""
        rounding = np.zeros(len(self.fitted.names))
        for place, values in block.wide.items():
            back = native(self.fitted.names[place], block.data[:, place], values.dtype.name)
            rounding[place] = float((np.maximum(values, back) - np.minimum(values, back)).max())
        beyond = np.flatnonzero(rounding > bound.values)
        if beyond.size:
            raise InputError(
                f"Column {self.fitted.names[beyond[0]]!r} has integers beyond 2^53. They are computed as float64, "
                f"which rounds them by up to {rounding[beyond[0]]:.0f}, more than the error bound. Leave the column "
                f"out, or use --transform {NO_TRANSFORM}, which keeps it exactly."
            )
        return bound.corrections(block.data, decoded, rounding)

    def _note(self, block: Block) -> None:
        """Record columns whose values are lost, and columns with integers too large for float64."""
        data, kept = block.data, block.wide if self.fitted.latent is None else {}
        if self.fitted.normalisation is not None:
            minimum, constant = self.fitted.normalisation.features[0], self.fitted.normalisation.constant
            for number in np.flatnonzero(constant):
                if (data[:, number] != minimum[number]).any():
                    self.lost.add(self.fitted.names[number])
        for wide in self._wide:
            if wide not in kept and (np.abs(data[:, wide]) >= _ROUNDED).any():
                self.rounded.add(self.fitted.names[wide])

    def _in_threads(self, work: Callable[[T], R], blocks: Iterable[T]) -> Iterator[R]:
        """Process several blocks at a time, and yield the results in order."""
        if self._threads == 1:
            yield from map(work, blocks)
            return
        torch_threads = torch.get_num_threads()
        pool = ThreadPoolExecutor(self._threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from results_in_order(pool, work, blocks, ahead=self._threads)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(torch_threads)


@contextmanager
def streamed_compression(
    asked: Asked,
    make: Callable[[Source], StreamingCodec],
    columns: tuple[str, ...] | None = None,
    facts: Callable[[StreamingCodec, Source], Mapping[str, Any]] = lambda codec, source: {},
) -> Iterator[Work]:
    """Set up compression of a file of any format, which is read within the window.

    Parameters
    ----------
    asked
        What to do.
    make
        Makes the codec for a file.
    columns
        Columns of the training table; None if there was no training: use the request's columns, or all.
    facts
        Makes more entries of the record, after the window.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", str(asked.data)) and not asked.data.exists():
        raise InputError(f"{asked.data}: compress cannot read URLs. Use `baler-energy prepare` first.")
    request = asked.request or Request()
    if columns is not None:
        if request.columns is not None:
            raise InputError("--columns: the columns are always those of the training; remove this option.")
        request = replace(request, columns=columns)
    with open_source(asked.data, request, asked.file_format) as source:
        codec, origin = make(source), source.origin
        yield Work(
            operation=partial(codec.compress, source, asked.target),
            warm_up=partial(codec.compress, source, asked.target, asked.warm_up_rows),
            finish=lambda sizes: sizes,
            origin=origin,
            dtypes=source.dtypes,
            file_format=source.layout["format"],
            warnings=lambda: [
                *origin.get("warnings", ()),
                *lost_warning(sorted(codec.lost)),
                *_rounded_warning(sorted(codec.rounded)),
            ],
            facts=lambda _: facts(codec, source),
        )


@contextmanager
def streamed_decompression(
    asked: Asked, codec: StreamingCodec, facts: Callable[[], Mapping[str, Any]] = dict
) -> Iterator[Work]:
    """Set up decompression to a file of the original format, which is written within the window.

    After the window, `facts` makes more entries of the record.
    """
    content = asked.compressed
    content.facts.check_made_with(codec.fitted, asked.data)
    yield Work(
        operation=partial(codec.decompress, asked.data, asked.target),
        warm_up=partial(codec.decode, *content.first(asked.warm_up_rows)),
        finish=lambda rows: rows,
        facts=lambda _: facts(),
    )


def _ranges(source: Source, most_rows: int | None) -> list[float]:
    """Read a file to find the range of each column, ignoring values that are not finite."""
    low, high = np.full(len(source.names), np.inf), np.full(len(source.names), -np.inf)
    for _, block in _first(source.blocks(BLOCK_ROWS), most_rows):
        finite = np.isfinite(block.data)
        low = np.minimum(low, np.where(finite, block.data, np.inf).min(axis=0, initial=np.inf))
        high = np.maximum(high, np.where(finite, block.data, -np.inf).max(axis=0, initial=-np.inf))
    # Of the two ends of a type, the range can be infinite.
    return [float(top) - float(bottom) if top >= bottom else 0.0 for top, bottom in zip(high, low, strict=True)]


def _rounded_warning(columns: list[str]) -> list[str]:
    words = "contains integers of 2^53 or more, which float64 may round"
    return [f"{', '.join(columns)}: {words}"] if columns else []


def _block_rows(rows: int | None, wanted: int | None = None) -> int:
    """Rows per block of a table with `rows` rows (None: unknown).

    They do not depend on the number of threads, so neither do the file's bytes. `wanted` is what the packing's coder
    needs (`Coder.block_rows`).
    """
    if wanted is not None:
        return wanted
    return BLOCK_ROWS if rows is None else min(BLOCK_ROWS, max(LEAST_BLOCK_ROWS, -(-rows // BLOCKS)))


def _first(blocks: Iterator[Block], most_rows: int | None) -> Iterator[tuple[int, Block]]:
    """Yield blocks with the number of their first row, until `most_rows` is reached (None: all blocks)."""
    rows = 0
    for block in blocks:
        yield rows, block
        rows += len(block.data)
        if most_rows is not None and rows >= most_rows:
            return


class _PerThread(local, Generic[T]):
    """An object that each thread creates for itself, because it has buffers."""

    def __init__(self, make: Callable[[], T]) -> None:  # runs again in each thread
        self.here = make()

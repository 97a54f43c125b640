"""Compress and decompress tables of any size at the speed of the hardware: the engine ``fast``.

Rows come from a file and go to a file a block at a time. Within a block, batches small enough for the caches run
through buffers that are allocated once; the scale of the normalisation is folded into the first layer's weights, and
that of its inverse into the last one's, so that only the minimum is subtracted or added, in float64, while values are
copied anyhow. Blocks are spread over threads, each of which computes alone: the products of a batch are too small to
be shared.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import local
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import leaky_relu_

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.coder import Sizes, bound_of, facts_of, first_latents, lost_warning
from baler_energy.codecs.baler.model import DTYPES
from baler_energy.codecs.container import Reader, StoredBlock, Writer
from baler_energy.codecs.corrections import Bound
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.native import round_to_native
from baler_energy.codecs.packing import Packing
from baler_energy.data.blocks import Block, Source, open_sink, open_source
from baler_energy.data.readers import Request
from baler_energy.errors import InputError

__all__ = ["BLOCK_ROWS", "StreamingCoder", "compressing", "decompressing"]

Floats = NDArray[np.float64]
T = TypeVar("T")
R = TypeVar("R")

#: Most rows of a block: large enough that what it costs besides its rows does not count, small enough for memory.
BLOCK_ROWS = 32_768
#: Blocks that a smaller table has, so that several threads have work; and their least rows.
BLOCKS, LEAST_BLOCK_ROWS = 16, 2048
#: Integers up to here are exact in float64.
_LARGEST_EXACT = 2.0**53
#: Rows of a batch on a CPU, whose activations stay in the caches; on a GPU a whole block is one.
BATCH_ROWS = 1024


class StreamingCoder:
    """A checkpoint made ready on a device.

    Time is linear in the rows; memory is that of a few blocks, however many rows there are.

    Parameters
    ----------
    checkpoint
        The trained codec.
    device
        Where to compute.
    packing
        How latents are stored, a value of the axis.
    threads
        Blocks that are worked on at the same time, on a CPU.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, packing: str = "none", threads: int | None = None
    ) -> None:
        self.checkpoint = checkpoint
        self._packing = packing
        self._threads = 1 if device.type == "cuda" else threads or torch.get_num_threads()
        self._encoder = _PerThread(lambda: _Encoder(checkpoint, device))
        self._decoder = _PerThread(lambda: _Decoder(checkpoint, device))
        #: Columns of which values were lost, as they were constant in training.
        self.lost: set[str] = set()
        #: Integer columns with values that float64 cannot tell apart.
        self.rounded: set[str] = set()
        self._wide = [n for n, dtype in enumerate(checkpoint.dtypes) if dtype in ("int64", "uint64")]

    def encode(self, data: Floats) -> NDArray[np.floating]:
        """Latents (rows, latent), in the codec's precision, of values (rows, columns)."""
        return self._encoder.here(data)

    def decode(self, latents: NDArray[np.floating]) -> Floats:
        """Values (rows, columns) float64 of latents (rows, latent), not yet rounded to the native types."""
        return self._decoder.here(latents)

    def compress(self, source: Source, path: Path, most_rows: int | None = None) -> Sizes:
        """Encode the rows of a file and write them to a compressed file, which the caller makes atomic.

        Parameters
        ----------
        source
            The file that is read.
        path
            The file to write.
        most_rows
            Stop after about so many rows; None takes all.

        Raises
        ------
        InputError
            The columns are not those of the training, or a latent is beyond the packing's number format.
        """
        self.checkpoint.check_columns(source.names, source.dtypes)
        packing, bound = Packing.parse(self._packing), bound_of(self.checkpoint, self._packing)

        def stored(numbered: tuple[int, Block]) -> StoredBlock:
            first_row, block = numbered
            self._note(block.data)
            latents = self.encode(block.data)
            if not np.isfinite(latents.sum()) and not np.isfinite(latents).all():
                if bound is None:
                    _refuse(block.data, latents, first_row, self.checkpoint)
                # Values that are no numbers are kept as they are by the corrections, whatever is decoded here.
                latents = np.nan_to_num(latents, nan=0.0, posinf=0.0, neginf=0.0)
            latents = packing.reduce(latents)
            corrections = bound.corrections(block.data, self.decode(latents)) if bound else None
            return StoredBlock(latents, corrections, block.counts)

        facts, rows = facts_of(self.checkpoint, self._packing, source.origin, source.layout), 0
        with Writer(path, facts) as writer:
            blocks = source.blocks(_block_rows(source.rows if most_rows is None else most_rows))
            for stored_block in self._spread(stored, _first(blocks, most_rows)):
                writer.write(stored_block)
                rows += len(stored_block.latents)
        return Sizes.of(writer, rows)

    def decompress(self, path: Path, out: Path) -> int:
        """Decode a compressed file to a file of the kind that its table came in; return the number of rows.

        Raises
        ------
        InputError
            The file is damaged, or was written with another checkpoint.
        """
        content = Reader(path)
        facts, rows = content.facts, 0
        facts.check_made_with(self.checkpoint.content_hash, path)
        bound = bound_of(self.checkpoint, facts.packing)
        origin = {**facts.origin, "reconstructed_from": path.name}
        # What the reference compressed, or an import made, tells no layout: it was a prepared table.
        with open_sink(out, facts.names, facts.dtypes, facts.layout or {"format": "table"}, origin) as sink:
            for block in self._spread(lambda block: self._restored(block, bound), content.blocks()):
                sink.write(block)
                rows += len(block.data)
        return rows

    def _restored(self, block: StoredBlock, bound: Bound | None) -> Block:
        data = self.decode(block.latents)
        if bound and block.corrections:
            bound.restore(data, block.corrections)
        else:
            round_to_native(data, self.checkpoint.dtypes)
        return Block(data, block.counts)

    def _note(self, data: Floats) -> None:
        """Note columns of which values are lost, or integers too large for float64."""
        minimum, constant = self.checkpoint.normalisation.features[0], self.checkpoint.normalisation.constant
        for number in np.flatnonzero(constant):
            if (data[:, number] != minimum[number]).any():
                self.lost.add(self.checkpoint.names[number])
        for wide in self._wide:
            if (np.abs(data[:, wide]) > _LARGEST_EXACT).any():
                self.rounded.add(self.checkpoint.names[wide])

    def _spread(self, work: Callable[[T], R], blocks: Iterable[T]) -> Iterator[R]:
        """Do the work of each block, several at a time, and give the results in order."""
        if self._threads == 1:
            yield from map(work, blocks)
            return
        torch_threads = torch.get_num_threads()
        pool = ThreadPoolExecutor(self._threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            pending: deque[Future[R]] = deque()
            for block in blocks:
                pending.append(pool.submit(work, block))
                if len(pending) > self._threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(torch_threads)


@contextmanager
def compressing(asked: Asked) -> Iterator[Work]:
    """Make ready to compress a file of any format, which is read within the window."""
    coder = StreamingCoder(asked.codec, asked.device, asked.point.packing)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", str(asked.data)) and not asked.data.exists():
        raise InputError(f"{asked.data}: URLs are read by `baler-energy prepare`; compress takes files.")
    request = replace(asked.request or Request(), columns=asked.codec.names)
    with open_source(asked.data, request, asked.file_format) as source:
        yield Work(
            operation=partial(coder.compress, source, asked.target),
            warm_up=partial(coder.compress, source, asked.target, asked.few),
            finish=lambda sizes: sizes,
            origin=source.origin,
            warnings=lambda: [
                *source.origin.get("warnings", ()),
                *lost_warning(sorted(coder.lost)),
                *_rounded_warning(sorted(coder.rounded)),
            ],
        )


@contextmanager
def decompressing(asked: Asked) -> Iterator[Work]:
    """Make ready to decompress to a file of the kind that was compressed, which is written within the window."""
    coder = StreamingCoder(asked.codec, asked.device)
    first = first_latents(asked.compressed, asked.few)
    yield Work(
        operation=partial(coder.decompress, asked.data, asked.target),
        warm_up=partial(coder.decode, first),
        finish=lambda rows: rows,
    )


def _rounded_warning(columns: list[str]) -> list[str]:
    words = "holds integers beyond 2^53, which float64 rounds"
    return [f"{', '.join(columns)}: {words}"] if columns else []


def _refuse(data: Floats, latents: NDArray[np.floating], first_row: int, checkpoint: Checkpoint) -> None:
    """Say which value a network makes no number of."""
    row = int(np.flatnonzero(~np.isfinite(latents).all(axis=1))[0])
    # NaN and infinity come first; else it is the value that is furthest out of the training's range.
    minimum, spread = checkpoint.normalisation.features
    with np.errstate(all="ignore"):
        distance = np.abs(data[row] - minimum) / np.where(spread > 0, spread, np.inf)
    column = int(np.argmax(np.where(np.isnan(distance), np.inf, distance)))
    raise InputError(
        f"Column {checkpoint.names[column]!r} has {data[row, column]} in row {first_row + row} (counted from 0), of "
        "which the network makes no number. Leave such rows out, or ask for a bound of the error (--packing "
        "bound-0.01), which keeps such values as they are."
    )


def _block_rows(rows: int | None) -> int:
    """Rows of a block of a table with so many rows (None: unknown), whatever the threads, so that files are alike."""
    return BLOCK_ROWS if rows is None else min(BLOCK_ROWS, max(LEAST_BLOCK_ROWS, -(-rows // BLOCKS)))


def _first(blocks: Iterator[Block], most_rows: int | None) -> Iterator[tuple[int, Block]]:
    """Blocks with the number of their first row, until there are so many rows; all of them where none is asked for."""
    rows = 0
    for block in blocks:
        yield rows, block
        rows += len(block.data)
        if most_rows is not None and rows >= most_rows:
            return


class _PerThread(local, Generic[T]):
    """Something with buffers of its own for each thread."""

    def __init__(self, make: Callable[[], T]) -> None:  # called anew in each thread that comes by
        self.here = make()


class _Layers:
    """Layers with buffers for a batch; values are (features, rows), in which products are a little faster."""

    def __init__(self, checkpoint: Checkpoint, prefix: str, device: torch.device) -> None:
        names = checkpoint.architecture.encoder if prefix == "en" else checkpoint.architecture.decoder
        parameters = checkpoint.parameters
        self.device = device
        self.dtype = DTYPES[checkpoint.precision]
        self.slope = checkpoint.architecture.negative_slope
        self.weights = [parameters[f"{name}.weight"].to(device, copy=True) for name in names]
        self.biases = [parameters[f"{name}.bias"].to(device, copy=True)[:, None] for name in names]
        self.batch_rows = BATCH_ROWS if device.type == "cpu" else BLOCK_ROWS
        widths = [len(bias) for bias in self.biases]
        self.buffers = [torch.empty(width, self.batch_rows, dtype=self.dtype, device=device) for width in widths]

    def passed(self, values: Tensor) -> Tensor:
        """Pass a batch (inputs, rows) through; the result (outputs, rows) is overwritten by the next one."""
        last = len(self.weights) - 1
        for number, (weight, bias, buffer) in enumerate(zip(self.weights, self.biases, self.buffers, strict=True)):
            output = buffer[:, : values.shape[1]]
            torch.addmm(bias, weight, values, out=output)
            values = output if number == last else leaky_relu_(output, self.slope)
        return values


class _Encoder(_Layers):
    """Values to latents."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, "en", device)
        self.minimum, spread = checkpoint.normalisation.features
        # What was constant in training is 0, whatever its value.
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        self.scale = None if _foldable(spread) else scale
        if self.scale is None:
            folded = self.weights[0].double() * torch.from_numpy(scale).to(device)
            self.weights[0] = folded.to(self.dtype)
        self.rows = torch.empty(self.batch_rows, len(spread), dtype=self.dtype)

    def __call__(self, data: Floats) -> NDArray[np.floating]:
        latents = torch.empty(len(data), len(self.biases[-1]), dtype=self.dtype)
        # What overflows makes latents that are no numbers, which the caller finds.
        with torch.inference_mode(), np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(data), self.batch_rows):
                stop = min(start + self.batch_rows, len(data))
                rows = self.rows[: stop - start]
                if self.scale is None:
                    np.subtract(data[start:stop], self.minimum, out=rows.numpy(), casting="same_kind")
                else:
                    rows.numpy()[:] = (data[start:stop] - self.minimum) * self.scale
                latents[start:stop] = self.passed(rows.to(self.device).t()).t()
        return latents.numpy()


class _Decoder(_Layers):
    """Latents to values."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        super().__init__(checkpoint, "de", device)
        self.minimum, self.spread = (
            torch.from_numpy(row.copy()).to(device) for row in checkpoint.normalisation.features
        )
        self.folded = _foldable(checkpoint.normalisation.features[1])
        if self.folded:
            spread = self.spread[:, None]
            self.weights[-1] = (self.weights[-1].double() * spread).to(self.dtype)
            self.biases[-1] = (self.biases[-1].double() * spread).to(self.dtype)

    def __call__(self, latents: NDArray[np.floating]) -> Floats:
        data = torch.empty(len(latents), len(self.minimum), dtype=torch.float64)
        values = torch.from_numpy(latents if latents.flags.writeable else latents.copy())
        with torch.inference_mode():
            for start in range(0, len(latents), self.batch_rows):
                stop = min(start + self.batch_rows, len(latents))
                rows = self.passed(values[start:stop].to(self.device, self.dtype).t()).t()
                scaled = rows if self.folded else rows.double() * self.spread
                if self.device.type == "cpu":
                    torch.add(scaled, self.minimum, out=data[start:stop])
                else:
                    data[start:stop] = scaled + self.minimum
        return data.numpy()


def _foldable(spread: Floats) -> bool:
    """Whether weights times these ranges, or over them, stay well inside float32 and float64."""
    ranges = spread[spread > 0]
    return bool(((ranges > 1e-20) & (ranges < 1e20)).all())

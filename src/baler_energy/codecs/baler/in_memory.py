"""Compress and decompress tables with a trained autoencoder, in plain PyTorch: the engine ``reference``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baler_energy.codecs.baler.checkpoint import Checkpoint, checkpoint_of
from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.baler.runtimes.running import Half
from baler_energy.codecs.container import Reader, Sizes, StoredBlock, Writer
from baler_energy.codecs.corrections import Bound
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.fitted import check_columns, check_decoded, check_finite, finite_latents
from baler_energy.codecs.native import round_to_native
from baler_energy.codecs.normalisation import lost_warning
from baler_energy.codecs.packing import Packing
from baler_energy.damage import block_rows, naming
from baler_energy.data.table import Table

__all__ = ["BLOCK_ROWS", "InMemoryCodec", "checkpoint_of", "compressing", "decompressing", "write_latents"]

Floats = NDArray[np.float64]

#: Maximum rows of a block of the compressed file.
BLOCK_ROWS = 65_536


class InMemoryCodec:
    """Compresses and decompresses tables in memory with a checkpoint.

    Time is linear in the rows; memory is that of input and output, and one block.

    Parameters
    ----------
    checkpoint
        The trained codec.
    device
        Where to compute.
    batch_size
        Rows per batch; it only changes how results are rounded.
    packing
        How latents are stored: a value of the axis ``packing``.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, batch_size: int, packing: str = "none") -> None:
        self.checkpoint = checkpoint
        self._batch_size = batch_size
        self._packing = packing
        model = checkpoint.model(device)
        self.encoder, self.decoder = (Half(model, half, checkpoint.precision, device) for half in ("en", "de"))

    def encode(self, data: Floats) -> NDArray[np.floating]:
        """Encode a table's values (rows, columns) to latents (rows, latent) in the codec's precision."""
        latents = np.empty((len(data), self.checkpoint.architecture.latent), dtype=self.checkpoint.precision)
        start = 0
        for rows in self._normalised(data):
            latents[start : start + len(rows)] = self.encoder.apply(rows)
            start += len(rows)
        return latents

    def decode(self, latents: NDArray[np.floating]) -> Floats:
        """Decode latents (rows, latent) to values (rows, columns) float64, not yet rounded to the native types."""
        data = np.empty((len(latents), self.checkpoint.architecture.columns))
        start = 0
        for batch in self._batches(latents):
            scaled = self.decoder.apply(batch).astype(np.float64, copy=False)
            data[start : start + len(scaled)] = self.checkpoint.normalisation.restore(scaled)
            start += len(scaled)
        return data

    def start(self, asked: Asked, halves: Iterable[Half]) -> None:
        """Let the runtime of a point compute the encoder, the decoder or both, unless it is PyTorch itself."""
        runtime = runtime_of(asked.point.runtime)
        for half in halves:
            if runtime is not None:
                half.start(str(asked.point.runtime), runtime, self._batch_size, asked.threads)

    def encoding_facts(self, table: Table) -> Mapping[str, float | str | None]:
        """Return the facts of the encoder's runtime for a table; see `Half.facts`."""
        return self.encoder.facts(self._normalised(table.data))

    def decoding_facts(self, path: Path) -> Mapping[str, float | str | None]:
        """Return the facts of the decoder's runtime for a compressed file; see `Half.facts`."""
        return self.decoder.facts(batch for block in Reader(path).blocks() for batch in self._batches(block.latents))

    def _normalised(self, data: Floats) -> Iterator[Floats]:
        return map(self.checkpoint.normalisation.normalise, self._batches(data))

    def _batches(self, values: NDArray[Any]) -> Iterator[NDArray[Any]]:
        for start in range(0, len(values), self._batch_size):
            yield values[start : start + self._batch_size]

    def compress(self, table: Table, path: Path) -> Sizes:
        """Encode a table in memory and write it to a compressed file.

        Raises
        ------
        InputError
            The table's columns differ from the training's, a latent is not finite (without a bound), or one exceeds the
            packing's number format.
        """
        check_columns(table.names, table.dtypes, self.checkpoint)
        packing = Packing.parse(self._packing)
        bound = Bound.of(self.checkpoint, packing)
        with Writer(path, Facts.of(self.checkpoint, self._packing, table.origin)) as writer:
            for start in range(0, len(table.data), step := _step(table.names)):
                rows = table.data[start : start + step]
                latents = self.encode(rows)
                latents = finite_latents(latents, rows, self.checkpoint, start, corrected=bound is not None)
                reduced = packing.reduced((latents,))
                corrections = bound.corrections(rows, self.decode(*reduced.arrays)) if bound else None
                writer.write(StoredBlock(reduced.arrays, corrections, steps=reduced.steps, packed=reduced.packed))
        return Sizes.of(writer, len(table.data))

    def decompress(self, path: Path) -> Table:
        """Read a compressed file and decode it to a table in memory, values rounded to the columns' native types.

        Raises
        ------
        InputError
            The file is damaged or was written with another checkpoint, or a decoded value is not finite.
        """
        content = Reader(path)
        facts = content.facts
        facts.check_made_with(self.checkpoint, path)
        bound, start = Bound.of(self.checkpoint, Packing.parse(facts.packing)), 0
        data = np.empty((content.rows, len(facts.names)))
        for block in content.blocks():
            rows = data[start : start + len(block.latents)]
            rows[:] = self.decode(block.latents)
            if bound and block.corrections:
                bound.restore(rows, block.corrections)
            else:
                with naming(path):
                    check_decoded(rows, self.checkpoint, start)
                round_to_native(rows, facts.dtypes)
            start += len(rows)
        return Table(data, facts.names, facts.dtypes, {**facts.origin, "reconstructed_from": path.name})


@contextmanager
def compressing(asked: Asked) -> Iterator[Work]:
    """Set up compression of a table in memory."""
    table, checkpoint = asked.read_table(), checkpoint_of(asked)
    codec = InMemoryCodec(checkpoint, asked.device, asked.point.batch_size, asked.point.packing)
    # Corrections for a bound need what will be decoded.
    bounded = Packing.parse(asked.point.packing).bound is not None
    if not bounded:
        # Not all runtimes compute NaN from NaN.
        check_finite(table.data, checkpoint)
    codec.start(asked, [codec.encoder, *([codec.decoder] if bounded else [])])
    few = table.first(asked.warm_up_rows)

    def warnings() -> list[str]:
        minimum, constant = checkpoint.normalisation.features[0], checkpoint.normalisation.constant
        lost = [table.names[n] for n in np.flatnonzero(constant) if (table.data[:, n] != minimum[n]).any()]
        return lost_warning(lost)

    yield Work(
        operation=partial(codec.compress, table, asked.target),
        warm_up=partial(codec.compress, few, asked.target),
        finish=lambda sizes: sizes,
        origin=table.origin,
        dtypes=table.dtypes,
        warnings=warnings,
        facts=lambda _: codec.encoding_facts(table),
    )


@contextmanager
def decompressing(asked: Asked) -> Iterator[Work]:
    """Set up decompression to a table in memory, which is written after the window."""
    checkpoint, content = checkpoint_of(asked), asked.compressed
    content.facts.check_made_with(checkpoint, asked.data)
    codec = InMemoryCodec(checkpoint, asked.device, asked.point.batch_size)
    codec.start(asked, [codec.decoder])

    def finish(table: Table) -> int:
        table.write(asked.target)
        return len(table.data)

    (first,) = content.first(asked.warm_up_rows)
    yield Work(
        operation=partial(codec.decompress, asked.data),
        warm_up=partial(codec.decode, first),
        finish=finish,
        facts=lambda _: codec.decoding_facts(asked.data),
    )


def write_latents(
    path: Path, latents: NDArray[np.floating], checkpoint: Checkpoint, origin: Mapping[str, Any]
) -> Sizes:
    """Write latents (rows, latent) in the codec's precision to a compressed file, without packing."""
    with Writer(path, Facts.of(checkpoint, "none", origin)) as writer:
        for start in range(0, len(latents), step := _step(checkpoint.names)):
            writer.write(StoredBlock((latents[start : start + step],)))
    return Sizes.of(writer, len(latents))


def _step(names: Sequence[str]) -> int:
    """Rows of a block of a table with these columns."""
    return min(BLOCK_ROWS, block_rows(len(names)))

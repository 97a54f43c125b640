"""Compress and decompress tables with a trained autoencoder, in plain PyTorch: the engine ``reference``."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baler_energy.codecs.baler.checkpoint import Checkpoint, checkpoint_of
from baler_energy.codecs.baler.model import DTYPES
from baler_energy.codecs.container import Reader, Sizes, StoredBlock, Writer
from baler_energy.codecs.corrections import Bound
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.fitted import check_columns
from baler_energy.codecs.native import round_to_native
from baler_energy.codecs.normalisation import lost_warning
from baler_energy.codecs.packing import Packing
from baler_energy.data.table import Table

__all__ = ["BLOCK_ROWS", "Coder", "compressing", "decompressing", "write_latents"]

Floats = NDArray[np.float64]

#: Rows of a block of the compressed file.
BLOCK_ROWS = 65_536


class Coder:
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
        self._device = device
        self._batch_size = batch_size
        self._packing = packing
        self._model = checkpoint.model(device)

    def encode(self, data: Floats) -> NDArray[np.floating]:
        """Encode a table's values (rows, columns) to latents (rows, latent) in the codec's precision."""
        precision = self.checkpoint.precision
        latents = np.empty((len(data), self.checkpoint.architecture.latent), dtype=precision)
        with torch.no_grad():
            for start in range(0, len(data), self._batch_size):
                rows = self.checkpoint.normalisation.normalise(data[start : start + self._batch_size])
                batch = torch.as_tensor(rows, dtype=DTYPES[precision], device=self._device)
                latents[start : start + len(rows)] = self._model.encode(batch).cpu().numpy()
        return latents

    def decode(self, latents: NDArray[np.floating]) -> Floats:
        """Decode latents (rows, latent) to values (rows, columns) float64, not yet rounded to the native types."""
        data = np.empty((len(latents), self.checkpoint.architecture.columns))
        dtype = DTYPES[self.checkpoint.precision]
        with torch.no_grad():
            for start in range(0, len(latents), self._batch_size):
                batch = torch.as_tensor(latents[start : start + self._batch_size], dtype=dtype, device=self._device)
                scaled = self._model.decode(batch).to("cpu", torch.float64).numpy()
                data[start : start + len(scaled)] = self.checkpoint.normalisation.restore(scaled)
        return data

    def compress(self, table: Table, path: Path) -> Sizes:
        """Encode a table in memory and write it to a compressed file.

        Raises
        ------
        InputError
            The table's columns differ from the training's, or a latent exceeds the packing's number format.
        """
        check_columns(table.names, table.dtypes, self.checkpoint)
        packing = Packing.parse(self._packing)
        bound = Bound.of(self.checkpoint, packing)
        with Writer(path, Facts.of(self.checkpoint, self._packing, table.origin)) as writer:
            for start in range(0, len(table.data), BLOCK_ROWS):
                rows = table.data[start : start + BLOCK_ROWS]
                (latents,), steps = packing.reduced((self.encode(rows),))
                corrections = bound.corrections(rows, self.decode(latents)) if bound else None
                writer.write(StoredBlock((latents,), corrections, steps=steps))
        return Sizes.of(writer, len(table.data))

    def decompress(self, path: Path) -> Table:
        """Read a compressed file and decode it to a table in memory, values rounded to the columns' native types.

        Raises
        ------
        InputError
            The file is damaged, or was written with another checkpoint.
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
                round_to_native(rows, facts.dtypes)
            start += len(rows)
        return Table(data, facts.names, facts.dtypes, {**facts.origin, "reconstructed_from": path.name})


@contextmanager
def compressing(asked: Asked) -> Iterator[Work]:
    """Set up compression of a table in memory."""
    table, codec = asked.read_table(), checkpoint_of(asked)
    coder = Coder(codec, asked.device, asked.point.batch_size, asked.point.packing)
    few = table.first(asked.few)

    def warnings() -> list[str]:
        minimum, constant = codec.normalisation.features[0], codec.normalisation.constant
        lost = [table.names[n] for n in np.flatnonzero(constant) if (table.data[:, n] != minimum[n]).any()]
        return lost_warning(lost)

    yield Work(
        operation=partial(coder.compress, table, asked.target),
        warm_up=partial(coder.compress, few, asked.target),
        finish=lambda sizes: sizes,
        origin=table.origin,
        dtypes=table.dtypes,
        warnings=warnings,
    )


@contextmanager
def decompressing(asked: Asked) -> Iterator[Work]:
    """Set up decompression to a table in memory, which is written after the window."""
    checkpoint, content = checkpoint_of(asked), asked.compressed
    content.facts.check_made_with(checkpoint, asked.data)
    coder = Coder(checkpoint, asked.device, asked.point.batch_size)

    def finish(table: Table) -> int:
        table.write(asked.target)
        return len(table.data)

    (first,) = content.first(asked.few)
    yield Work(
        operation=partial(coder.decompress, asked.data),
        warm_up=partial(coder.decode, first),
        finish=finish,
    )


def write_latents(
    path: Path, latents: NDArray[np.floating], checkpoint: Checkpoint, origin: Mapping[str, Any]
) -> Sizes:
    """Write latents (rows, latent) in the codec's precision to a compressed file, without packing."""
    with Writer(path, Facts.of(checkpoint, "none", origin)) as writer:
        for start in range(0, len(latents), BLOCK_ROWS):
            writer.write(StoredBlock((latents[start : start + BLOCK_ROWS],)))
    return Sizes.of(writer, len(latents))

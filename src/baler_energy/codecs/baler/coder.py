"""Compress and decompress tables with a trained autoencoder, in plain PyTorch."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.container import Compressed, read_compressed, write_compressed
from baler_energy.codecs.baler.model import DTYPES
from baler_energy.codecs.baler.native import round_to_native
from baler_energy.data.table import Table
from baler_energy.errors import InputError

__all__ = ["Coder"]

Floats = NDArray[np.float64]


class Coder:
    """A checkpoint made ready on a device.

    Time is linear in the rows, and beyond input and output only a batch is held.

    Parameters
    ----------
    checkpoint
        The trained codec.
    device
        Where to compute.
    batch_size
        Rows per batch; it changes the result by rounding only.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device, batch_size: int) -> None:
        self.checkpoint = checkpoint
        self._device = device
        self._batch_size = batch_size
        self._model = checkpoint.model(device)

    def encode(self, data: Floats) -> NDArray[np.floating]:
        """Latents (rows, latent), in the codec's precision, of a table's values (rows, columns)."""
        precision = self.checkpoint.precision
        latents = np.empty((len(data), self.checkpoint.architecture.latent), dtype=precision)
        with torch.no_grad():
            for start in range(0, len(data), self._batch_size):
                rows = self.checkpoint.normalisation.normalise(data[start : start + self._batch_size])
                batch = torch.as_tensor(rows, dtype=DTYPES[precision], device=self._device)
                latents[start : start + len(rows)] = self._model.encode(batch).cpu().numpy()
        return latents

    def decode(self, latents: NDArray[np.floating]) -> Floats:
        """Values (rows, columns) float64 of latents (rows, latent), not yet rounded to the native types."""
        data = np.empty((len(latents), self.checkpoint.architecture.columns))
        with torch.no_grad():
            for start in range(0, len(latents), self._batch_size):
                batch = torch.from_numpy(latents[start : start + self._batch_size]).to(self._device)
                scaled = self._model.decode(batch).to("cpu", torch.float64).numpy()
                data[start : start + len(scaled)] = self.checkpoint.normalisation.restore(scaled)
        return data

    def compress(self, table: Table, path: Path) -> None:
        """Encode a table in memory and write it to a compressed file.

        Raises
        ------
        InputError
            The table's columns are not those of the training.
        """
        _check_columns(table, self.checkpoint)
        content = Compressed(
            self.encode(table.data),
            self.checkpoint.names,
            self.checkpoint.dtypes,
            self.checkpoint.normalisation,
            self.checkpoint.content_hash,
            {key: table.origin[key] for key in ("source", "label") if key in table.origin},
        )
        write_compressed(path, content)

    def decompress(self, path: Path) -> Table:
        """Read a compressed file and decode it to a table in memory, values rounded to the columns' native types.

        Raises
        ------
        InputError
            The file is damaged, or was written with another checkpoint.
        """
        content = read_compressed(path)
        self.check(content, path)
        data = self.decode(content.latents)
        round_to_native(data, content.dtypes)
        return Table(data, content.names, content.dtypes, {**content.origin, "reconstructed_from": path.name})

    def check(self, content: Compressed, path: Path) -> None:
        """Refuse what was compressed with another checkpoint; `path` is for the message.

        Raises
        ------
        InputError
            It was.
        """
        if content.checkpoint_hash != self.checkpoint.content_hash:
            raise InputError(
                f"{path}: was compressed with another checkpoint (its SHA-256 begins {content.checkpoint_hash[:12]}, "
                f"this one's {self.checkpoint.content_hash[:12]}). Give the checkpoint of that training."
            )


def _check_columns(table: Table, checkpoint: Checkpoint) -> None:
    trained = checkpoint.names
    if len(table.names) != len(trained):
        raise InputError(f"The table has {len(table.names)} columns, but the checkpoint was trained on {len(trained)}.")
    for number, (name, expected) in enumerate(zip(table.names, trained, strict=True)):
        if name != expected:
            raise InputError(f"Column {number} is {name!r}, but the checkpoint was trained on {expected!r} there.")
    for name, dtype, expected in zip(trained, table.dtypes, checkpoint.dtypes, strict=True):
        if dtype != expected:
            raise InputError(f"Column {name!r} is {dtype}, but {expected} in the training: prepare both alike.")

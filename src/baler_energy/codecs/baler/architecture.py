"""Layer widths of Baler's autoencoder, and what they imply: parameters and operations."""

import math
from dataclasses import dataclass
from itertools import pairwise

from baler_energy.errors import InputError

__all__ = ["HIDDEN", "Architecture", "latent_columns"]

#: Widths of the hidden layers of the encoder; the decoder mirrors them.
HIDDEN = (200, 100, 50)


@dataclass(frozen=True)
class Architecture:
    """The fully connected autoencoder ``columns-200-100-50-latent`` and back.

    Parameters
    ----------
    columns
        Columns of the table.
    latent
        Columns of the latent space.

    Raises
    ------
    InputError
        A width is below 1, or there are more latent columns than columns.
    """

    columns: int
    latent: int

    def __post_init__(self) -> None:
        if not 1 <= self.latent <= self.columns:
            raise InputError(
                f"An autoencoder of {self.columns} columns and {self.latent} latent columns makes no sense: "
                "latent columns are 1 up to the number of columns."
            )

    @property
    def encoder(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each layer of the encoder, by Baler's names en1 to en4."""
        return _layers("en", (self.columns, *HIDDEN, self.latent))

    @property
    def decoder(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each layer of the decoder, by Baler's names de1 to de4."""
        return _layers("de", (self.latent, *reversed(HIDDEN), self.columns))

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(n * m + m for n, m in (*self.encoder.values(), *self.decoder.values()))

    @property
    def encode_macs(self) -> int:
        """Multiply-accumulates of encoding a row: its matrix products; a FLOP count is twice this."""
        return _macs(self.encoder)

    @property
    def decode_macs(self) -> int:
        """Multiply-accumulates of decoding a row."""
        return _macs(self.decoder)

    @property
    def training_macs(self) -> int:
        """Multiply-accumulates of a training step per row.

        Forward once; backward once for the weights and once for the inputs of each layer but the first, whose inputs
        are data. 24 columns and 12 latent ones give 177,600, or 355,200 FLOP.
        """
        return 3 * (self.encode_macs + self.decode_macs) - self.columns * HIDDEN[0]


def latent_columns(columns: int, compression_ratio: float) -> int:
    """Latent columns for a compression ratio: ``ceil(columns / ratio)``.

    A quotient within 1e-9 (relative) of a whole number is taken as that number, so that the rounding of the division
    or of a ratio that was itself computed as columns / latent adds no column.

    Parameters
    ----------
    columns
        Columns of the table, at least 1.
    compression_ratio
        At least 1 (1: as many latent columns as columns); above the number of columns there is one latent column.

    Raises
    ------
    InputError
        A value is out of range.
    """
    if columns < 1:
        raise InputError(f"A table needs at least one column; this one has {columns}.")
    if not (math.isfinite(compression_ratio) and compression_ratio >= 1):
        raise InputError(
            f"compression ratio {compression_ratio} is not allowed: give a number of 1 or more, such as 2."
        )
    quotient = columns / compression_ratio
    nearest = round(quotient)
    if nearest >= 1 and math.isclose(quotient, nearest, rel_tol=1e-9):
        return nearest
    return math.ceil(quotient)


def _layers(prefix: str, widths: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    return {f"{prefix}{number}": pair for number, pair in enumerate(pairwise(widths), start=1)}


def _macs(layers: dict[str, tuple[int, int]]) -> int:
    return sum(n * m for n, m in layers.values())

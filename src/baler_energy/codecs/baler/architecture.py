"""Layer widths of Baler's autoencoder, and the parameters and operations that follow from them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from baler_energy.errors import InputError

__all__ = ["Architecture", "Network", "latent_columns", "network"]

#: Widths of the hidden layers of Baler's encoder; the decoder mirrors them.
_HIDDEN = (200, 100, 50)
#: Slope of the leaky ReLU below zero: PyTorch's default, which Baler uses.
_NEGATIVE_SLOPE = 0.01

_NARROWEST, _WIDEST, _DEEPEST = 1, 100_000, 32


@dataclass(frozen=True)
class Network:
    """A model, for any table; parameters as for `Architecture`."""

    hidden: tuple[int, ...] = _HIDDEN
    negative_slope: float = _NEGATIVE_SLOPE
    skip: bool = False

    @property
    def name(self) -> str:
        """The value of the axis ``model``."""
        widths = "-".join(map(str, self.hidden))
        return next((name for name, known in _NAMED.items() if known == self), f"{'skip-' * self.skip}{widths}")

    def fits_into(self, other: "Network") -> bool:
        """Whether only its widths differ from the other network's, and none is larger."""
        if len(self.hidden) != len(other.hidden) or replace(self, hidden=other.hidden) != other:
            return False
        return all(map(int.__le__, self.hidden, other.hidden))

    def sized(self, columns: int, latent: int) -> "Architecture":
        """Give the network for a table's columns and a number of latent columns."""
        return Architecture(columns, latent, self.hidden, self.negative_slope, self.skip)


#: Networks by name: Baler's dense autoencoder, and its small one for FPGAs.
_NAMED = {"baler": Network(), "baler-small": Network((20, 10), 0.0)}


def network(model: str) -> Network:
    """Read a value of the axis ``model``.

    Parameters
    ----------
    model
        ``baler``; ``baler-small``; ``baler-x0.5``, Baler's widths times a factor (rounded, at least 1); the widths of
        the encoder's hidden layers, such as ``128-64-32``; or ``skip-64``, widths with a linear skip.

    Raises
    ------
    InputError
        The model is not supported.
    """
    if model in _NAMED:
        return _NAMED[model]
    scaled = re.fullmatch(r"baler-x(\d{1,4}(?:\.\d{1,4})?)", model)
    widths = [max(1, round(width * float(scaled[1]))) for width in _HIDDEN] if scaled and float(scaled[1]) > 0 else []
    listed = re.fullmatch(r"(skip-)?(\d{1,6}(?:-\d{1,6})*)", model)
    if listed:
        widths = [int(width) for width in listed[2].split("-")]
    if not widths or len(widths) > _DEEPEST or not all(_NARROWEST <= width <= _WIDEST for width in widths):
        raise InputError(
            f"model {model!r} is not supported: use baler, baler-small, a factor on its widths such as baler-x0.5, "
            f"widths such as 128-64-32 (up to {_DEEPEST} layers of {_NARROWEST} to {_WIDEST:,}), or widths with a skip "
            "such as skip-64."
        )
    return Network(tuple(widths), skip=bool(listed and listed[1]))


@dataclass(frozen=True)
class Architecture:
    """A fully connected autoencoder, by default ``columns-200-100-50-latent`` and back.

    Parameters
    ----------
    columns
        Columns of the table.
    latent
        Columns of the latent space.
    hidden
        Widths of the encoder's hidden layers; the decoder mirrors them.
    negative_slope
        Slope below zero of the leaky ReLU after each hidden layer; 0 makes it a ReLU.
    skip
        Whether the last layer of the encoder also reads the columns, and that of the decoder the latent columns: a
        linear path past the hidden layers.

    Raises
    ------
    InputError
        A width is below 1, or there are more latent columns than columns.
    """

    columns: int
    latent: int
    hidden: tuple[int, ...] = _HIDDEN
    negative_slope: float = _NEGATIVE_SLOPE
    skip: bool = False

    @classmethod
    def of(cls, model: str, columns: int, compression_ratio: float) -> "Architecture":
        """Build it from a value of the axis ``model`` and a compression ratio.

        Raises
        ------
        InputError
            The model is not supported.
        """
        return network(model).sized(columns, latent_columns(columns, compression_ratio))

    def __post_init__(self) -> None:
        if not 1 <= self.latent <= self.columns:
            raise InputError(
                f"An autoencoder of {self.columns} columns cannot have {self.latent} latent columns: use 1 up to the "
                "number of columns."
            )

    @property
    def network(self) -> Network:
        """The model, without the widths of a table."""
        return Network(self.hidden, self.negative_slope, self.skip)

    @property
    def encoder(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each layer of the encoder, by Baler's names en1, en2, ...

        With a skip, the last layer's inputs are the hidden units and then the columns.
        """
        return _layers("en", (self.columns, *self.hidden, self.latent), self.skip)

    @property
    def decoder(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each layer of the decoder, by Baler's names de1, de2, ..."""
        return _layers("de", (self.latent, *reversed(self.hidden), self.columns), self.skip)

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(n * m + m for n, m in (*self.encoder.values(), *self.decoder.values()))

    @property
    def encode_macs(self) -> int:
        """Multiply-accumulates of the matrix products that encode a row; the FLOP count is twice this."""
        return _macs(self.encoder)

    @property
    def decode_macs(self) -> int:
        """Multiply-accumulates of decoding a row."""
        return _macs(self.decoder)

    @property
    def training_macs(self) -> int:
        """Multiply-accumulates of a training step per row.

        Each layer counts once forward and twice backward, for its weights and for its inputs; the first layer's inputs
        are data and need no gradient. The columns that a skip reads are data, too, but their gradient is computed
        together with that of the hidden units, so it counts. 24 columns and 12 latent columns give 177,600, or 355,200
        FLOP.
        """
        return 3 * (self.encode_macs + self.decode_macs) - self.columns * self.hidden[0]

    @property
    def encode_outputs(self) -> int:
        """Numbers that the encoder's layers put out per row, the latent columns included."""
        return sum(outputs for _, outputs in self.encoder.values())

    @property
    def decode_outputs(self) -> int:
        """Numbers that the decoder's layers put out per row, the columns included."""
        return sum(outputs for _, outputs in self.decoder.values())

    def training_results(self, losses: Sequence[float], rows: int) -> dict[str, str | int | float | bool | None]:
        """Give the record's entries for a training on `rows` rows, from the epochs' losses."""
        macs = self.training_macs * rows * len(losses)
        return {
            "final_loss": losses[-1],
            "epochs_run": len(losses),
            "parameters": self.parameters,
            "macs": macs,
            "flops": 2 * macs,
        }


def latent_columns(columns: int, compression_ratio: float) -> int:
    """Latent columns for a compression ratio: ``ceil(columns / ratio)``.

    A quotient within 1e-9 (relative) of a whole number counts as that number. Otherwise rounding, in the division or in
    a ratio that was computed as columns / latent, could add a column.

    Parameters
    ----------
    columns
        Columns of the table, at least 1.
    compression_ratio
        A value of the parameter (1: as many latent columns as columns). Above the number of columns there is one latent
        column.

    Raises
    ------
    InputError
        There is no column.
    """
    if columns < 1:
        raise InputError(f"A table needs at least one column; this one has {columns}.")
    quotient = columns / compression_ratio
    nearest = round(quotient)
    if nearest >= 1 and math.isclose(quotient, nearest, rel_tol=1e-9):
        return nearest
    return math.ceil(quotient)


def _layers(prefix: str, widths: tuple[int, ...], skip: bool) -> dict[str, tuple[int, int]]:
    pairs = list(pairwise(widths))
    if skip:
        inputs, outputs = pairs[-1]
        pairs[-1] = inputs + widths[0], outputs
    return {f"{prefix}{number}": pair for number, pair in enumerate(pairs, start=1)}


def _macs(layers: dict[str, tuple[int, int]]) -> int:
    return sum(n * m for n, m in layers.values())

"""The interface of a codec that is ready to encode tables with its columns."""

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.bound import bound_word
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.errors import InputError

__all__ = ["Fitted", "check_columns", "check_decoded", "check_finite", "finite_latents"]


class Fitted(Protocol):
    """A codec that has been trained, or needs no training."""

    @property
    def transform(self) -> str:
        """A value of the axis ``transform``."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def dtypes(self) -> tuple[str, ...]:
        """NumPy's names of the columns' native types."""
        ...

    @property
    def normalisation(self) -> Normalisation | None:
        """Features of the training table; None if there was no training."""
        ...

    @property
    def precision(self) -> str:
        """Number format of the latents as computed."""
        ...

    @property
    def latent(self) -> int | None:
        """Number of latent columns; None if the table's own columns are stored, each in its own type."""
        ...

    @property
    def content_hash(self) -> str | None:
        """SHA-256 of the trained codec; None if there was no training."""
        ...


def check_columns(names: Sequence[str], dtypes: Sequence[str], fitted: Fitted) -> None:
    """Refuse a table whose columns differ from the training's.

    Raises
    ------
    InputError
        Their number, a name or a native type differs.
    """
    trained = fitted.names
    if len(names) != len(trained):
        raise InputError(f"The table has {len(names)} columns, but the checkpoint was trained on {len(trained)}.")
    for number, (name, expected) in enumerate(zip(names, trained, strict=True)):
        if name != expected:
            raise InputError(
                f"Column {number} is {name!r}, but the checkpoint was trained with {expected!r} in this place."
            )
    for name, dtype, expected in zip(trained, dtypes, fitted.dtypes, strict=True):
        if dtype != expected:
            raise InputError(f"Column {name!r} is {dtype}, but {expected} in training: prepare both in the same way.")


def check_finite(data: NDArray[np.float64], fitted: Fitted) -> None:
    """Refuse a table (rows, columns) with NaN or infinity, which a network spreads over the whole row.

    Raises
    ------
    InputError
        It has; the message names the column and the row.
    """
    if not np.isfinite(data).all():
        _refuse_row(data, int(np.argmin(np.isfinite(data).all(axis=1))), fitted)


def finite_latents(
    latents: NDArray[Any], data: NDArray[np.float64], fitted: Fitted, first_row: int, *, corrected: bool
) -> NDArray[np.floating]:
    """Refuse latents that are not finite, unless corrections restore their rows: their latents become 0.

    Parameters
    ----------
    latents, data
        Latents (rows, latent), and the values (rows, columns) that they encode.
    fitted, first_row
        The codec, and the number of the first of these rows.
    corrected
        Whether corrections keep every value within a bound.

    Raises
    ------
    InputError
        A latent is NaN or infinite; the message names the column and the row that gave it.
    """
    if np.isfinite(latents.sum()) or np.isfinite(latents).all():
        return latents
    if not corrected:
        _refuse_row(data, int(np.argmin(np.isfinite(latents).all(axis=1))), fitted, first_row)
    zeroed: NDArray[np.floating] = np.nan_to_num(latents, nan=0.0, posinf=0.0, neginf=0.0)
    return zeroed


def check_decoded(data: NDArray[np.float64], fitted: Fitted, first_row: int) -> None:
    """Refuse decoded values (rows, columns) that are not finite, as a decoder gives for rows unlike its training's.

    Raises
    ------
    InputError
        One is NaN or infinite; the message names the column and the row, counted from `first_row`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(data.sum()):
            return
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"Column {fitted.names[column]!r} cannot be decoded in row {first_row + row} (counting from 0), where the "
            "decoder overflows. Compress the original again without such rows, or with an error bound (--packing "
            f"{bound_word(0.01)}), which keeps their values."
        )


def _refuse_row(data: NDArray[np.float64], row: int, fitted: Fitted, first_row: int = 0) -> NoReturn:
    """Report which value of a row cannot be encoded."""
    # NaN and infinity come first; then the value that is most ranges away from its column's minimum.
    assert fitted.normalisation is not None
    minimum, column_range = fitted.normalisation.features
    with np.errstate(all="ignore"):
        distance = np.abs(data[row] - minimum) / np.where(column_range > 0, column_range, np.inf)
    column = int(np.argmax(np.where(np.isfinite(data[row]), np.nan_to_num(distance), np.inf)))
    raise InputError(
        f"Column {fitted.names[column]!r} has {data[row, column]} in row {first_row + row} (counting from 0), which "
        f"cannot be encoded. Remove such rows, or set an error bound (--packing {bound_word(0.01)}), which keeps such "
        "values unchanged."
    )

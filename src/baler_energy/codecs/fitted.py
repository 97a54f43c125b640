"""The interface of a codec that is ready to encode tables with its columns."""

from collections.abc import Sequence
from typing import Protocol

from baler_energy.codecs.normalisation import Normalisation
from baler_energy.errors import InputError

__all__ = ["Fitted", "check_columns"]


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

"""The metadata of a compressed file, and the arrays in its blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from baler_energy.codecs.coders.base import Like, Steps
from baler_energy.codecs.fitted import Fitted
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.precisions import NUMBER_TYPES
from baler_energy.errors import InputError
from baler_energy.variants import FORMATS, PREPARED

__all__ = ["Facts"]


@dataclass(frozen=True, eq=False)
class Facts:
    """The metadata of a compressed file.

    Parameters
    ----------
    names, dtypes
        Names and native types (NumPy names) of the columns. Integer columns are decoded to integers.
    normalisation
        Features of the training table; None if there was no training.
    checkpoint_hash
        `Fitted.content_hash` of the checkpoint that decodes it; None: no checkpoint is needed.
    latent
        Number of latent columns; None: the table's columns are stored, each in its own type.
    precision
        Precision of the arithmetic that computed the latents.
    packing
        How numbers are stored: a value of the axis ``packing``.
    origin
        What the table is (``source`` and ``label`` of `Table.origin`), so that toy data stays labelled.
    layout
        Format of the original file; decompression writes a file of the same format.
    transform
        A value of the axis ``transform``.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    normalisation: Normalisation | None
    checkpoint_hash: str | None
    latent: int | None
    precision: str = "float64"
    packing: str = "none"
    origin: Mapping[str, Any] = field(default_factory=dict)
    layout: Mapping[str, Any] = field(default_factory=dict)
    transform: str = "baler"

    @classmethod
    def of(
        cls, fitted: Fitted, packing: str, origin: Mapping[str, Any], layout: Mapping[str, Any] | None = None
    ) -> Self:
        """Collect the metadata of a file that this codec compresses."""
        return cls(
            fitted.names,
            fitted.dtypes,
            fitted.normalisation,
            fitted.content_hash,
            fitted.latent,
            fitted.precision,
            packing,
            {key: origin[key] for key in ("source", "label") if key in origin},
            layout or {},
            fitted.transform,
        )

    def __post_init__(self) -> None:
        columns = len(self.names) if self.normalisation is None else self.normalisation.features.shape[1]
        if not len(self.names) == len(self.dtypes) == columns:
            raise ValueError(f"{columns} columns, {len(self.names)} names, {len(self.dtypes)} types")
        if len(set(self.names)) < columns:
            raise ValueError("two columns have the same name")
        for dtype in self.dtypes:
            if np.dtype(dtype).kind not in "fiub":
                raise ValueError(f"type {dtype!r}")
        if self.precision not in NUMBER_TYPES:
            raise ValueError(f"precision {self.precision!r}")
        if self.latent is not None and not (isinstance(self.latent, int) and 1 <= self.latent <= columns):
            raise ValueError(f"{self.latent} latent columns of {columns}")
        if self.layout and self.layout.get("format") not in FORMATS:
            raise ValueError(f"layout {self.layout}")
        if not all(isinstance(value, str) for value in self.origin.values()):
            raise ValueError(f"origin {self.origin}")

    def check_made_with(self, fitted: Fitted, path: Path) -> None:
        """Refuse a file that was compressed with another codec; `path` is the file.

        Raises
        ------
        InputError
            The transform or the checkpoint differs; or the file is damaged, as its columns are not the checkpoint's.
        """
        if self.transform != fitted.transform:
            raise InputError(
                f"{path}: was compressed with transform {self.transform!r}, not {fitted.transform!r}. Use --transform "
                f"{self.transform}."
            )
        if self.checkpoint_hash != fitted.content_hash:
            raise InputError(
                f"{path}: was compressed with another checkpoint (SHA-256 {str(self.checkpoint_hash)[:12]}..., not "
                f"{str(fitted.content_hash)[:12]}...). Use the checkpoint that it was compressed with."
            )
        own, others = ((one.names, one.dtypes, one.latent, one.precision) for one in (self, fitted))
        if own != others:
            raise InputError(
                f"{path}: is damaged: its columns, number types or latents are not those of the checkpoint that it was "
                "compressed with. Compress again, or use an intact copy."
            )

    def memory_b(self, rows: int, events: int) -> int:
        """Return the size in memory (B) of a block of `rows` rows and `events` events, when it is decoded."""
        return 8 * rows * len(self.names) + 4 * events

    def arrays(self, rows: int) -> list[tuple[str, str, tuple[int, ...]]]:
        """Return name, number type and shape of each array in a block of `rows` rows."""
        if self.latent is not None:
            return [("latents", self.stored_format, (rows, self.latent))]
        packing = Packing.parse(self.packing)
        return [(f"column-{place:04}", packing.stored_type(dtype), (rows,)) for place, dtype in enumerate(self.dtypes)]

    def stored_arrays(self, rows: int) -> dict[str, Like]:
        """Return name, number type and shape of what a block of `rows` rows stores: `arrays`, or steps and integers."""
        numbers = Packing.parse(self.packing).numbers
        if not isinstance(numbers, Steps):
            return {name: (dtype, shape) for name, dtype, shape in self.arrays(rows)}
        codes = {f"code-{n:04}": (numbers.code_type(dtype), (rows,)) for n, dtype in enumerate(self.column_types)}
        return {"steps-of-columns": ("float64", (len(codes),)), **codes}

    @property
    def file_format(self) -> str:
        """Format of the original file; files of the engine ``reference`` or of an import hold a prepared table."""
        return str(self.layout.get("format", PREPARED))

    @property
    def column_types(self) -> list[str]:
        """Number type of each column, or of each latent."""
        return list(self.dtypes) if self.latent is None else [self.stored_format] * self.latent

    @property
    def stored_format(self) -> str:
        """Number format of the latents in the file."""
        numbers = Packing.parse(self.packing).numbers
        return self.precision if numbers is None else numbers.latent_type(self.precision)

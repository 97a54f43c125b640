"""Rounding of values to the columns' own number types."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["bounds", "round_to_native"]


def round_to_native(data: NDArray[np.float64], dtypes: Sequence[str]) -> None:
    """Round each column, in place, to the nearest value that its native type can hold.

    Integer columns are rounded (Baler truncates, which doubles the error) and clipped to the type's range; float32 and
    float16 columns are rounded to that precision.

    Parameters
    ----------
    data
        (rows, columns).
    dtypes
        NumPy's name of each column's type.
    """
    for name in set(dtypes) - {"float64"}:
        columns = [number for number, dtype in enumerate(dtypes) if dtype == name]
        native = np.dtype(name)
        low, high = bounds(name)
        if native.kind in "iu":
            # Of 64-bit integers, float64 rounds the largest one up; `formats.base.native` casts it back.
            high = float(np.iinfo(native).max)
        values = np.clip(data[:, columns], low, high)
        data[:, columns] = values.astype(native) if native.kind == "f" else np.rint(values)


def bounds(dtype: str) -> tuple[float, float]:
    """Smallest and largest float64 that a type can hold, so that a cast to it cannot overflow."""
    native = np.dtype(dtype)
    if native.kind == "f":
        return float(np.finfo(native).min), float(np.finfo(native).max)
    if native.kind == "b":
        return 0.0, 1.0
    limits = np.iinfo(native)
    highest = float(limits.max)
    # float64 cannot hold 2**63 - 1 and 2**64 - 1: the nearest float64 is outside the type's range.
    return float(limits.min), highest if int(highest) <= limits.max else float(np.nextafter(highest, 0.0))

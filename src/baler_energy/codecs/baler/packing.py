"""How a compressed file stores its latents: number format, lossless packing, and a bound of the error."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.errors import InputError

__all__ = ["FORMATS", "Packing", "pack", "unpack"]

#: Number formats of stored latents, with the bits of their mantissas (without the leading one).
FORMATS = {"float64": 52, "float32": 23, "float16": 10}
#: zstd's own range and default.
_LEVELS, _LEVEL = (1, 22), 3

_WORDS = (
    "give none, or some of these joined by a plus sign: a number format (float64, float32, float16), or float32 with "
    "fewer bits of mantissa (float32-12); zstd or zstd-19 (level); bound-0.01 (largest error over a column's range). "
    "Such as float32-12+zstd or zstd+bound-0.001"
)


@dataclass(frozen=True)
class Packing:
    """A value of the axis ``packing``.

    Parameters
    ----------
    number_format
        A key of `FORMATS`, or None: as computed.
    mantissa_bits
        Bits of the mantissa that are kept of float32, 1 to 22; None keeps all.
    zstd_level
        Level of the lossless packing, after a shuffle of the bytes; None stores the numbers as they are.
    error_bound
        Largest error of every value, over the range of its column in training; None: no bound.
    """

    number_format: str | None = None
    mantissa_bits: int | None = None
    zstd_level: int | None = None
    error_bound: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Packing":
        """Read a value of the axis.

        Raises
        ------
        InputError
            It is not one.
        """
        found: dict[str, str | int | float | None] = {}
        for word in [] if text == "none" else text.split("+"):
            for key, value in _read(word, text).items():
                if key in found:
                    raise InputError(f"packing {text!r}: {word!r} is the second of its kind; {_WORDS}.")
                found[key] = value
        return cls(**found)  # type: ignore[arg-type]

    def reduce(self, latents: NDArray[np.floating]) -> NDArray[np.floating]:
        """Give latents (rows, latent) in the number format that is stored, each rounded to the nearest.

        Raises
        ------
        InputError
            A latent is beyond the format.
        """
        if self.number_format is None:
            return latents
        with np.errstate(over="ignore"):
            reduced: NDArray[np.floating] = latents.astype(self.number_format)
        if self.mantissa_bits is not None:
            reduced = _shortened(reduced.astype(np.float32, copy=False), self.mantissa_bits)
        if not np.isfinite(reduced).all():
            raise InputError(
                f"packing: a latent of {np.abs(latents).max():.3g} is beyond {self.number_format} "
                f"(at most {np.finfo(self.number_format).max:.3g}). Take a wider number format."
            )
        return reduced


def pack(values: NDArray[Any], level: int = _LEVEL) -> bytes:
    """Pack an array losslessly: its bytes by their place in the number, then zstd.

    Bytes of the same place (all exponents, all last digits, ...) are alike, so that zstd finds more in them; the
    shuffle is that of HDF5 and Blosc.

    Parameters
    ----------
    values
        Of any shape and number format.
    level
        Of zstd.
    """
    import pyarrow as pa

    planes = np.ascontiguousarray(values).reshape(-1).view(np.uint8).reshape(-1, values.itemsize).T
    packed: bytes = pa.Codec("zstd", compression_level=level).compress(np.ascontiguousarray(planes), asbytes=True)
    return packed


def unpack(packed: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Undo `pack`.

    Raises
    ------
    ValueError
        The bytes are no such array.
    """
    import pyarrow as pa

    number = np.dtype(dtype)
    size = math.prod(shape) * number.itemsize
    try:
        planes = pa.Codec("zstd").decompress(packed, decompressed_size=size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"packed bytes are damaged ({error})") from error
    if len(planes) != size:
        raise ValueError(f"{len(planes)} bytes where {size} are expected")
    shuffled = np.frombuffer(planes, np.uint8).reshape(number.itemsize, -1)
    return np.ascontiguousarray(shuffled.T).view(number).reshape(shape)


def _shortened(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round float32 to the nearest number with so many bits of mantissa; infinity where that is beyond it."""
    dropped = FORMATS["float32"] - bits
    patterns = values.view(np.uint32)
    half = np.uint32(1 << (dropped - 1))
    kept = np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    # A carry goes over into the exponent, which is right; NaN and infinity are left for the caller to see.
    rounded = np.where(np.isfinite(values), (patterns + half) & kept, patterns)
    return rounded.astype(np.uint32, copy=False).view(np.float32)


def _read(word: str, text: str) -> dict[str, str | int | float | None]:
    """Read one of the words; ``text`` is for the message."""
    if word in FORMATS:
        return {"number_format": word}
    reduced = re.fullmatch(r"float32-(\d{1,2})", word)
    if reduced and 1 <= int(reduced[1]) < FORMATS["float32"]:
        return {"number_format": "float32", "mantissa_bits": int(reduced[1])}
    zstd = re.fullmatch(r"zstd(?:-(\d{1,2}))?", word)
    if zstd and _LEVELS[0] <= int(zstd[1] or _LEVEL) <= _LEVELS[1]:
        return {"zstd_level": int(zstd[1] or _LEVEL)}
    bound = re.fullmatch(r"bound-(\d+(?:\.\d+)?(?:e-?\d+)?)", word)
    if bound and 0 < float(bound[1]) < math.inf:
        return {"error_bound": float(bound[1])}
    raise InputError(f"packing {text!r}: {word!r} is not known; {_WORDS}.")

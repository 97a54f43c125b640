"""How a compressed file stores its latents: number format, lossless packing, and a bound of the error."""

import math
import re
from dataclasses import dataclass

from baler_energy.errors import InputError

__all__ = ["FORMATS", "Packing"]

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

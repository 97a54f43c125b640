"""zfp, an error-bounded coder of floats, through zfpy.

It transforms blocks of four neighbours and keeps as many bit planes as the bound needs (Lindstrom 2014, Fixed-rate
compressed floating-point arrays, IEEE Trans. Vis. Comput. Graph. 20, 2674). It is made for smooth fields: it gains
nothing from the transform if the rows of a table are independent.
"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from baler_energy.codecs.coders.bounded import BoundedCoder

__all__ = ["WORD", "Zfp"]


@dataclass(frozen=True)
class Zfp(BoundedCoder):
    """zfp in fixed-accuracy mode. Zeros are decoded within the bound, most of them to non-zero numbers.

    Its fixed-rate mode is not supported: at 1 and 2 bits per value zfpy 1.0.1 writes beyond its buffer.
    """

    package = "zfpy"
    suffix = "zfp"
    usage = "zfp-0.01 (zfp; bound as in quantise)"

    def pack(self, values: NDArray[Any], tolerance: float) -> bytes:
        """Pack floats with a maximum error, on the calling thread."""
        import zfpy

        packed: bytes = zfpy.compress_numpy(values, tolerance=tolerance)
        return packed

    def unpack(self, packed: bytes, dtype: str, rows: int) -> NDArray[Any]:
        """Unpack them; raises `ValueError` if their type or number differs."""
        import zfpy

        values: NDArray[Any] = zfpy.decompress_numpy(packed)
        if values.dtype != dtype or values.shape != (rows,):
            raise ValueError("packed bytes are damaged (another array)")
        return values


WORD = Zfp

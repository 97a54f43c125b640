"""zfp, an error-bounded coder of floats, by zfpy.

It transforms blocks of four neighbours and keeps as many bit planes as the bound needs (Lindstrom 2014, Fixed-rate
compressed floating-point arrays, IEEE Trans. Vis. Comput. Graph. 20, 2674). It is made for smooth fields: rows of a
table that are independent of each other give it nothing to transform.
"""

from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from baler_energy.codecs.coders.base import bound_of
from baler_energy.codecs.coders.bounded import BoundedCoder

__all__ = ["WORD", "Zfp"]


@dataclass(frozen=True)
class Zfp(BoundedCoder):
    """zfp in its mode of fixed accuracy. Zeros come back within the bound, most of them as other numbers.

    There is no word for its mode of fixed rate: at 1 and 2 bits per value zfpy 1.0.1 writes beyond its buffer.
    """

    package = "zfpy"
    suffix = "zfp"
    usage = "zfp-0.01 (zfp; bound as of quantise)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``zfp-0.01``."""
        return cls(bound_of(parameter))

    def pack(self, values: NDArray[Any], tolerance: float) -> bytes:
        """Pack floats with a largest error, on the calling thread."""
        import zfpy

        packed: bytes = zfpy.compress_numpy(values, tolerance=tolerance)
        return packed

    def unpack(self, packed: bytes, dtype: str, rows: int) -> NDArray[Any]:
        """Unpack them; raises `ValueError` where they are of another type or number."""
        import zfpy

        values: NDArray[Any] = zfpy.decompress_numpy(packed)
        if values.dtype != dtype or values.shape != (rows,):
            raise ValueError("packed bytes are damaged (another array)")
        return values


WORD = Zfp

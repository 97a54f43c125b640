"""SZ3, an error-bounded coder of floats, through pysz.

It predicts each number from its neighbours, quantises the difference in steps of twice the bound, and compresses these
integers with a Huffman code and zstd (Liang et al. 2023, SZ3: A modular framework for composing prediction-based
error-bounded lossy compressors, IEEE Trans. Big Data 9, 485).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import bound_of
from baler_energy.codecs.coders.bounded import BoundedCoder

__all__ = ["WORD", "Sz3"]

_INTERPOLATION = "-interp"


@dataclass(frozen=True)
class Sz3(BoundedCoder):
    """SZ3 with or without prediction; independent rows are best packed without.

    Without prediction zeros stay zeros; with it they are only within the bound.

    Parameters
    ----------
    interpolation
        Whether SZ3 predicts each value from its neighbours, with its default algorithm: splines, or the Lorenzo
        predictor if that is better on a sample.
    """

    interpolation: bool = False

    package = "pysz"
    suffix = "sz3"
    usage = "sz3-0.01 or sz3-0.01-interp (SZ3, without or with prediction from neighbouring rows; bound as in quantise)"

    @classmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Read ``sz3-0.01`` or ``sz3-0.01-interp``."""
        bound = (parameter or "").removesuffix(_INTERPOLATION)
        return cls(bound_of(bound), bound != (parameter or ""))

    def pack(self, values: NDArray[Any], tolerance: float) -> bytes:
        """Pack floats with a maximum error, on the calling thread."""
        from pysz import sz, szAlgorithm, szConfig, szErrorBoundMode

        config = szConfig()
        config.errorBoundMode = szErrorBoundMode.ABS
        config.absErrorBound = tolerance
        config.cmprAlgo = szAlgorithm.INTERP_LORENZO if self.interpolation else szAlgorithm.NOPRED
        packed: bytes = sz.compress(values, config)[0].tobytes()
        return packed

    def unpack(self, packed: bytes, dtype: str, rows: int) -> NDArray[Any]:
        """Unpack them."""
        from pysz import sz

        values: NDArray[Any] = sz.decompress(np.frombuffer(packed, np.uint8), np.dtype(dtype), (rows,))[0]
        return values


WORD = Sz3

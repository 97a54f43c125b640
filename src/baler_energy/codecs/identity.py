"""The transform ``identity``: the packing is applied to the columns, each in its own number type.

With a lossless packing, or none, every value of a file comes back bit for bit. A prepared table has float64 values, so
its integers beyond 2^53 were rounded before.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.streaming import StreamingCodec, streamed_compression, streamed_decompression
from baler_energy.errors import InputError
from baler_energy.formats.base import UnfitError, matrix, native

__all__ = ["Identity", "compressing", "decompressing"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Identity:
    """The codec of a table: its columns' names and native types."""

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    transform: str = "identity"
    normalisation: Normalisation | None = None
    precision: str = "float64"
    latent: int | None = None
    content_hash: str | None = None

    def encode(self, data: Floats) -> tuple[NDArray[Any], ...]:
        """Split values (rows, columns) into columns, each in its own type."""
        columns = zip(self.names, data.T, self.dtypes, strict=True)
        try:
            return tuple(np.ascontiguousarray(native(name, values, dtype)) for name, values, dtype in columns)
        except UnfitError as error:
            raise InputError(
                f"Cannot be stored: {error}. Tables are read as float64, which rounds integers beyond 2^53; leave the "
                "column out (--columns)."
            ) from error

    def decode(self, *columns: NDArray[Any]) -> Floats:
        """Join columns to values (rows, columns), after a cast of each column back to its own type."""
        typed = zip(columns, self.dtypes, strict=True)
        with np.errstate(invalid="ignore"):  # of a damaged file under a valid checksum
            return matrix([values.astype(dtype, copy=False) for values, dtype in typed])


def _streaming_codec(asked: Asked, identity: Identity) -> StreamingCodec:
    made = partial(StreamingCodec, identity, lambda: identity.encode, lambda: identity.decode)
    return made(packing=asked.point.packing, threads=asked.threads)


def compressing(asked: Asked) -> AbstractContextManager[Work]:
    """Set up compression of a file of any format, which is read within the window."""
    return streamed_compression(asked, lambda source: _streaming_codec(asked, Identity(source.names, source.dtypes)))


def decompressing(asked: Asked) -> AbstractContextManager[Work]:
    """Set up decompression to a file of the original format."""
    facts = asked.compressed.facts
    return streamed_decompression(asked, _streaming_codec(asked, Identity(facts.names, facts.dtypes)))

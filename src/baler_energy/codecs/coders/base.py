"""The interfaces of the words of ``packing`` and of lossless coders."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BlockCoder",
    "Coder",
    "Like",
    "Numbers",
    "RoundingCoder",
    "Steps",
    "Word",
    "arrays_like",
    "bound_ladder",
    "bound_of",
    "byte_count",
    "columns_of",
    "from_planes",
    "joined",
    "level_of",
    "range_of",
    "split_arrays",
    "to_planes",
]

#: Number type and shape of an array.
Like = tuple[str, Sequence[int]]
_SIZE = np.dtype("<u4")
#: Bounds within a factor of ten, coarsest first.
_TENTHS = np.array([0.5, 0.4, 0.3, 0.25, 0.2, 0.16, 0.13, 0.1, 0.08, 0.06])


class Word(ABC):
    """A word of a packing; a packing has at most one word of each kind."""

    kind: ClassVar[str]
    """``numbers``, ``coder`` or ``bound``."""
    replaces: ClassVar[tuple[str, ...]] = ()
    """Further kinds that cannot be combined with it."""
    usage: ClassVar[str]
    """How to write it, for messages."""
    lossless: ClassVar[bool] = True
    """Whether all numbers come back bit for bit."""
    keeps_bound: ClassVar[bool] = False
    """Whether every value comes back within a stated bound."""
    needs_ranges: ClassVar[bool] = False
    """Whether it rounds columns relative to their ranges, which must be known first."""
    package: ClassVar[str | None] = None
    """The package that it requires, in addition to NumPy."""
    extra: ClassVar[str | None] = None
    """Our extra that installs the package in the version that is known to work, if it has one."""

    @classmethod
    @abstractmethod
    def parse(cls, name: str, parameter: str | None) -> Self:
        """Parse a word from its name and the text after its first hyphen; raises `ValueError` if it is invalid."""

    @classmethod
    def ladder(cls, name: str) -> tuple[str, ...]:
        """Return the words of this name to try for a given error, coarsest first; empty if it is lossless."""
        return ()

    @classmethod
    def version(cls) -> str | None:
        """Return the version of its package; None if it needs no package, or the package is not installed."""
        try:
            return None if cls.package is None else metadata.version(cls.package)
        except metadata.PackageNotFoundError:
            return None

    @classmethod
    def missing(cls) -> str | None:
        """Report which package is missing and how to install it; None if nothing is missing."""
        if cls.package is None or cls.version() is not None:
            return None
        install = cls.package if cls.extra is None else f"'baler-energy[{cls.extra}]'"
        return f"The package {cls.package} is not installed: `pip install {install}`."


class Numbers(Word):
    """How numbers are rounded before a coder packs them: the latents, or columns in their own number types."""

    kind = "numbers"

    @abstractmethod
    def latent_type(self, precision: str) -> str:
        """Return the number type of rounded latents that were computed in `precision`."""

    @abstractmethod
    def column_type(self, dtype: str) -> str:
        """Return the number type of a rounded column; it is never wider than the column's own type."""

    @abstractmethod
    def round_latents(self, latents: NDArray[Any], steps: NDArray[np.float64] | None) -> NDArray[Any]:
        """Round latents (rows, columns) to `latent_type`; `steps` has the step of each column, if there are steps.

        Raises
        ------
        InputError
            A latent exceeds that type's range.
        """

    @abstractmethod
    def round_column(self, values: NDArray[Any], step: float | None) -> NDArray[Any]:
        """Round a column (rows,), with its step if it has one, to `column_type`; raises like `round_latents`."""


class Steps(Numbers):
    """Rounding with a step for each column: values become multiples of it, which are stored as integers."""

    needs_ranges = True

    @abstractmethod
    def step(self, values: NDArray[Any], column_range: float) -> float:
        """Choose the step of a column (rows,) and range `column_range`, in its unit; 0: it stays unchanged."""

    @abstractmethod
    def codes_of(self, values: NDArray[Any], step: float) -> NDArray[Any]:
        """Convert a column to the integers that are stored."""

    @abstractmethod
    def values_of(self, codes: NDArray[Any], dtype: str, step: float) -> NDArray[Any]:
        """Undo `codes_of`."""

    @abstractmethod
    def code_type(self, dtype: str) -> str:
        """Return the type of these integers for a column's number type."""


class Coder(Word):
    """A lossless coder of arrays of any number type: every bit comes back, even of NaN and -0."""

    kind = "coder"
    suffix: ClassVar[str]
    """File name suffix of its entries in a compressed file."""
    block_rows: ClassVar[int | None] = None
    """Rows per block, if it needs larger blocks than other coders; None: the default."""

    @abstractmethod
    def encode(self, values: NDArray[Any]) -> bytes:
        """Pack an array of any shape."""

    @abstractmethod
    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Undo `encode`, at any level; raises `ValueError` if the bytes do not match the type and shape."""

    def encode_all(self, arrays: Sequence[NDArray[Any]]) -> bytes:
        """Pack the arrays of a block; by default each one separately."""
        packed = [self.encode(values) for values in arrays]
        return packed[0] if len(packed) == 1 else joined(packed)

    def decode_all(self, packed: bytes, like: Sequence[Like]) -> list[NDArray[Any]]:
        """Undo `encode_all`; raises `ValueError` if the bytes do not match these arrays."""
        parts = [packed] if len(like) == 1 else split_arrays(packed, len(like))
        return [self.decode(part, *array) for part, array in zip(parts, like, strict=True)]


class BlockCoder(Coder):
    """A coder that packs the arrays of a block together."""

    def encode(self, values: NDArray[Any]) -> bytes:
        """Pack an array as a block of one."""
        return self.encode_all([values])

    def decode(self, packed: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        """Undo `encode`."""
        (values,) = self.decode_all(packed, [(dtype, shape)])
        return values

    @abstractmethod
    def encode_all(self, arrays: Sequence[NDArray[Any]]) -> bytes:
        """Pack the arrays of a block."""

    @abstractmethod
    def decode_all(self, packed: bytes, like: Sequence[Like]) -> list[NDArray[Any]]:
        """Undo `encode_all`; raises `ValueError` if the bytes do not match these arrays."""


class RoundingCoder(BlockCoder):
    """A coder that rounds while packing, so it also replaces a number format."""

    replaces = ("numbers",)
    needs_ranges = True
    lossless = False

    @abstractmethod
    def rounded(
        self, arrays: Sequence[NDArray[Any]], ranges: Sequence[float] | None
    ) -> tuple[tuple[NDArray[Any], ...], bytes]:
        """Pack the arrays of a block; return them as they will be decoded, and the packed bytes.

        Parameters
        ----------
        arrays
            Columns (rows,), or latents (rows, columns).
        ranges
            Range of each column, in its unit; None: computed from the arrays.
        """


def joined(parts: Sequence[bytes]) -> bytes:
    """Join byte strings, preceded by their sizes (B, ``<u4``)."""
    return b"".join([np.array([*map(len, parts)], _SIZE).tobytes(), *parts])


def split_arrays(content: bytes, count: int) -> list[bytes]:
    """Split what `joined` joined into `count` parts; raises `ValueError` if the sizes do not match."""
    start = _SIZE.itemsize * count
    sizes = np.frombuffer(content[:start], _SIZE)
    ends = start + np.cumsum(sizes, dtype=np.int64)
    if len(sizes) != count or (ends[-1] if count else start) != len(content):
        raise ValueError(f"packed bytes are damaged (sizes of {count} arrays)")
    return [content[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)]


def columns_of(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the columns (rows,) of arrays, which are columns or latents (rows, columns)."""
    return [column for array in arrays for column in (array.T if array.ndim == 2 else [array])]


def range_of(values: NDArray[Any]) -> float:
    """Return the range of a column (rows,), in its unit; 0 if it has no rows."""
    return float(values.max()) - float(values.min()) if len(values) else 0.0


def arrays_like(columns: Iterable[NDArray[Any]], like: Sequence[Like]) -> list[NDArray[Any]]:
    """Undo `columns_of`; the columns must already have the requested number types and numbers of rows."""
    left, arrays = iter(columns), []
    for dtype, shape in like:
        if len(shape) == 1:
            arrays.append(next(left))
        else:
            values = np.empty(shape, dtype)
            for place in range(shape[1]):
                values[:, place] = next(left)
            arrays.append(values)
    return arrays


def bound_of(parameter: str | None) -> float:
    """Parse an error bound, such as ``0.01`` or ``1e-3``; raises `ValueError` if it is invalid."""
    if not re.fullmatch(r"\d+(?:\.\d+)?(?:e-?\d+)?", parameter or "") or not 0 < float(parameter or 0) < math.inf:
        raise ValueError(f"bound {parameter}")
    return float(parameter or 0)


def bound_ladder(name: str) -> tuple[str, ...]:
    """Return words with error bounds from 0.5 down to 6e-8, ten for each factor of ten."""
    return tuple(f"{name}-{bound:g}" for power in range(7) for bound in _TENTHS * 10.0**-power)


def level_of(parameter: str | None, lowest: int, highest: int, default: int) -> int:
    """Parse a coder's level; raises `ValueError` if it is invalid."""
    level = default if parameter is None else int(parameter) if parameter.isdecimal() else highest + 1
    if not lowest <= level <= highest:
        raise ValueError(f"level {parameter}")
    return level


def byte_count(dtype: str, shape: Sequence[int]) -> int:
    """Return the size of an array (B)."""
    return math.prod(shape) * np.dtype(dtype).itemsize


def to_planes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Group the bytes of an array by their position in the number.

    Bytes at the same position (all exponents, all last digits, ...) are similar, so byte coders compress them better.
    HDF5 and Blosc use the same shuffle.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    return np.ascontiguousarray(flat.view(np.uint8).reshape(-1, values.itemsize).T)


def from_planes(planes: bytes, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Undo `to_planes`; raises `ValueError` if there are too few or too many bytes."""
    number = np.dtype(dtype)
    size = byte_count(dtype, shape)
    if len(planes) != size:
        raise ValueError(f"{len(planes)} bytes instead of the expected {size}")
    values = np.empty(shape, number)
    in_place = values.reshape(-1).view(np.uint8).reshape(-1, number.itemsize)
    # 1.5 to 7 times as fast as transposing, and as fast as numcodecs' Shuffle, which gives the same bytes. (numcodecs
    # imports all its codecs at once, and 0.16.6 fails with the version number of the zfpy that is installed here.)
    for place, plane in enumerate(np.frombuffer(planes, np.uint8).reshape(number.itemsize, -1)):
        in_place[:, place] = plane
    return values

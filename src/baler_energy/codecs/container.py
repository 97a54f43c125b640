"""The compressed file, ``.baler``: self-describing, readable as an npz, and refused if a single byte is wrong.

It is a stored zip, written from front to back block by block, so that neither side ever holds more than a block:

- ``<block>/latents.npy`` (rows of the block, latent): the latents, in the packing's number format; or
  ``<block>/latents.zst`` (``.xz``, ``.pco``, ...): the same, packed by the packing's coder
- or, if the codec has no latents, ``<block>/column-0000.npy`` (rows of the block,) and so on: the columns, each in its
  own number type, packed in the same way
- or, if the packing has steps, ``<block>/steps-of-columns`` (columns,) float64, and ``<block>/code-0000`` and so on:
  integers whose products with the step are the values of a column or latent; a step of 0: the values' own bits
- or, if a coder packed several of these arrays, ``<block>/packed.zst`` and so on: their sizes (``<u4``), then the
  arrays
- ``<block>/steps.zst``, ``<block>/exact.zst``: corrections that keep an error bound, if the packing has one
- ``<block>/counts.zst``: number of objects in each event, if the rows are the objects of jagged branches
- ``names.npy`` (columns,): the columns' names
- ``normalization_features.npy`` (2, columns) float64: minimum and range of each column in the training table, if the
  codec was trained
- ``header.npy``: JSON with the format version, the columns' native types, the SHA-256 of the checkpoint that decodes
  it, and each block's number of rows

The zip's comment, which other readers ignore, is the SHA-256 of all bytes before it. The same content always gives the
same bytes.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Steps
from baler_energy.codecs.corrections import Corrections
from baler_energy.codecs.digest import DIGEST_BYTES, HashedFile, check_digest
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing, columns_of
from baler_energy.errors import InputError

if TYPE_CHECKING:
    from baler_energy.codecs.coders.zstd import Zstd

__all__ = ["FORMAT", "VERSION", "Reader", "Sizes", "StoredBlock", "Writer"]

FORMAT = "baler-energy compressed table"
VERSION = 2

_FEATURES = "normalization_features.npy"
#: Name of the entry that holds several packed arrays.
_TOGETHER = "packed"
#: Name of the array with a block's steps.
_STEPS = "steps-of-columns"
#: zip's epoch, instead of the time of writing, which would change the bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class StoredBlock:
    """A block of a compressed file: the arrays of `Facts.arrays`, with their corrections, counts and steps."""

    arrays: tuple[NDArray[Any], ...]
    corrections: Corrections | None = None
    counts: NDArray[np.int32] | None = None
    steps: NDArray[np.float64] | None = None
    """Step of each column (columns,), for writing; None if the packing has no steps."""

    @property
    def latents(self) -> NDArray[Any]:
        """The latents (rows, latent)."""
        (latents,) = self.arrays
        return latents

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.arrays[0])


@dataclass(frozen=True)
class Sizes:
    """Sizes (B) of a compressed file's latents as computed, latents as stored and corrections; and its number of rows.

    For a codec without latents, these are the sizes of the columns in their own types.
    """

    rows: int
    latent_bytes: int
    stored_latent_bytes: int
    correction_bytes: int

    @classmethod
    def of(cls, writer: "Writer", rows: int) -> Self:
        """Take the sizes from a writer."""
        return cls(rows, writer.latent_bytes, writer.stored_latent_bytes, writer.correction_bytes)


class Writer:
    """Writes a compressed file in place; the caller makes this atomic (`files.atomic_path`).

    Parameters
    ----------
    path
        The file.
    facts
        Its metadata.

    Attributes
    ----------
    latent_bytes, stored_latent_bytes, correction_bytes
        Sizes of the latents as computed, of the latents as stored, and of the corrections.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self._facts = facts
        self._packing = Packing.parse(facts.packing)
        self._blocks: list[dict[str, int | None]] = []
        self._hashing = HashedFile(path.open("w+b"))
        self._archive = zipfile.ZipFile(self._hashing, "w", zipfile.ZIP_STORED)
        self.latent_bytes = self.stored_latent_bytes = self.correction_bytes = 0

    def write(self, block: StoredBlock) -> None:
        """Append a block, with its latents already in the packing's number format."""
        place, corrections, counts = f"{len(self._blocks):08}", block.corrections, block.counts
        facts = self._facts
        computed = facts.dtypes if facts.latent is None else [facts.precision]
        for (name, stored, shape), values, dtype in zip(facts.arrays(block.rows), block.arrays, computed, strict=True):
            if values.dtype != stored or values.shape != shape:
                raise ValueError(f"{name} is {values.shape} {values.dtype}, not {shape} {stored}")
            self.latent_bytes += values.size * np.dtype(dtype).itemsize
        self.stored_latent_bytes += sum(self._add(f"{place}/{name}", content) for name, content in self._packed(block))
        if corrections is not None:
            self.correction_bytes += self._add(f"{place}/steps.zst", _zstd().encode(corrections.steps))
            self.correction_bytes += self._add(f"{place}/exact.zst", _zstd().encode(corrections.exact))
        if counts is not None:
            self._add(f"{place}/counts.zst", _zstd().encode(counts))
        self._blocks.append(
            {
                "rows": block.rows,
                "exact": None if corrections is None else len(corrections.exact),
                "events": None if counts is None else len(counts),
            }
        )

    def _packed(self, block: StoredBlock) -> Iterator[tuple[str, bytes]]:
        """Pack a block's arrays. A coder puts several into one entry: separate entries cost about 120 B each."""
        coder, stored = self._packing.coder, list(self._stored(block))
        if coder is None:
            yield from ((f"{name}.npy", _npy(values)) for name, values in stored)
        elif len(stored) == 1:
            ((name, values),) = stored
            yield f"{name}.{coder.suffix}", coder.encode(values)
        else:
            packed = [coder.encode(values) for _, values in stored]
            yield f"{_TOGETHER}.{coder.suffix}", b"".join([np.array([*map(len, packed)], "<u4").tobytes(), *packed])

    def _stored(self, block: StoredBlock) -> Iterator[tuple[str, NDArray[Any]]]:
        """Give names and values of the stored arrays: the block's own, or its steps and each column's integers."""
        names = [name for name, _, _ in self._facts.arrays(block.rows)]
        numbers, steps = self._packing.numbers, block.steps
        if not isinstance(numbers, Steps):
            yield from zip(names, block.arrays, strict=True)
            return
        if steps is None:
            raise ValueError("a block without the steps of its packing")
        yield _STEPS, steps
        for place, (column, step) in enumerate(zip(columns_of(block.arrays), steps, strict=True)):
            yield f"code-{place:04}", numbers.codes_of(np.ascontiguousarray(column), float(step))

    def close(self) -> None:
        """Write names, features, header and digest."""
        facts = self._facts
        header = {
            "format": FORMAT,
            "version": VERSION,
            "rows": sum(block["rows"] or 0 for block in self._blocks),
            "blocks": self._blocks,
            "dtypes": list(facts.dtypes),
            "integer_columns": _integers(facts.dtypes),
            "checkpoint_sha256": facts.checkpoint_hash,
            "latent": facts.latent,
            "precision": facts.precision,
            "packing": facts.packing,
            "origin": dict(facts.origin),
            "layout": dict(facts.layout),
        }
        # Without this key, files of the default, Baler's autoencoder, keep the bytes that they had before it existed.
        if facts.transform != Facts.transform:
            header["transform"] = facts.transform
        self._add("names.npy", _npy(np.array(facts.names)))
        if facts.normalisation is not None:
            self._add(_FEATURES, _npy(facts.normalisation.features))
        self._add("header.npy", _npy(np.array(json.dumps(header))))
        # Room for the digest: the end record holds the comment's length, which the digest covers.
        self._archive.comment = b" " * DIGEST_BYTES
        self._archive.close()
        self._hashing.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._archive.close()  # without a digest, so that readers refuse it
            self._hashing.close()

    def _add(self, name: str, content: bytes) -> int:
        self._archive.writestr(zipfile.ZipInfo(name, _DATE), content)
        return len(content)


class Reader:
    """Reads a compressed file, a block at a time.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        It is missing, damaged or truncated, or has another format or version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        check_digest(path)
        try:
            with zipfile.ZipFile(path) as archive:
                header = json.loads(str(_array(archive.read("header.npy"))))
                if header["format"] != FORMAT:
                    raise ValueError(f"format {header['format']!r}")
                version = header["version"]
                if version == VERSION:
                    self.facts = _facts(header, archive)
                    self._blocks = _block_sizes(header)
                    self.rows = sum(rows for rows, _, _ in self._blocks)
                    return
        except _DAMAGE as error:
            raise InputError(f"{path}: is not a compressed file of this program ({error}).") from error
        raise InputError(f"{path}: has format version {version!r}, but this program reads {VERSION}. Compress again.")

    def blocks(self) -> Iterator[StoredBlock]:
        """Give the blocks from first to last.

        Raises
        ------
        InputError
            A block does not match the header.
        """
        try:
            with zipfile.ZipFile(self._path) as archive:
                for number in range(len(self._blocks)):
                    yield self._block(archive, number)
        except _DAMAGE as error:
            raise InputError(f"{self._path}: is not a compressed file of this program ({error}).") from error

    def first(self, rows: int) -> tuple[NDArray[Any], ...]:
        """Give the arrays of the first rows, at most those of the first block."""
        block = next(self.blocks(), None)
        if block is None:
            return tuple(np.empty(shape, dtype) for _, dtype, shape in self.facts.arrays(0))
        return tuple(values[:rows] for values in block.arrays)

    def latents(self) -> NDArray[np.floating]:
        """Give all latents (rows, latent), as stored.

        Raises
        ------
        InputError
            As in `blocks`.
        """
        empty = np.empty((0, self.facts.latent or 0), self.facts.stored_format)
        return np.concatenate([empty, *(block.latents for block in self.blocks())])

    def _block(self, archive: zipfile.ZipFile, number: int) -> StoredBlock:
        rows, exact, events = self._blocks[number]
        place, facts = f"{number:08}", self.facts
        packing = Packing.parse(facts.packing)
        coder, together = packing.coder, None
        if coder is not None and f"{place}/{_TOGETHER}.{coder.suffix}" in archive.NameToInfo:
            together = _apart(archive.read(f"{place}/{_TOGETHER}.{coder.suffix}"), _arrays_of(facts, packing))

        def read(name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
            if coder is None:
                values = _array(archive.read(f"{place}/{name}.npy"))
            else:
                packed = archive.read(f"{place}/{name}.{coder.suffix}") if together is None else next(together)
                values = coder.decode(packed, dtype, shape)
            if values.shape != shape or values.dtype != dtype:
                raise ValueError(f"{name} {values.shape} {values.dtype} disagree with the header")
            return values

        if isinstance(packing.numbers, Steps):
            arrays = _of_steps(facts, packing.numbers, rows, read)
        else:
            arrays = tuple(read(*array) for array in facts.arrays(rows))
        corrections = counts = None
        if exact is not None:
            steps = _zstd().decode(archive.read(f"{place}/steps.zst"), "int16", (rows, len(facts.names)))
            corrections = Corrections(steps, _zstd().decode(archive.read(f"{place}/exact.zst"), "float64", (exact,)))
        if events is not None:
            counts = _zstd().decode(archive.read(f"{place}/counts.zst"), "int32", (events,))
        return StoredBlock(arrays, corrections, counts)


def _arrays_of(facts: Facts, packing: Packing) -> int:
    """Count the arrays that store a block."""
    columns = len(facts.dtypes) if facts.latent is None else 1
    if not isinstance(packing.numbers, Steps):
        return columns
    return 1 + (columns if facts.latent is None else facts.latent)


def _apart(content: bytes, count: int) -> Iterator[bytes]:
    """Split an entry of several packed arrays; it begins with their sizes (B, ``<u4``)."""
    sizes = np.frombuffer(content[: 4 * count], "<u4")
    ends = 4 * count + np.cumsum(sizes, dtype=np.int64)
    if len(sizes) != count or (ends[-1] if count else 4 * count) != len(content):
        raise ValueError(f"sizes of {count} packed arrays disagree with their entry")
    yield from (content[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist(), strict=True))


def _of_steps(
    facts: Facts, numbers: Steps, rows: int, read: Callable[[str, str, tuple[int, ...]], NDArray[Any]]
) -> tuple[NDArray[Any], ...]:
    """Read a block whose columns are multiples of steps; the steps are read first."""
    latents = facts.latent is not None
    dtypes = [facts.stored_format] * (facts.latent or 0) if latents else list(facts.dtypes)
    steps = read(_STEPS, "float64", (len(dtypes),))
    if not (np.isfinite(steps) & (steps >= 0)).all():
        raise ValueError("steps that are no steps")
    columns = []
    for place, (dtype, step) in enumerate(zip(dtypes, steps, strict=True)):
        if not step and np.dtype(dtype).kind != "f":
            raise ValueError("a column of integers has a step of 0")
        codes = read(f"code-{place:04}", numbers.code_type(dtype), (rows,))
        columns.append(numbers.values_of(codes, dtype, float(step)))
    if not latents:
        return tuple(columns)
    return (np.stack(columns, axis=1) if columns else np.empty((rows, 0), facts.stored_format),)


def _facts(header: dict[str, Any], archive: zipfile.ZipFile) -> Facts:
    return Facts(
        tuple(str(name) for name in _array(archive.read("names.npy"))),
        tuple(header["dtypes"]),
        None if header["checkpoint_sha256"] is None else Normalisation(_array(archive.read(_FEATURES))),
        header["checkpoint_sha256"],
        header["latent"],
        header["precision"],
        header["packing"],
        dict(header["origin"]),
        dict(header["layout"]),
        header.get("transform", Facts.transform),
    )


def _block_sizes(header: dict[str, Any]) -> list[tuple[int, int | None, int | None]]:
    """Rows, exactly stored values and events of each block."""
    sizes = [(block["rows"], block["exact"], block["events"]) for block in header["blocks"]]
    if header["rows"] != sum(rows for rows, _, _ in sizes):
        raise ValueError("rows of the blocks disagree with the header")
    return sizes


def _zstd() -> "Zstd":
    """Give the coder of corrections and counts; imported only when needed."""
    from baler_energy.codecs.coders.zstd import Zstd

    return Zstd()


def _integers(dtypes: Sequence[str]) -> list[int]:
    """Positions of the columns that come back rounded to integers."""
    return [number for number, dtype in enumerate(dtypes) if np.dtype(dtype).kind in "iub"]


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(content: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array

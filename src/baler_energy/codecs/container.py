"""The compressed file, ``.baler``: self-describing, readable as an npz, and refused when a single byte is wrong.

It is a stored zip, written from front to back block by block, so that neither side ever holds more than a block:

- ``<block>/latents.npy`` (rows of the block, latent): the latents, in the number format of the packing; or
  ``<block>/latents.zst`` (``.lz4``, ``.pco``), the same packed by the packing's coder
- or, where a codec has no latents, ``<block>/column-0000.npy`` (rows of the block,) and so on: the columns, each in its
  own number type, packed alike
- ``<block>/steps.zst``, ``<block>/exact.zst``: corrections that keep a bound of the error, where one was asked for
- ``<block>/counts.zst``: objects of each event, where the rows are the objects of jagged branches
- ``names.npy`` (columns,): the columns' names
- ``normalization_features.npy`` (2, columns) float64: minimum and range of each column in the training table, where
  there was one
- ``header.npy``: JSON with the format's version, the columns' native types, the checkpoint that it needs, and of each
  block the number of rows

The zip's comment, which other readers ignore, is the SHA-256 of all bytes before it. The same content gives the same
bytes, whenever it is written.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.corrections import Corrections
from baler_energy.codecs.fitted import Fitted
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.errors import InputError

if TYPE_CHECKING:
    from baler_energy.codecs.coders.zstd import Zstd

__all__ = ["FORMAT", "VERSION", "Facts", "Reader", "Sizes", "StoredBlock", "Writer"]

FORMAT = "baler-energy compressed table"
VERSION = 2

_FEATURES = "normalization_features.npy"
_DIGEST_BYTES = 64
_READ_BYTES = 1 << 20
#: zip's own epoch, in place of the time of writing.
_DATE = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class Facts:
    """What a compressed file says of itself.

    Parameters
    ----------
    names, dtypes
        Of the columns; dtypes are NumPy's names of the native types. Those of integers come back as integers.
    normalisation
        Features of the training table; None where there was no training.
    checkpoint_hash
        `Fitted.content_hash` of the checkpoint that decodes it; None: it needs none.
    latent
        Columns of the latents; None: the table's own columns are stored, each in its own type.
    precision
        Of the arithmetic that made them.
    packing
        How they are stored, a value of the axis.
    origin
        What the table is (``source`` and ``label`` of `Table.origin`), so that toy data stays labelled.
    layout
        Kind of file that the table came in, of which the same kind is made again.
    transform
        A value of the axis.
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
        """Say what a compressed file of this codec says of itself."""
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
        for dtype in self.dtypes:
            np.dtype(dtype)
        if self.precision not in ("float64", "float32"):
            raise ValueError(f"precision {self.precision!r}")

    def check_made_with(self, fitted: Fitted, path: Path) -> None:
        """Refuse a file that was compressed with another codec; `path` is the file.

        Raises
        ------
        InputError
            It was.
        """
        if self.transform != fitted.transform:
            raise InputError(
                f"{path}: was compressed with transform {self.transform!r}, not {fitted.transform!r}. Give --transform "
                f"{self.transform}."
            )
        if self.checkpoint_hash != fitted.content_hash:
            raise InputError(
                f"{path}: was compressed with another checkpoint (its SHA-256 begins {str(self.checkpoint_hash)[:12]}, "
                f"this one's {str(fitted.content_hash)[:12]}). Give the checkpoint of that training."
            )

    def arrays(self, rows: int) -> list[tuple[str, str, tuple[int, ...]]]:
        """Give name, number type and shape of each array of a block of so many rows."""
        if self.latent is not None:
            return [("latents", self.stored_format, (rows, self.latent))]
        numbers = Packing.parse(self.packing).numbers
        return [
            (f"column-{place:04}", numbers.name if numbers and np.dtype(dtype).kind == "f" else dtype, (rows,))
            for place, dtype in enumerate(self.dtypes)
        ]

    @property
    def stored_format(self) -> str:
        """Number format of the latents in the file."""
        numbers = Packing.parse(self.packing).numbers
        return self.precision if numbers is None else numbers.name


@dataclass(frozen=True, eq=False)
class StoredBlock:
    """Rows of a compressed file: the arrays of `Facts.arrays`, and corrections and counts where there are some."""

    arrays: tuple[NDArray[Any], ...]
    corrections: Corrections | None = None
    counts: NDArray[np.int32] | None = None

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
    """What a compressed file is made of (B): latents as computed, as stored, corrections; and its rows.

    Where a codec has no latents, the columns in their own types take their place.
    """

    rows: int
    latent_bytes: int
    stored_latent_bytes: int
    correction_bytes: int

    @classmethod
    def of(cls, writer: "Writer", rows: int) -> Self:
        """Take them from a writer."""
        return cls(rows, writer.latent_bytes, writer.stored_latent_bytes, writer.correction_bytes)


class Writer:
    """Writes a compressed file, as it is; the caller makes it atomic (`files.atomic_path`).

    Parameters
    ----------
    path
        The file.
    facts
        What it says of itself.

    Attributes
    ----------
    latent_bytes, stored_latent_bytes, correction_bytes
        Of the latents as computed, of the latents as stored, and of the corrections.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self._facts = facts
        self._coder = Packing.parse(facts.packing).coder
        self._blocks: list[dict[str, int | None]] = []
        self._hashing = _Hashing(path.open("w+b"))
        self._archive = zipfile.ZipFile(self._hashing, "w", zipfile.ZIP_STORED)
        self.latent_bytes = self.stored_latent_bytes = self.correction_bytes = 0

    def write(self, block: StoredBlock) -> None:
        """Append a block, whose latents are in the number format of the packing."""
        place, corrections, counts = f"{len(self._blocks):08}", block.corrections, block.counts
        facts = self._facts
        computed = facts.dtypes if facts.latent is None else [facts.precision]
        for (name, stored, shape), values, dtype in zip(facts.arrays(block.rows), block.arrays, computed, strict=True):
            if values.dtype != stored or values.shape != shape:
                raise ValueError(f"{name} is {values.shape} {values.dtype}, not {shape} {stored}")
            self.latent_bytes += values.size * np.dtype(dtype).itemsize
            if self._coder is None:
                self.stored_latent_bytes += self._add(f"{place}/{name}.npy", _npy(values))
            else:
                packed = self._coder.encode(values)
                self.stored_latent_bytes += self._add(f"{place}/{name}.{self._coder.suffix}", packed)
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

    def close(self) -> None:
        """Write what describes the blocks, and the digest."""
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
        # Files of Baler's autoencoder stay what they were.
        if facts.transform != Facts.transform:
            header["transform"] = facts.transform
        self._add("names.npy", _npy(np.array(facts.names)))
        if facts.normalisation is not None:
            self._add(_FEATURES, _npy(facts.normalisation.features))
        self._add("header.npy", _npy(np.array(json.dumps(header))))
        # Room for the digest: the end record holds the comment's length, which the digest covers.
        self._archive.comment = b" " * _DIGEST_BYTES
        self._archive.close()
        self._hashing.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._archive.close()  # without a digest, so that nobody takes it for whole
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
        It is missing, damaged, truncated, not of this format, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _check_digest(path)
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
        raise InputError(f"{path}: is of format version {version!r}; this program reads {VERSION}. Compress again.")

    def blocks(self) -> Iterator[StoredBlock]:
        """Give the blocks from first to last.

        Raises
        ------
        InputError
            One is not what the header says.
        """
        try:
            with zipfile.ZipFile(self._path) as archive:
                for number in range(len(self._blocks)):
                    yield self._block(archive, number)
        except _DAMAGE as error:
            raise InputError(f"{self._path}: is not a compressed file of this program ({error}).") from error

    def first(self, rows: int) -> tuple[NDArray[Any], ...]:
        """Give the arrays of the first rows, at most those of a block."""
        block = next(self.blocks(), None)
        if block is None:
            return tuple(np.empty(shape, dtype) for _, dtype, shape in self.facts.arrays(0))
        return tuple(values[:rows] for values in block.arrays)

    def latents(self) -> NDArray[np.floating]:
        """Give all latents (rows, latent), as stored.

        Raises
        ------
        InputError
            As of `blocks`.
        """
        empty = np.empty((0, self.facts.latent or 0), self.facts.stored_format)
        return np.concatenate([empty, *(block.latents for block in self.blocks())])

    def _block(self, archive: zipfile.ZipFile, number: int) -> StoredBlock:
        rows, exact, events = self._blocks[number]
        place, facts = f"{number:08}", self.facts
        coder = Packing.parse(facts.packing).coder
        arrays = []
        for name, dtype, shape in facts.arrays(rows):
            if coder is None:
                values = _array(archive.read(f"{place}/{name}.npy"))
            else:
                values = coder.decode(archive.read(f"{place}/{name}.{coder.suffix}"), dtype, shape)
            if values.shape != shape or values.dtype != dtype:
                raise ValueError(f"{name} {values.shape} {values.dtype} disagree with the header")
            arrays.append(values)
        corrections = counts = None
        if exact is not None:
            steps = _zstd().decode(archive.read(f"{place}/steps.zst"), "int16", (rows, len(facts.names)))
            corrections = Corrections(steps, _zstd().decode(archive.read(f"{place}/exact.zst"), "float64", (exact,)))
        if events is not None:
            counts = _zstd().decode(archive.read(f"{place}/counts.zst"), "int32", (events,))
        return StoredBlock(tuple(arrays), corrections, counts)


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
    """Rows, values stored as they are, and events of each block."""
    sizes = [(block["rows"], block["exact"], block["events"]) for block in header["blocks"]]
    if header["rows"] != sum(rows for rows, _, _ in sizes):
        raise ValueError("rows of the blocks disagree with the header")
    return sizes


def _zstd() -> "Zstd":
    """Give the coder of corrections and counts; imported only where there are some."""
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


class _Hashing:
    """A file that is written from front to back, and hashed on the way but for its last bytes, the digest's place."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._last = b""

    def write(self, content: bytes) -> int:
        """Append to the file."""
        self._file.write(content)
        if len(content) >= _DIGEST_BYTES:
            self._digest.update(self._last)
            self._digest.update(memoryview(content)[:-_DIGEST_BYTES])
            self._last = bytes(content[-_DIGEST_BYTES:])
        else:
            joined = self._last + content
            self._digest.update(joined[:-_DIGEST_BYTES])
            self._last = joined[-_DIGEST_BYTES:]
        return len(content)

    def flush(self) -> None:
        """Pass on what is buffered."""
        self._file.flush()

    def finish(self) -> None:
        """Write the digest into its place, and close the file."""
        self._file.seek(-_DIGEST_BYTES, 2)
        self._file.write(self._digest.hexdigest().encode())
        self._file.close()

    def close(self) -> None:
        """Close the file as it is."""
        self._file.close()


def _check_digest(path: Path) -> None:
    try:
        with path.open("rb") as file:
            left = path.stat().st_size - _DIGEST_BYTES
            digest = hashlib.sha256()
            while left > 0 and (block := file.read(min(_READ_BYTES, left))):
                digest.update(block)
                left -= len(block)
            found = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if left or digest.hexdigest().encode() != found:
        raise InputError(
            f"{path}: is damaged, truncated or not a compressed file of this program: its checksum does not match. "
            "Compress again, or take a good copy."
        )

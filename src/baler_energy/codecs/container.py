"""The compressed file, ``.baler``: self-describing, readable as an npz, and refused if a single byte is wrong.

It is an uncompressed zip, written block by block, so that writer and reader hold only one block in memory:

- ``<block>/latents.npy`` (rows of the block, latent): the latents, in the number format of the packing; or
  ``<block>/latents.zst`` (``.xz``, ``.pco``, ...), the same packed by the packing's coder
- or ``<block>/packed.zst`` and so on, if a coder packed several arrays: their sizes (``<u4``), then the arrays;
  coders that write table files or round columns have their own layouts (`coders.tables`, `coders.bounded`)
- or, if a codec has no latents, ``<block>/column-0000.npy`` (rows of the block,) and so on: the columns, each in its
  own number type, packed in the same way
- or, if the packing uses steps, ``<block>/steps-of-columns`` (columns,) float64 and ``<block>/code-0000`` and so on:
  for each column or latent the integers that give its values when multiplied by the step; step 0: the value's bits
- ``<block>/steps.zst``, ``<block>/exact.zst``: corrections that keep the error bound, if there is one
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
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.base import Coder, Like, Steps, arrays_like, columns_of
from baler_energy.codecs.corrections import Corrections
from baler_energy.codecs.digest import DIGEST_BYTES, HashedFile, check_digest
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.packing import Packing
from baler_energy.damage import array_of, check_members, check_unpacked, refusing_damage
from baler_energy.errors import InputError

if TYPE_CHECKING:
    from baler_energy.codecs.coders.zstd import Zstd

__all__ = ["FORMAT", "VERSION", "Reader", "Sizes", "StoredBlock", "Writer"]

FORMAT = "baler-energy compressed table"
VERSION = 2

_FEATURES = "normalization_features.npy"
#: Name of the entry that holds several packed arrays.
_TOGETHER = "packed"
#: The earliest date in a zip, instead of the time of writing.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class StoredBlock:
    """A block of a compressed file: the arrays of `Facts.arrays`, with their corrections, counts and steps."""

    arrays: tuple[NDArray[Any], ...]
    corrections: Corrections | None = None
    counts: NDArray[np.int32] | None = None
    steps: NDArray[np.float64] | None = None
    """The step of each column, if the packing uses steps."""
    packed: bytes | None = None
    """The arrays as packed by a coder; None: not packed yet, or there is no coder."""

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

    def packed(self, block: StoredBlock) -> StoredBlock:
        """Pack a block's arrays ahead of `write`, in any thread."""
        coder = self._packing.coder
        if coder is None or block.packed is not None:
            return block
        return replace(block, packed=coder.encode_all([values for _, values in self._stored(block)]))

    def write(self, block: StoredBlock) -> None:
        """Append a block, with its latents already in the packing's number format."""
        place, corrections, counts = f"{len(self._blocks):08}", block.corrections, block.counts
        facts = self._facts
        computed = facts.dtypes if facts.latent is None else [facts.precision]
        for (name, stored, shape), values, dtype in zip(facts.arrays(block.rows), block.arrays, computed, strict=True):
            if values.dtype != stored or values.shape != shape:
                raise ValueError(f"{name} is {values.shape} {values.dtype}, not {shape} {stored}")
            self.latent_bytes += values.size * np.dtype(dtype).itemsize
        stored_b = sum(self._add(f"{place}/{name}", content) for name, content in self._packed(block))
        self.stored_latent_bytes += stored_b
        if corrections is not None:
            self.correction_bytes += self._add(f"{place}/steps.zst", _zstd().encode(corrections.steps))
            self.correction_bytes += self._add(f"{place}/exact.zst", _zstd().encode(corrections.exact))
        if counts is not None:
            self._add(f"{place}/counts.zst", _zstd().encode(counts))
        # Nothing is written that `Reader` would refuse.
        check_unpacked(facts.memory_b(block.rows, 0 if counts is None else len(counts)), stored_b)
        self._blocks.append(
            {
                "rows": block.rows,
                "exact": None if corrections is None else len(corrections.exact),
                "events": None if counts is None else len(counts),
            }
        )

    def _packed(self, block: StoredBlock) -> Iterator[tuple[str, bytes]]:
        """Pack a block's arrays; a coder packs several into one entry, since each entry costs about 120 B."""
        coder = self._packing.coder
        if coder is None:
            yield from ((f"{name}.npy", _npy(values)) for name, values in self._stored(block))
        else:
            packed = self.packed(block).packed
            assert packed is not None
            yield _entry(self._facts.stored_arrays(block.rows), coder), packed

    def _stored(self, block: StoredBlock) -> Iterator[tuple[str, NDArray[Any]]]:
        """Name the arrays that store a block: its own, or its steps and the integers of each column."""
        names = list(self._facts.stored_arrays(block.rows))
        numbers, steps = self._packing.numbers, block.steps
        if not isinstance(numbers, Steps):
            yield from zip(names, block.arrays, strict=True)
            return
        if steps is None:
            raise ValueError("the block has no steps, but its packing uses them")
        yield names[0], steps
        for name, column, step in zip(names[1:], columns_of(block.arrays), steps, strict=True):
            yield name, numbers.codes_of(np.ascontiguousarray(column), float(step))

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
        # The default, Baler's autoencoder, has no key, so that its files keep the bytes from before the key existed.
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
        with self._reading(), zipfile.ZipFile(path) as archive:
            check_members(archive, stored=True)
            header = json.loads(str(array_of(archive.read("header.npy"))))
            if header["format"] != FORMAT:
                raise ValueError(f"format {header['format']!r}")
            version = header["version"]
            if version == VERSION:
                self.facts = _facts(header, archive)
                self._blocks = _block_sizes(header, self.facts)
                # Number of the first row of each block, and of all rows.
                *self.first_rows, self.rows = itertools.accumulate((rows for rows, _, _ in self._blocks), initial=0)
                return
        raise InputError(f"{path}: has format version {version!r}, but this program reads {VERSION}. Compress again.")

    def blocks(self) -> Iterator[StoredBlock]:
        """Yield the blocks from first to last.

        Raises
        ------
        InputError
            A block does not match the header.
        """
        for unpack in self.packed_blocks():
            yield unpack()

    def packed_blocks(self) -> Iterator[Callable[[], StoredBlock]]:
        """Yield a function per block, in order, that unpacks it in any thread; both raise like `blocks`."""
        with self._reading(), zipfile.ZipFile(self._path) as archive:
            entries: dict[str, list[str]] = {}
            for name in archive.namelist():
                entries.setdefault(name.partition("/")[0], []).append(name)
            for number in range(len(self._blocks)):
                names = entries.get(f"{number:08}", [])
                yield partial(self._block, {name: archive.read(name) for name in names}, number)

    def first(self, rows: int) -> tuple[NDArray[Any], ...]:
        """Return the arrays of the first rows, at most those of the first block."""
        block = next(self.blocks(), None)
        if block is None:
            return tuple(np.empty(shape, dtype) for _, dtype, shape in self.facts.arrays(0))
        return tuple(values[:rows] for values in block.arrays)

    def latents(self) -> NDArray[np.floating]:
        """Return all latents (rows, latent), as stored.

        Raises
        ------
        InputError
            As in `blocks`.
        """
        empty = np.empty((0, self.facts.latent or 0), self.facts.stored_format)
        return np.concatenate([empty, *(block.latents for block in self.blocks())])

    def _block(self, entries: Mapping[str, bytes], number: int) -> StoredBlock:
        with self._reading():
            return self._unpacked(entries, number)

    def _reading(self) -> AbstractContextManager[None]:
        return refusing_damage(self._path, "compressed file of this program", "Compress again, or use an intact copy.")

    def _unpacked(self, entries: Mapping[str, bytes], number: int) -> StoredBlock:
        rows, exact, events = self._blocks[number]
        place, facts = f"{number:08}", self.facts
        check_unpacked(facts.memory_b(rows, events or 0), sum(len(content) for content in entries.values()))
        packing = Packing.parse(facts.packing)
        coder, stored = packing.coder, facts.stored_arrays(rows)
        if coder is None:
            values = [array_of(entries[f"{place}/{name}.npy"]) for name in stored]
        else:
            values = coder.decode_all(entries[f"{place}/{_entry(stored, coder)}"], list(stored.values()))
        for (name, (dtype, shape)), found in zip(stored.items(), values, strict=True):
            if found.shape != tuple(shape) or found.dtype != dtype:
                raise ValueError(f"{name} {found.shape} {found.dtype} disagree with the header")
        arrays = (
            _of_steps(facts, packing.numbers, rows, values) if isinstance(packing.numbers, Steps) else tuple(values)
        )
        corrections = counts = None
        if exact is not None:
            steps = _zstd().decode(entries[f"{place}/steps.zst"], "int16", (rows, len(facts.names)))
            corrections = Corrections(steps, _zstd().decode(entries[f"{place}/exact.zst"], "float64", (exact,)))
            corrections.check()
        if events is not None:
            counts = _zstd().decode(entries[f"{place}/counts.zst"], "int32", (events,))
            if counts.min(initial=0) < 0 or counts.sum(dtype=np.int64) != rows:
                raise ValueError("the numbers of objects disagree with the header")
        return StoredBlock(arrays, corrections, counts)


def _entry(stored: Mapping[str, Like], coder: Coder) -> str:
    """Name the entry of packed arrays; several share one, since each entry costs about 120 B."""
    return f"{next(iter(stored)) if len(stored) == 1 else _TOGETHER}.{coder.suffix}"


def _of_steps(facts: Facts, numbers: Steps, rows: int, stored: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Decode the arrays of a block whose columns are multiples of steps; the steps come first."""
    (steps, *codes), dtypes = stored, facts.column_types
    if not (np.isfinite(steps) & (steps >= 0)).all():
        raise ValueError("a step is negative or not finite")
    columns = []
    for values, dtype, step in zip(codes, dtypes, steps, strict=True):
        if not step and np.dtype(dtype).kind != "f":
            raise ValueError("a column of integers has a step of 0")
        columns.append(numbers.values_of(values, dtype, float(step)))
    if facts.latent is None:
        return tuple(columns)
    return tuple(arrays_like(columns, [(facts.stored_format, (rows, facts.latent))]))


def _facts(header: dict[str, Any], archive: zipfile.ZipFile) -> Facts:
    return Facts(
        tuple(str(name) for name in array_of(archive.read("names.npy"))),
        tuple(header["dtypes"]),
        None if header["checkpoint_sha256"] is None else Normalisation(array_of(archive.read(_FEATURES))),
        header["checkpoint_sha256"],
        header["latent"],
        header["precision"],
        header["packing"],
        dict(header["origin"]),
        dict(header["layout"]),
        header.get("transform", Facts.transform),
    )


def _block_sizes(header: dict[str, Any], facts: Facts) -> list[tuple[int, int | None, int | None]]:
    """Rows, exactly stored values and events of each block."""
    sizes = [(block["rows"], block["exact"], block["events"]) for block in header["blocks"]]
    has_bound = Packing.parse(facts.packing).bound is not None and facts.normalisation is not None
    for rows, exact, events in sizes:
        known = [rows, *(count for count in (exact, events) if count is not None)]
        if any(type(count) is not int or count < 0 for count in known) or (exact or 0) > rows * len(facts.names):
            raise ValueError(f"a block of {rows} rows, {exact} exact values and {events} events")
        if (exact is not None) != has_bound:
            raise ValueError("a block lacks its corrections" if has_bound else "corrections without a bound")
    if header["rows"] != sum(rows for rows, _, _ in sizes):
        raise ValueError("rows of the blocks disagree with the header")
    return sizes


def _zstd() -> "Zstd":
    """Return the coder of corrections and counts; imported only when needed."""
    from baler_energy.codecs.coders.zstd import Zstd

    return Zstd()


def _integers(dtypes: Sequence[str]) -> list[int]:
    """Positions of the columns that come back rounded to integers."""
    return [number for number, dtype in enumerate(dtypes) if np.dtype(dtype).kind in "iub"]


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()

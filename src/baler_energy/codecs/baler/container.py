"""The compressed file, ``.baler``: self-describing, readable as an npz, and refused when a single byte is wrong.

It is a stored zip of arrays, as NumPy's ``savez`` writes, with Baler's own arrays in it:

- ``data`` (rows, latent): the latents, in the codec's precision
- ``names`` (columns,): the columns' names
- ``normalization_features`` (2, columns) float64: minimum and range of each column in the training table
- ``header``: JSON with the format's version, the columns' native types and the checkpoint that it needs

The zip's comment, which other readers ignore, is the SHA-256 of all bytes before it. The same content gives the same
bytes, whenever it is written.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.baler.normalisation import Normalisation
from baler_energy.errors import InputError
from baler_energy.files import read_npz

__all__ = ["FORMAT", "VERSION", "Compressed", "read_compressed", "write_compressed"]

FORMAT = "baler-energy compressed table"
VERSION = 1

_DIGEST_BYTES = 64
_BLOCK_BYTES = 1 << 20
#: zip's own epoch, in place of the time of writing.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Compressed:
    """Contents of a compressed file.

    Parameters
    ----------
    latents
        (rows, latent) float64 or float32.
    names, dtypes
        Of the columns; dtypes are NumPy's names of the native types. Those of integers come back as integers.
    normalisation
        Features of the training table.
    checkpoint_hash
        `Checkpoint.content_hash` of the checkpoint that decodes it.
    origin
        What the table is (``source`` and ``label`` of `Table.origin`), so that toy data stays labelled.
    """

    latents: NDArray[Any]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    normalisation: Normalisation
    checkpoint_hash: str
    origin: Mapping[str, Any]


def write_compressed(path: Path, content: Compressed) -> None:
    """Write a compressed file to `path` as it is; the caller makes it atomic (`files.atomic_path`)."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "rows": len(content.latents),
        "precision": content.latents.dtype.name,
        "dtypes": list(content.dtypes),
        "integer_columns": _integers(content.dtypes),
        "checkpoint_sha256": content.checkpoint_hash,
        "origin": dict(content.origin),
    }
    arrays = {
        "data": content.latents,
        "names": np.array(content.names),
        "normalization_features": content.normalisation.features,
        "header": np.array(json.dumps(header)),
    }
    with path.open("w+b") as handle:
        with zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
            # Room for the digest: the end record holds the comment's length, which the digest covers.
            archive.comment = b" " * _DIGEST_BYTES
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy", _DATE), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        digest = _digest(handle)
        handle.seek(-_DIGEST_BYTES, 2)
        handle.write(digest)


def read_compressed(path: Path) -> Compressed:
    """Read a compressed file.

    Raises
    ------
    InputError
        The file is missing, damaged, truncated, not of this format, or of a newer version.
    """
    _check_digest(path)
    arrays = read_npz(path, ("data", "names", "normalization_features", "header"))
    try:
        header = json.loads(str(arrays["header"]))
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']!r}")
        version = header["version"]
        if version == VERSION:
            return _build(header, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not a compressed file of this program ({error}).") from error
    raise InputError(f"{path}: is of format version {version!r}; this program reads {VERSION}. Update it.")


def _build(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Compressed:
    names = tuple(str(name) for name in arrays["names"])
    content = Compressed(
        arrays["data"],
        names,
        tuple(header["dtypes"]),
        Normalisation(arrays["normalization_features"]),
        header["checkpoint_sha256"],
        dict(header["origin"]),
    )
    latents, columns = content.latents, content.normalisation.features.shape[1]
    if latents.ndim != 2 or len(latents) != header["rows"] or latents.dtype.name != header["precision"]:
        raise ValueError(f"latents {latents.shape} {latents.dtype} disagree with the header")
    if len(names) != columns or len(content.dtypes) != columns:
        raise ValueError(f"{columns} columns, {len(names)} names, {len(content.dtypes)} types")
    return content


def _integers(dtypes: Sequence[str]) -> list[int]:
    """Positions of the columns that come back rounded to integers."""
    return [number for number, dtype in enumerate(dtypes) if np.dtype(dtype).kind in "iub"]


def _check_digest(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            size = path.stat().st_size
            expected = _digest(handle) if size > _DIGEST_BYTES else b""
            found = handle.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if not expected or expected != found:
        raise InputError(
            f"{path}: is damaged, truncated or not a compressed file of this program: its checksum does not match. "
            "Compress again, or take a good copy."
        )


def _digest(handle: BinaryIO) -> bytes:
    """Hash all but the last bytes of an open file, in hexadecimal, and leave the handle at those bytes."""
    length = handle.seek(0, 2) - _DIGEST_BYTES
    handle.seek(0)
    digest = hashlib.sha256()
    for block in _blocks(handle, length):
        digest.update(block)
    return digest.hexdigest().encode()


def _blocks(handle: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        block = handle.read(min(_BLOCK_BYTES, length))
        if not block:
            return
        length -= len(block)
        yield block

"""The transform ``pca``: the first principal components of the scaled columns, in closed form.

Columns are scaled to [0, 1], as in Baler, so that errors count relative to each column's range. The components
(`components`) give the linear codec with the least squared error of the scaled values.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.baler.architecture import latent_columns
from baler_energy.codecs.components import principal_components, product
from baler_energy.codecs.engines.base import Asked, Learned, Work
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.streaming import BLOCK_ROWS, StreamingCodec, streamed_compression, streamed_decompression
from baler_energy.damage import refusing_damage
from baler_energy.errors import InputError
from baler_energy.files import atomic_path, read_npz
from baler_energy.formats import Source, open_source

__all__ = ["Pca", "checkpoint_of", "compressing", "decompressing", "fit", "training"]

Floats = NDArray[np.float64]

FORMAT = "baler-energy principal components"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Pca:
    """Principal components of a training table.

    Parameters
    ----------
    names, dtypes
        Names and native types of the columns.
    normalisation
        Features of the training table.
    mean
        (columns,): means of the scaled columns.
    components
        (latent, columns): orthonormal rows, in descending order of variance.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    normalisation: Normalisation
    mean: Floats
    components: Floats
    transform: str = "pca"
    precision: str = "float64"

    @property
    def latent(self) -> int:
        """Number of latent columns."""
        return len(self.components)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the content."""
        digest = hashlib.sha256(json.dumps([VERSION, self.names, self.dtypes]).encode())
        for values in (self.normalisation.features, self.mean, self.components):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def _check(self) -> None:
        """Raise `ValueError` if the parts do not fit each other."""
        columns, components = len(self.names), self.components
        shapes = {self.normalisation.features.shape[1:], self.mean.shape, components.shape[1:], (len(self.dtypes),)}
        are_finite = all(values.dtype == np.float64 and np.isfinite(values).all() for values in (self.mean, components))
        if shapes != {(columns,)} or not 1 <= len(components) <= columns or not are_finite:
            raise ValueError(f"{columns} names and components of shape {components.shape}")
        for dtype in self.dtypes:
            if np.dtype(dtype).kind not in "fiub":
                raise ValueError(f"type {dtype!r}")

    def encode(self, data: Floats) -> tuple[NDArray[Any], ...]:
        """Encode values (rows, columns) to latents (rows, latent)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (product(self.normalisation.normalise(data) - self.mean, self.components.T),)

    def decode(self, latents: NDArray[Any]) -> Floats:
        """Decode latents (rows, latent) to values (rows, columns), not yet rounded to the native types."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.normalisation.restore(product(np.asarray(latents, np.float64), self.components) + self.mean)

    def write(self, path: Path) -> None:
        """Write to a file (npz), atomically."""
        header = {"format": FORMAT, "version": VERSION, "names": self.names, "dtypes": self.dtypes}
        text = np.array(json.dumps(header | {"sha256": self.content_hash}))
        content, features = io.BytesIO(), self.normalisation.features
        np.savez(content, header=text, features=features, mean=self.mean, components=self.components)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getvalue())

    @classmethod
    def read(cls, path: Path) -> "Pca":
        """Read a file written by `write`; objects are never unpickled.

        Raises
        ------
        InputError
            The file is missing or damaged, or has another format or version.
        """
        arrays = read_npz(path)
        with refusing_damage(path, "checkpoint of --transform pca", "Train again."):
            header = json.loads(str(arrays["header"]))
            if (header["format"], header["version"]) != (FORMAT, VERSION):
                raise ValueError(f"format {header['format']!r}, version {header['version']!r}")
            names, dtypes = tuple(map(str, header["names"])), tuple(header["dtypes"])
            found = cls(names, dtypes, Normalisation(arrays["features"]), arrays["mean"], arrays["components"])
            found._check()
            if found.content_hash != header["sha256"]:
                raise ValueError("its checksum does not match")
        return found


def fit(source: Source, latent: int, most_blocks: int | None = None) -> tuple[Pca, int]:
    """Find the principal components of a table, in two passes over it: ranges, then mean and covariance.

    Memory is that of one block, for any number of rows.

    Parameters
    ----------
    source
        The table.
    latent
        Number of components to keep.
    most_blocks
        Stop after this many blocks; None: use all.

    Returns
    -------
    tuple
        The components, and the number of rows.

    Raises
    ------
    InputError
        A column cannot be scaled.
    """
    low, high = np.full(len(source.names), np.inf), np.full(len(source.names), -np.inf)
    for block in islice(source.blocks(BLOCK_ROWS), most_blocks):
        # NaN propagates, and is refused below.
        low, high = np.minimum(low, block.data.min(axis=0)), np.maximum(high, block.data.max(axis=0))
    normalisation = Normalisation.of(np.stack([low, high]), source.names)
    blocks = (normalisation.normalise(block.data) for block in islice(source.blocks(BLOCK_ROWS), most_blocks))
    found = principal_components(blocks, len(low), latent)
    return Pca(source.names, source.dtypes, normalisation, found.mean, found.vectors), found.rows


@contextmanager
def training(asked: Asked) -> Iterator[Work]:
    """Set up the fit to a prepared table, which is read within the window."""
    with open_source(asked.data) as source:
        columns = len(source.names)
        latent = latent_columns(columns, asked.point.compression_ratio)

        def finish(found: tuple[Pca, int]) -> Learned:
            pca, rows = found
            macs = rows * columns * columns
            results = {"parameters": columns * (latent + 1), "macs": macs, "flops": 2 * macs}
            return Learned(pca, (), results)

        yield Work(
            operation=lambda on_epoch, keeper: fit(source, latent),
            warm_up=partial(fit, source, latent, 1),
            finish=finish,
            origin=source.origin,
        )


def checkpoint_of(asked: Asked) -> Pca:
    """Read the components that an operation uses, and check that they match the point.

    Raises
    ------
    InputError
        They are missing or damaged, or their number contradicts the point.
    """
    pca = Pca.read(asked.codec_file)
    if latent_columns(len(pca.names), asked.point.compression_ratio) != pca.latent:
        raise InputError(
            f"{asked.codec_file}: has {pca.latent} components of {len(pca.names)} columns, which does not match "
            f"--compression-ratio {asked.point.compression_ratio:g}. Use --compression-ratio "
            f"{len(pca.names) / pca.latent!r}."
        )
    return pca


def _streaming_codec(asked: Asked) -> StreamingCodec:
    pca = checkpoint_of(asked)
    made = partial(StreamingCodec, pca, lambda: pca.encode, lambda: pca.decode)
    return made(packing=asked.point.packing, threads=asked.threads)


def compressing(asked: Asked) -> AbstractContextManager[Work]:
    """Set up compression of a file of any format, which is read within the window."""
    codec = _streaming_codec(asked)
    return streamed_compression(asked, lambda source: codec, codec.fitted.names)


def decompressing(asked: Asked) -> AbstractContextManager[Work]:
    """Set up decompression to a file of the original format."""
    return streamed_decompression(asked, _streaming_codec(asked))

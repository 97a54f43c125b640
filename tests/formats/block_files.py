"""Files in every layout, written and read in blocks; shared by the tests of formats."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from baler_energy.formats import Block, Request, Source, open_sink, open_source

NAMES = ("pt", "n", "good")
DTYPES = ("float32", "int16", "bool")
SUFFIXES = {"table": "npz", "npz": "npz", "parquet": "parquet", "hdf5": "h5", "root": "root"}


def layout_hdf5(kind: str) -> dict[str, Any]:
    stored = ["float32"] * 3 if kind == "matrix" else list(DTYPES)
    filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    return {"format": "hdf5", "kind": kind, "path": "/deep/jets", "stored": stored, **filters}


def layout_root(kind: str, jagged: Sequence[str] = (), counter: str | None = None) -> dict[str, Any]:
    tree = {"tree": "Events", "title": "jets", "compression": ["ZSTD", 1]}
    return {"format": "root", "kind": kind, "jagged": list(jagged), "counter": counter, **tree}


LAYOUTS: dict[str, dict[str, Any]] = {
    "table": {"format": "table"},
    "npz": {"format": "npz", "stored": "float32"},
    "parquet": {"format": "parquet", "compression": "gzip"},
    "hdf5 matrix": layout_hdf5("matrix"),
    "hdf5 compound": layout_hdf5("compound"),
    "hdf5 group": layout_hdf5("group"),
    "root tree": layout_root("TTree"),
    "root ntuple": layout_root("RNTuple") | {"title": ""},
}


def numbers(rows: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    pt = rng.exponential(20.0, rows).astype(np.float32)
    return np.stack([pt, rng.integers(-9, 9, rows), rng.integers(0, 2, rows)], axis=1).astype(np.float64)


def write(
    path: Path, data: np.ndarray, layout: Mapping[str, Any], rows: int, dtypes: Sequence[str] = DTYPES
) -> dict[str, Any]:
    origin = {"source": "toy", "label": "toy data", "warnings": []}
    with open_sink(path, NAMES, dtypes, layout, origin) as sink:
        for start in range(0, len(data), rows):
            sink.write(Block(data[start : start + rows]))
    return origin


def joined(source: Source, rows: int) -> tuple[np.ndarray, np.ndarray | None]:
    blocks = list(source.blocks(rows))
    for block in blocks:
        assert block.data.dtype == np.float64 and block.data.flags.c_contiguous
        assert block.data.shape[1] == len(source.names)
        assert block.counts is None or block.counts.sum() == len(block.data)
    counts = [block.counts for block in blocks if block.counts is not None]
    data = np.concatenate([np.empty((0, len(source.names))), *(block.data for block in blocks)])
    return data, np.concatenate(counts) if counts else None


def copied(path: Path, again: Path, rows: int, request: Request | None = None) -> None:
    with (
        open_source(path, request) as source,
        open_sink(again, source.names, source.dtypes, source.layout, source.origin) as sink,
    ):
        for block in source.blocks(rows):
            sink.write(block)

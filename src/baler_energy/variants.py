"""Everything that comes in several variants, and the modules that only one of them needs.

A stage depends on the variants that it is run with, and on no others: `fingerprint` takes these modules into account
only where they are named, and `sources` names them. A new variant is its module and one line here.
"""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "BLOCKS",
    "CHAPTERS",
    "CODERS",
    "ENGINES",
    "GENERATORS",
    "METERS",
    "PEERS",
    "PROFILERS",
    "READERS",
    "TRANSFORMS",
    "load",
    "variant_modules",
]

_ROOT = "baler_energy"

#: Sources of events.
GENERATORS: Mapping[str, str] = {
    "pythia8": f"{_ROOT}.data.pythia8",
    "toy": f"{_ROOT}.data.toy",
}
#: File formats that `prepare` reads.
READERS: Mapping[str, str] = {
    "root": f"{_ROOT}.data.readers.root",
    "parquet": f"{_ROOT}.data.readers.parquet",
    "hdf5": f"{_ROOT}.data.readers.hdf5",
    "npz": f"{_ROOT}.data.readers.npz",
}
#: File formats that are read and written in blocks; ``table`` is the prepared table.
BLOCKS: Mapping[str, str] = {
    "table": f"{_ROOT}.data.blocks.npz",
    "npz": f"{_ROOT}.data.blocks.npz",
    "parquet": f"{_ROOT}.data.blocks.parquet",
    "hdf5": f"{_ROOT}.data.blocks.hdf5",
    "root": f"{_ROOT}.data.blocks.root",
}
#: Words of the axis ``packing``, up to their first hyphen.
CODERS: Mapping[str, str] = {
    "float64": f"{_ROOT}.codecs.coders.numbers",
    "float32": f"{_ROOT}.codecs.coders.numbers",
    "float16": f"{_ROOT}.codecs.coders.numbers",
    "zstd": f"{_ROOT}.codecs.coders.zstd",
    "lz4": f"{_ROOT}.codecs.coders.lz4",
    "pcodec": f"{_ROOT}.codecs.coders.pcodec",
    "bound": f"{_ROOT}.codecs.coders.bound",
}
#: Implementations of Baler's autoencoder: what each says of itself, and the modules of each operation, of which the
#: first one performs it.
ENGINES: Mapping[str | None, Mapping[str, tuple[str, ...]]] = {
    "reference": {
        "about": (f"{_ROOT}.codecs.engines.reference",),
        "train": (f"{_ROOT}.codecs.baler.training",),
        "compress": (f"{_ROOT}.codecs.baler.coder",),
        "decompress": (f"{_ROOT}.codecs.baler.coder",),
    },
    "fast": {
        "about": (f"{_ROOT}.codecs.engines.fast",),
        "train": (f"{_ROOT}.codecs.baler.fast",),
        "compress": (f"{_ROOT}.codecs.baler.streaming", BLOCKS["table"]),
        "decompress": (f"{_ROOT}.codecs.baler.streaming", BLOCKS["table"]),
    },
    "upstream": {
        "about": (f"{_ROOT}.codecs.engines.upstream",),
        "train": (f"{_ROOT}.codecs.upstream.training",),
        "compress": (f"{_ROOT}.codecs.upstream.compressing",),
        "decompress": (f"{_ROOT}.codecs.upstream.decompressing",),
        "profile": (f"{_ROOT}.codecs.upstream.profiling", f"{_ROOT}.codecs.baler.coder"),
    },
}
#: What turns rows into what is stored, and back; Baler's autoencoder has several implementations, its engines.
TRANSFORMS: Mapping[str, Mapping[str | None, Mapping[str, tuple[str, ...]]]] = {
    "baler": ENGINES,
    "pca": {
        None: {
            "about": (f"{_ROOT}.codecs.engines.pca",),
            "train": (f"{_ROOT}.codecs.pca", BLOCKS["table"]),
            "compress": (f"{_ROOT}.codecs.pca", BLOCKS["table"]),
            "decompress": (f"{_ROOT}.codecs.pca", BLOCKS["table"]),
        }
    },
    "identity": {
        None: {
            "about": (f"{_ROOT}.codecs.engines.identity",),
            "compress": (f"{_ROOT}.codecs.identity", BLOCKS["table"]),
            "decompress": (f"{_ROOT}.codecs.identity", BLOCKS["table"]),
        }
    },
}
#: Meters of a study, in the order in which they are asked.
METERS: Mapping[str, str] = {
    name: f"{_ROOT}.meters.{name}"
    for name in (
        "rapl",
        "nvml",
        "hwmon",
        "ipmi",
        "slurm",
        "power_supply",
        "powermetrics",
        "codecarbon",
        "process",
        "sampler",
    )
}
#: Other tools, which measure in extra repeats only.
PEERS: Mapping[str, str] = {
    name: f"{_ROOT}.meters.peers.{name}" for name in ("zeus", "carbontracker", "eco2ai", "perun", "pyjoules")
}
#: What shows where the time goes.
PROFILERS: Mapping[str, str] = {
    "cprofile": f"{_ROOT}.profilers.cprofile",
    "torch": f"{_ROOT}.profilers.torch_profiler",
    "scalene": f"{_ROOT}.profilers.scalene",
    "pyspy": f"{_ROOT}.profilers.pyspy",
    "copies": f"{_ROOT}.profilers.copies",
    "perf": f"{_ROOT}.profilers.perf",
}
#: Chapters of figures in the report.
CHAPTERS: Mapping[str, str] = {
    name: f"{_ROOT}.figures.{name}" for name in ("cost", "hotspots", "trust", "worth", "savings")
}


def load(module: str) -> Any:
    """Import a variant's module, when it is needed and not before."""
    return importlib.import_module(module)


def variant_modules() -> frozenset[str]:
    """Name the modules of all variants."""
    flat: list[Iterable[str]] = [
        family.values() for family in (GENERATORS, READERS, BLOCKS, CODERS, METERS, PEERS, PROFILERS, CHAPTERS)
    ]
    flat += [modules for transform in TRANSFORMS.values() for one in transform.values() for modules in one.values()]
    return frozenset(module for modules in flat for module in modules)

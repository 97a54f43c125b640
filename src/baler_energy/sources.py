"""Which modules each rule's result is made with: its stage, and those of the variants that it runs with.

`fingerprint.fingerprint` follows their imports. A test runs each stage with each variant and compares these lists with
the modules that were loaded.
"""

import itertools
from collections.abc import Iterable
from typing import Any, Protocol

from baler_energy.variants import (
    CHAPTERS,
    CODERS,
    ENGINES,
    FORMATS,
    GENERATORS,
    METERS,
    PEERS,
    PROFILERS,
    TABLES,
    TRANSFORMS,
)

__all__ = [
    "Codec",
    "analysed",
    "applied",
    "calibrated",
    "coder_modules",
    "drawn",
    "generated",
    "measured",
    "meter_modules",
    "peer",
    "prepared",
    "profiled",
    "reported",
    "separate_parts",
    "stage",
    "tabulated",
]


class Codec(Protocol):
    """Something that names a codec, such as a point."""

    @property
    def transform(self) -> str:
        """A value of the axis."""
        ...

    @property
    def engine(self) -> Any:
        """A value of the axis; None where the transform has no engines."""
        ...


class Packed(Codec, Protocol):
    """Something that names a codec and its packing."""

    @property
    def packing(self) -> str:
        """A value of the axis."""
        ...


def stage(name: str) -> str:
    """Name the module of a stage."""
    return f"baler_energy.stages.{name}"


def meter_modules(meters: Iterable[str]) -> tuple[str, ...]:
    """Modules of meters, each once; names that are no meter's (``session``) have none."""
    wanted, known = set(meters), {**METERS, **PEERS}
    return tuple(kind.module for name, kind in known.items() if name in wanted)


def generated(generator: str) -> tuple[str, ...]:
    """Modules behind a generated shard."""
    return stage("generate"), GENERATORS[generator]


def prepared(file_format: str | None) -> tuple[str, ...]:
    """Modules behind a table that was read from a file of a format, or from generated shards (None)."""
    return (stage("prepare"), *([] if file_format is None else [FORMATS[file_format].module]))


def calibrated(meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind a calibration, which trains with the fast engine on each number of threads."""
    return stage("calibrate"), *ENGINES["fast"]["train"], *meter_modules(meters)


def measured(operation: str, codec: Codec, meters: Iterable[str] = ()) -> tuple[str, ...]:
    """Modules behind an operation; one that engines do not implement is the same for all."""
    own = TRANSFORMS[codec.transform][codec.engine]
    return stage(operation), *own["about"], *own.get(operation, ()), *meter_modules(meters)


def coder_modules(packing: str) -> tuple[str, ...]:
    """Modules of the words of a packing; corrections that keep a bound are packed with zstd."""
    words = [] if packing == "none" else [word.partition("-")[0] for word in packing.split("+")]
    return tuple(CODERS[word] for word in [*words, *(["zstd"] if "bound" in words else [])])


def applied(point: Packed, meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind a codec's compression and decompression, and their errors."""
    both = (*measured("compress", point, meters), *measured("decompress", point, meters))
    return stage("apply"), stage("evaluate"), *both, *coder_modules(point.packing)


def separate_parts(point: Packed, meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind the costs of layers and of movements of data."""
    own = (*_operations(point), *coder_modules(point.packing), PROFILERS["torch"].module)
    return stage("parts"), *own, *meter_modules(meters)


def profiled(point: Packed, profiler: str) -> tuple[str, ...]:
    """Modules behind a profile."""
    return stage("profile"), *_operations(point), *coder_modules(point.packing), PROFILERS[profiler].module


def peer(codec: Codec, tool: str, meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind a training that another tool measures, too."""
    return stage("peer"), PEERS[tool].module, *measured("train", codec, meters)


def analysed(name: str, codecs: Iterable[Codec]) -> tuple[str, ...]:
    """Modules behind a stage that sees the results of codecs, and asks these what they are."""
    modules = (TRANSFORMS[one.transform][one.engine]["about"] for one in codecs)
    return stage(name), *dict.fromkeys(itertools.chain.from_iterable(modules))


def drawn(chapter: str) -> tuple[str, ...]:
    """Modules behind the figures of a chapter."""
    return stage("figures"), *CHAPTERS[chapter]


def tabulated() -> tuple[str, ...]:
    """Modules behind the report's tables."""
    return stage("tables"), *TABLES.values()


def reported() -> tuple[str, ...]:
    """Modules behind the report's first page, which names figures by their titles."""
    return stage("report"), *(module for modules in CHAPTERS.values() for module in modules)


def _operations(codec: Codec) -> tuple[str, ...]:
    """Modules that profile a codec: its own ones for that, or else those of its operations."""
    operations = TRANSFORMS[codec.transform][codec.engine]
    if "profile" in operations:
        return *operations["about"], *operations["profile"]
    return tuple(module for modules in operations.values() for module in modules)

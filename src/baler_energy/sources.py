"""The modules behind each rule's result: its stage, and the variants that it uses.

`fingerprint.fingerprint` follows their imports. A test runs each stage with each variant and compares these lists with
the loaded modules.
"""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from baler_energy.codecs.words import packing_words, split_pruning
from baler_energy.variants import (
    CHAPTERS,
    CODERS,
    ENGINES,
    FORMATS,
    GENERATORS,
    METERS,
    OPTIMIZERS,
    PEERS,
    PREPARED,
    PROFILERS,
    PRUNINGS,
    RUNTIMES,
    SCHEDULES,
    STARTS,
    TABLES,
    TIMED_STEP,
    TRANSFORMS,
)
from baler_energy.vocabulary import OPERATIONS, Operation

if TYPE_CHECKING:
    from baler_energy.config.parameters import Parameters

__all__ = [
    "analysed",
    "applied",
    "calibrated",
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


def stage(name: str) -> str:
    """Return the module of a stage."""
    return f"baler_energy.stages.{name}"


def meter_modules(meters: Iterable[str]) -> tuple[str, ...]:
    """Modules of meters, each once; names that are not meters (``session``) are ignored."""
    wanted, known = set(meters), {**METERS, **PEERS}
    return tuple(kind.module for name, kind in known.items() if name in wanted)


def generated(generator: str) -> tuple[str, ...]:
    """Modules behind a generated shard."""
    return stage("generate"), GENERATORS[generator].module


def prepared(file_format: str | None) -> tuple[str, ...]:
    """Modules behind a table that was read from a file in this format, or from generated shards (None)."""
    return (stage("prepare"), *([] if file_format is None else [FORMATS[file_format].module]))


def calibrated(meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind a calibration, which trains with each number of threads."""
    return stage("calibrate"), *TIMED_STEP, *meter_modules(meters)


def measured(
    operation: str, codec: "Parameters", meters: Iterable[str] = (), file_format: str = PREPARED
) -> tuple[str, ...]:
    """Modules behind an operation, including those of the engine if it implements the operation.

    ``file_format`` is the format of the file that is compressed or decompressed.
    """
    own = TRANSFORMS[codec.transform][codec.engine]
    more = _learning(codec) if operation == Operation.TRAIN else _running(codec)
    if operation in (Operation.COMPRESS, Operation.DECOMPRESS):
        more = (*more, *_coders(codec.packing))
    performing = _for_format(own.get(operation, ()), file_format)
    return stage(operation), *own["about"], *performing, *more, *meter_modules(meters)


def _coders(packing: str) -> tuple[str, ...]:
    """Modules of the words of a packing."""
    return tuple(module for word in packing_words(packing) for module in CODERS[word.name])


def _for_format(modules: tuple[str, ...], file_format: str) -> tuple[str, ...]:
    """Replace the module of prepared tables, which engines that read files list, by those of another format."""
    about, prepared = FORMATS[file_format], FORMATS[PREPARED].module
    if file_format == PREPARED or prepared not in modules:
        return modules
    return *(name for name in modules if name != prepared), about.module, *about.packed_with


def applied(point: "Parameters", meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind a codec's compression, decompression and errors."""
    both = (*measured("compress", point, meters), *measured("decompress", point, meters))
    return stage("apply"), stage("evaluate"), *both


def separate_parts(point: "Parameters", meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind the costs of layers and data movements."""
    return stage("parts"), *_operations(point), *_coders(point.packing), *meter_modules(meters)


def profiled(point: "Parameters", profiler: str) -> tuple[str, ...]:
    """Modules behind a profile."""
    return stage("profile"), *_operations(point), *_coders(point.packing), PROFILERS[profiler].module


def peer(codec: "Parameters", tool: str, meters: Iterable[str]) -> tuple[str, ...]:
    """Modules behind a training that is also measured by another tool."""
    return stage("peer"), PEERS[tool].module, *measured("train", codec, meters)


def analysed(name: str, codecs: Iterable["Parameters"]) -> tuple[str, ...]:
    """Modules behind a stage that reads the results of codecs and needs their descriptions."""
    modules = (TRANSFORMS[one.transform][one.engine]["about"] for one in codecs)
    return stage(name), *dict.fromkeys(itertools.chain.from_iterable(modules))


def drawn(chapter: str, codecs: Iterable["Parameters"] = ()) -> tuple[str, ...]:
    """Modules behind the figures of a chapter, and the descriptions of codecs, whose work some figures ask for."""
    return *analysed("figures", codecs), *CHAPTERS[chapter], *_in_figures()


def tabulated() -> tuple[str, ...]:
    """Modules behind the report's tables."""
    return stage("tables"), *TABLES.values(), *_in_figures()


def reported() -> tuple[str, ...]:
    """Modules behind the report's first page, which names figures by their titles."""
    return stage("report"), *itertools.chain.from_iterable(CHAPTERS.values()), *_in_figures()


def _in_figures() -> tuple[str, ...]:
    """Modules with what captions say about engines, all of which a caption names."""
    return tuple(module for modules in ENGINES.values() for module in modules.get("figures", ()))


def _operations(codec: "Parameters") -> tuple[str, ...]:
    """Modules for profiling a codec: its own profiling modules if it has them, else those of its operations."""
    operations = TRANSFORMS[codec.transform][codec.engine]
    if "profile" in operations:
        return *operations["about"], *operations["profile"]
    own = (operations.get(name, ()) for name in ("about", *OPERATIONS))
    return *itertools.chain.from_iterable(own), *_learning(codec)


def _learning(codec: "Parameters") -> tuple[str, ...]:
    """Modules of a training's start, schedule, optimizer and pruning."""
    optimizer = [OPTIMIZERS[codec.optimizer]] if codec.optimizer else []
    start = STARTS[codec.start].modules if codec.start else ()
    schedule = SCHEDULES[codec.schedule].modules if codec.schedule else ()
    kind = PRUNINGS.get(split_pruning(codec.pruning)[0]) if codec.pruning else None
    pruning = [kind.module] if kind else []
    return *start, *schedule, *optimizer, *pruning


def _running(codec: "Parameters") -> tuple[str, ...]:
    """Modules of the runtime that computes a trained network."""
    module = RUNTIMES[codec.runtime].module if codec.runtime else None
    return (module,) if module else ()

"""Everything that comes in several variants, and the modules that only one of them needs.

A stage only depends on the variants that it uses: `fingerprint` only counts these modules if they are named, and
`sources` names them. A new variant takes its module and one line here.
"""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from baler_energy.variant_kinds import (
    FileFormat,
    GeneratorKind,
    MeterKind,
    ProfilerKind,
    PruningKind,
    RuntimeKind,
    TrainingKind,
)

__all__ = [
    "CHAPTERS",
    "CODERS",
    "ENGINES",
    "FORMATS",
    "GENERATORS",
    "METERS",
    "NOTICES",
    "NO_TRANSFORM",
    "OPTIMIZERS",
    "PATIENT_SCHEDULES",
    "PEERS",
    "PREPARED",
    "PROFILERS",
    "PRUNINGS",
    "RUNTIMES",
    "SCHEDULES",
    "STARTS",
    "TABLES",
    "TIMED_ENGINE",
    "TIMED_STEP",
    "TRANSFORMS",
    "UPSTREAM",
    "load",
    "variant_modules",
]

_ROOT = "baler_energy"


#: Sources of events.
GENERATORS: Mapping[str, GeneratorKind] = {
    "pythia8": GeneratorKind(
        f"{_ROOT}.data.pythia8",
        "QCD dijets at 8 TeV from Pythia 8, clustered by FastJet; extra ``pythia``",
        options={"pt_hat_min": "minimum transverse momentum of the hard scatter (GeV)"},
    ),
    "toy": GeneratorKind(
        f"{_ROOT}.data.toy",
        "toy data from NumPy with the same columns, labelled as toy data wherever it appears",
        notice="toy data, not physics",
    ),
}
#: What the report says about generated data that are not physics.
NOTICES: Mapping[str, str] = {name: kind.notice for name, kind in GENERATORS.items() if kind.notice}
#: The format of prepared tables.
PREPARED = "table"
#: File formats.
FORMATS: Mapping[str, FileFormat] = {
    PREPARED: FileFormat(f"{_ROOT}.formats.npz", "prepared table", (".npz",), by_suffix=False),
    "root": FileFormat(
        f"{_ROOT}.formats.root",
        "ROOT file",
        (".root",),
        has_events=True,
        has_trees=True,
        is_remote=True,
        packed_with=(f"{_ROOT}.codecs.coders.zstd",),  # the number of objects of each event
    ),
    "parquet": FileFormat(f"{_ROOT}.formats.parquet", "Parquet file", (".parquet", ".parq", ".pq")),
    "hdf5": FileFormat(f"{_ROOT}.formats.hdf5", "HDF5 file", (".h5", ".hdf5", ".hdf"), has_trees=True),
    "npz": FileFormat(f"{_ROOT}.formats.npz", "npz file", (".npz",)),
}
#: Words of the axis ``packing``, without what follows their first hyphen: the module that defines the word, and those
#: that it also uses (corrections for an error bound are packed with zstd).
CODERS: Mapping[str, tuple[str, ...]] = {
    "float64": (f"{_ROOT}.codecs.coders.numbers",),
    "float32": (f"{_ROOT}.codecs.coders.numbers",),
    "float16": (f"{_ROOT}.codecs.coders.numbers",),
    "quantise": (f"{_ROOT}.codecs.coders.quantise",),
    "zstd": (f"{_ROOT}.codecs.coders.zstd",),
    "lz4": (f"{_ROOT}.codecs.coders.lz4",),
    "zlib": (f"{_ROOT}.codecs.coders.zlib",),
    "lzma": (f"{_ROOT}.codecs.coders.lzma",),
    "blosc2": (f"{_ROOT}.codecs.coders.blosc2",),
    "pcodec": (f"{_ROOT}.codecs.coders.pcodec",),
    "parquet": (f"{_ROOT}.codecs.coders.parquet",),
    "root": (f"{_ROOT}.codecs.coders.root",),
    "rntuple": (f"{_ROOT}.codecs.coders.root",),
    "sz2": (f"{_ROOT}.codecs.coders.sz2",),
    "sz3": (f"{_ROOT}.codecs.coders.sz3",),
    "zfp": (f"{_ROOT}.codecs.coders.zfp",),
    "bound": (f"{_ROOT}.codecs.coders.bound", f"{_ROOT}.codecs.coders.zstd"),
}
#: Implementations of Baler's autoencoder, in the order in which figures compare them: the module that describes it
#: (``about``), the modules of each operation, the first of which performs it, and what figures say about it
#: (``figures``), which no result of the engine depends on.
ENGINES: Mapping[str | None, Mapping[str, tuple[str, ...]]] = {
    "reference": {
        "about": (f"{_ROOT}.codecs.engines.reference",),
        "train": (f"{_ROOT}.codecs.baler.training",),
        "compress": (f"{_ROOT}.codecs.baler.in_memory",),
        "decompress": (f"{_ROOT}.codecs.baler.in_memory",),
        "figures": (f"{_ROOT}.codecs.engines.reference_figures",),
    },
    "upstream": {
        "about": (f"{_ROOT}.codecs.engines.upstream",),
        "train": (f"{_ROOT}.codecs.upstream.training",),
        "compress": (f"{_ROOT}.codecs.upstream.compressing",),
        "decompress": (f"{_ROOT}.codecs.upstream.decompressing", FORMATS["npz"].module),
        "profile": (f"{_ROOT}.codecs.upstream.profiling", f"{_ROOT}.codecs.baler.in_memory"),
        "figures": (f"{_ROOT}.codecs.engines.upstream_figures",),
    },
    "fast": {
        "about": (f"{_ROOT}.codecs.engines.fast",),
        "train": (f"{_ROOT}.codecs.baler.fast",),
        "compress": (f"{_ROOT}.codecs.baler.streaming", FORMATS[PREPARED].module),
        "decompress": (f"{_ROOT}.codecs.baler.streaming", FORMATS[PREPARED].module),
        "figures": (f"{_ROOT}.codecs.engines.fast_figures",),
    },
}
#: The engine that is Baler itself.
UPSTREAM = "upstream"
#: The transform that leaves the rows as they are, so that only the packing makes them smaller.
NO_TRANSFORM = "identity"
#: Transforms from rows to stored values and back; Baler's autoencoder has several implementations, its engines.
TRANSFORMS: Mapping[str, Mapping[str | None, Mapping[str, tuple[str, ...]]]] = {
    "baler": ENGINES,
    "pca": {
        None: {
            "about": (f"{_ROOT}.codecs.engines.pca",),
            "train": (f"{_ROOT}.codecs.pca", FORMATS[PREPARED].module),
            "compress": (f"{_ROOT}.codecs.pca", FORMATS[PREPARED].module),
            "decompress": (f"{_ROOT}.codecs.pca", FORMATS[PREPARED].module),
        }
    },
    NO_TRANSFORM: {
        None: {
            "about": (f"{_ROOT}.codecs.engines.identity",),
            "compress": (f"{_ROOT}.codecs.identity", FORMATS[PREPARED].module),
            "decompress": (f"{_ROOT}.codecs.identity", FORMATS[PREPARED].module),
        }
    },
}
#: Parameters that a training of Baler's autoencoder starts from.
STARTS: Mapping[str, TrainingKind] = {
    "random": TrainingKind("drawn from the seed, as Baler does"),
    "pca": TrainingKind(
        "principal components of the table, inside Baler's unchanged network: before any training it is the transform "
        "``pca``",
        (f"{_ROOT}.codecs.baler.pca_start",),
    ),
}
#: Schedules of the learning rate.
SCHEDULES: Mapping[str, TrainingKind] = {
    "constant": TrainingKind("no change"),
    "plateau": TrainingKind(
        "lowered when the loss has not fallen for ``training.plateau_patience`` epochs, 10 if not set",
        (f"{_ROOT}.codecs.baler.schedules.plateau",),
        patient=True,
    ),
    "one-cycle": TrainingKind(
        "once up and down over the whole training, a step at a time: PyTorch's ``OneCycleLR``",
        (f"{_ROOT}.codecs.baler.schedules.one_cycle",),
    ),
}
#: Schedules that wait for a plateau; the first one is the default if its patience is set.
PATIENT_SCHEDULES = tuple(name for name, kind in SCHEDULES.items() if kind.patient)
#: Optimizers of Baler's autoencoder: the module that makes one, and has its default learning rate.
OPTIMIZERS: Mapping[str, str] = {
    "adam": f"{_ROOT}.codecs.baler.optimizers.adam",
    "adamw": f"{_ROOT}.codecs.baler.optimizers.adamw",
    "nadam": f"{_ROOT}.codecs.baler.optimizers.nadam",
    "adagrad": f"{_ROOT}.codecs.baler.optimizers.adagrad",
    "rmsprop": f"{_ROOT}.codecs.baler.optimizers.rmsprop",
    "sgd": f"{_ROOT}.codecs.baler.optimizers.sgd",
    "lion": f"{_ROOT}.codecs.baler.optimizers.lion",
    "sophia": f"{_ROOT}.codecs.baler.optimizers.sophia",
    "muon": f"{_ROOT}.codecs.baler.optimizers.muon",
    "soap": f"{_ROOT}.codecs.baler.optimizers.soap",
}
#: The engine whose ``threads: auto`` is the calibrated number of threads, and the modules of the training step that is
#: timed for it.
TIMED_ENGINE = "fast"
TIMED_STEP = (*ENGINES[TIMED_ENGINE]["train"], OPTIMIZERS["adam"])
#: Kinds of pruning: values of the axis ``pruning`` without the share that is pruned.
PRUNINGS: Mapping[str, PruningKind] = {
    "neurons": PruningKind(
        f"{_ROOT}.codecs.baler.pruning.neurons",
        "the half of the hidden neurons with the smallest magnitude",
        structured=True,
    ),
    "costly-neurons": PruningKind(
        f"{_ROOT}.codecs.baler.pruning.costly_neurons",
        "those with the smallest magnitude relative to the measured time of their layer",
        structured=True,
    ),
    "weights": PruningKind(
        f"{_ROOT}.codecs.baler.pruning.weights",
        "the smallest weights are set to zero, which saves nothing; not supported by engine ``fast``",
    ),
}
#: Runtimes of Baler's trained autoencoder in the engine ``reference``; the first one is PyTorch itself.
RUNTIMES: Mapping[str, RuntimeKind] = {
    "eager": RuntimeKind(meaning="PyTorch, as Baler does"),
    "torch-compile": RuntimeKind(f"{_ROOT}.codecs.baler.runtimes.torch_compile"),
    "aot-inductor": RuntimeKind(f"{_ROOT}.codecs.baler.runtimes.aot_inductor", meaning="``torch.export``"),
    "torchscript": RuntimeKind(
        f"{_ROOT}.codecs.baler.runtimes.torchscript", deprecated=True, meaning="deprecated by PyTorch"
    ),
    "onnx-runtime": RuntimeKind(f"{_ROOT}.codecs.baler.runtimes.onnx_runtime"),
    "onnx-runtime-int8": RuntimeKind(
        f"{_ROOT}.codecs.baler.runtimes.onnx_runtime_int8",
        refused={"float64": "it multiplies 8-bit integers and adds float32"},
        meaning="8-bit products",
    ),
    "openvino": RuntimeKind(
        f"{_ROOT}.codecs.baler.runtimes.openvino", refused={"float64": "it computes in float32, without saying so"}
    ),
    "tensorrt": RuntimeKind(
        f"{_ROOT}.codecs.baler.runtimes.tensorrt",
        refused={"float64": "it has no matrix products in float64"},
        meaning="NVIDIA GPUs",
    ),
}
#: Meters of a study, in the order of their readings and of their priority in totals.
METERS: Mapping[str, MeterKind] = {
    "rapl": MeterKind(
        f"{_ROOT}.meters.rapl",
        "Running Average Power Limit counters of the CPU (pyRAPL or powercap)",
        totals=("cpu", "dram"),
    ),
    "nvml": MeterKind(f"{_ROOT}.meters.nvml", "NVIDIA management library", totals=("gpu",)),
    "ipmi": MeterKind(
        f"{_ROOT}.meters.ipmi", "power of the node, from its baseboard management controller", totals=("node",)
    ),
    "hwmon": MeterKind(
        f"{_ROOT}.meters.hwmon",
        "power and energy sensors of the board, as reported by Linux's hwmon",
        totals=("cpu", "gpu", "node"),
    ),
    "slurm": MeterKind(
        f"{_ROOT}.meters.slurm",
        "the node's energy as recorded by SLURM (ConsumedEnergyRaw of the job step)",
        totals=("node",),
    ),
    "power_supply": MeterKind(
        f"{_ROOT}.meters.power_supply", "batteries and AC adapters, as reported by Linux", totals=("node",)
    ),
    "powermetrics": MeterKind(
        f"{_ROOT}.meters.powermetrics",
        "Apple silicon's power estimates, from macOS's powermetrics",
        totals=("cpu", "gpu"),
    ),
    "codecarbon": MeterKind(f"{_ROOT}.meters.codecarbon", "codecarbon's tracker", totals=("cpu", "gpu", "ram")),
    "process": MeterKind(f"{_ROOT}.meters.process", "the operating system's counters of this process and its children"),
    "sampler": MeterKind(
        f"{_ROOT}.meters.sampler", "the sampling thread (utilisation, memory, temperature, clocks, power)"
    ),
}
#: Other tools, which only measure extra repeats.
PEERS: Mapping[str, MeterKind] = {
    "zeus": MeterKind(f"{_ROOT}.meters.peers.zeus", "Zeus, a peer"),
    "carbontracker": MeterKind(f"{_ROOT}.meters.peers.carbontracker", "carbontracker, a peer"),
    "perun": MeterKind(f"{_ROOT}.meters.peers.perun", "perun, a peer"),
    "pyjoules": MeterKind(f"{_ROOT}.meters.peers.pyjoules", "pyJoules, a peer"),
}
#: Profilers, which show where the time goes.
PROFILERS: Mapping[str, ProfilerKind] = {
    "cprofile": ProfilerKind(
        f"{_ROOT}.profilers.cprofile",
        "profile.pstats (snakeviz opens it): functions and their call tree",
        tool="cProfile",
        shows=("functions", "calls"),
    ),
    "torch": ProfilerKind(
        f"{_ROOT}.profilers.torch_profiler",
        "trace.json (ui.perfetto.dev opens it): operators, and on a GPU kernels, copies and waiting",
        tool="torch.profiler",
        shows=("operators", "gpu"),
        environment={"KINETO_LOG_LEVEL": "99"},  # no messages when it starts and stops
    ),
    "scalene": ProfilerKind(
        f"{_ROOT}.profilers.scalene",
        "scalene.json, scalene.html: lines, with Python, native and system time, memory and copies",
        tool="Scalene",
        shows=("lines",),
    ),
    "pyspy": ProfilerKind(
        f"{_ROOT}.profilers.pyspy",
        "flamegraph.svg, speedscope.json (speedscope.app opens it): sampled stacks",
        tool="py-spy",
        shows=("samples",),
    ),
    "copies": ProfilerKind(
        f"{_ROOT}.profilers.copies", "lines that copy data, with the number of bytes", shows=("copies",)
    ),
    "perf": ProfilerKind(
        f"{_ROOT}.profilers.perf",
        "counters of the CPU: instructions, cycles, misses of the last cache",
        tool="perf",
        shows=("counters",),
    ),
    "parts": ProfilerKind(
        f"{_ROOT}.stages.parts",
        "layers and data movements, each in a measured loop",
        "parts",
        ("prepare", "machine"),
        shows=("parts",),
    ),
}
#: Chapters of the report, each with the modules of its figures, in their order.
CHAPTERS: Mapping[str, tuple[str, ...]] = {
    chapter: tuple(f"{_ROOT}.figures.{chapter}.{name}" for name in modules.split())
    for chapter, modules in {
        "cost": "sweeps loss emissions",
        "hotspots": "components parts roofline calls functions lines operators parallel gpu_timeline",
        "trust": "timeseries meters calibration spread iterations contamination foreign",
        "worth": "scorecard rate_distortion column_types codec_costs coder_gain break_even derived held_out "
        "distributions column_errors error_energy",
        "savings": "error_joules factors optimizers engines difference packing models runtimes",
        "forecast": "predicted cost_metrics",
    }.items()
}
#: Tables of the report.
TABLES: Mapping[str, str] = {
    name: f"{_ROOT}.figures.tables.{name}"
    for name in (
        "original_layout",
        "summary",
        "metrics",
        "glossary",
        "codecs",
        "error_measures",
        "physics",
        "ratios",
        "break_even",
        "published",
        "savings",
        "optimizers",
        "pruning",
        "engines",
        "models",
        "runtimes",
        "laws",
        "validation",
        "cost_metrics",
        "variation",
        "peers",
        "findings",
        "calibration",
        "temperatures",
        "counters",
        "flagged",
    )
}


def load(module: str) -> Any:
    """Import a variant's module, only when it is needed."""
    return importlib.import_module(module)


def variant_modules() -> frozenset[str]:
    """Return the modules of all variants."""
    flat: list[Iterable[str]] = [OPTIMIZERS.values(), TABLES.values(), *CHAPTERS.values(), *CODERS.values()]
    flat += [one.modules for family in (STARTS, SCHEDULES) for one in family.values()]
    flat.append(one.module for one in RUNTIMES.values() if one.module)
    own = (GENERATORS, FORMATS, METERS, PEERS, PROFILERS, PRUNINGS)
    flat += [[one.module for one in family.values()] for family in own]
    flat += [modules for transform in TRANSFORMS.values() for one in transform.values() for modules in one.values()]
    return frozenset(module for modules in flat for module in modules)

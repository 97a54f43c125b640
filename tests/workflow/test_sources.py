"""A rule's fingerprint covers what its command loads: each stage with each variant, each in its own process."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from compared_sources import WINDOW, Files, check, codec, compare, loaded, options

from baler_energy import fingerprint, sources
from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.packing import Packing
from baler_energy.errors import InputError
from baler_energy.formats import FILE_FORMATS, format_of
from baler_energy.meters.options import meter_class
from baler_energy.variants import (
    CODERS,
    ENGINES,
    GENERATORS,
    METERS,
    NO_TRANSFORM,
    OPTIMIZERS,
    PEERS,
    PROFILERS,
    PRUNINGS,
    RUNTIMES,
    SCHEDULES,
    STARTS,
    TRANSFORMS,
    UPSTREAM,
    load,
    variant_modules,
)

pytestmark = pytest.mark.long


def test_a_generated_shard(made: Files) -> None:
    arguments = ["generate", "--source", "toy", "--rows", "200", "--seed", "1", "--out", made.out / "shard.npz"]
    check(made, arguments, *sources.generated("toy"))


def test_a_table_of_shards(made: Files) -> None:
    (shard, *_) = (made.results / "data" / "toy" / "shards").iterdir()
    arguments = ["prepare", "--input", shard, "--generated", "--rows", "100", "--out", made.out / "table.npz"]
    check(made, arguments, *sources.prepared(None))


def test_a_shard_of_an_event_generator_in_a_process_of_its_own(made: Files) -> None:
    if missing := [name for name in ("pythia8mc", "fastjet") if find_spec(name) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    words = ["--rows", "20", "--seed", "1", "--out", made.out / "shard.npz"]
    names = loaded(made, ["generate", "--source", "pythia8", *words])
    names |= loaded(made, [*words, "--pt-hat-min", "15"], program=GENERATORS["pythia8"].module)
    compare(names, *sources.generated("pythia8"))


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_a_table_of_a_file(made: Files, repository: Path, name: str) -> None:
    (file,) = (path for path in (repository / "tests/formats/fixtures").iterdir() if format_of(str(path)) == name)
    arguments = ["prepare", "--input", file, "--rows", "all", "--out", made.out / "table.npz"]
    check(made, arguments, *sources.prepared(name))


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_a_file_that_is_compressed_as_it_is(made: Files, repository: Path, name: str) -> None:
    (file,) = (path for path in (repository / "tests/formats/fixtures").iterdir() if format_of(str(path)) == name)
    words = ["--transform", NO_TRANSFORM, "--device", "cpu", "--threads", "1", *WINDOW, "process"]
    stored = codec(None, NO_TRANSFORM, optimizer=None)
    compress = ["compress", "--data", file, "--out", made.out, *words]
    check(made, compress, *sources.measured("compress", stored, ["process"], name))
    decompress = ["decompress", "--compressed", made.out / "table.baler", "--out", made.out / "back", *words]
    check(made, decompress, *sources.measured("decompress", stored, ["process"], name))


def test_a_calibration(made: Files) -> None:
    arguments = ["calibrate", "--calibrate-s", "0.05", "--meters", "process", "--out", made.out / "calibration.json"]
    check(made, arguments, *sources.calibrated(["process"]))


@pytest.mark.parametrize("name", [*METERS, *PEERS])
def test_a_meter(made: Files, name: str) -> None:
    arguments = ["measure", *WINDOW, name, "--", "true"]
    # 3: this machine lacks the meter, which was requested by name.
    check(made, arguments, sources.stage("measure"), *sources.meter_modules([name]), codes=(0, 3))


@pytest.mark.parametrize("name", PRUNINGS)
def test_a_kind_of_pruning(made: Files, name: str) -> None:
    pruning = f"{name}-0.5"
    arguments = ["train", "--data", made.table, "--out", made.out, *options("reference"), "--pruning", pruning, *WINDOW]
    check(made, [*arguments, "process"], *sources.measured("train", codec(pruning=pruning), ["process"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training(made: Files, engine: str) -> None:
    arguments = ["train", "--data", made.table, "--out", made.out, *options(engine), *WINDOW, "process"]
    check(made, arguments, *sources.measured("train", codec(engine), ["process"]))
    record = json.loads((made.out / "measurement.json").read_text("utf-8"))
    assert record["provenance"]["source"] == fingerprint.source_hash(
        *sources.measured("train", codec(engine), ["process"])
    )
    versions = fingerprint.package_versions(*sources.measured("train", codec(engine), ["process"]))
    assert versions.items() <= record["provenance"]["software"].items() and "torch" in versions


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != UPSTREAM])
def test_the_packing_of_a_trained_codec_is_only_checked(made: Files, engine: str) -> None:
    words = [*options(engine), "--packing", "zstd", *WINDOW, "process"]
    names = loaded(made, ["train", "--data", made.table, "--out", made.out, *words])
    modules = sources.measured("train", codec(engine, packing="zstd"), ["process"])
    compare(names, *modules, checked=CODERS["zstd"])
    record = json.loads((made.out / "measurement.json").read_text("utf-8"))
    assert record["provenance"]["source"] == fingerprint.source_hash(*modules)


@pytest.mark.parametrize("start", STARTS)
def test_a_start_of_training(made: Files, start: str) -> None:
    arguments = ["train", "--data", made.table, "--out", made.out, *options("fast"), "--start", start, *WINDOW]
    check(made, [*arguments, "process"], *sources.measured("train", codec("fast", start=start), ["process"]))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_of_training(made: Files, schedule: str) -> None:
    arguments = ["train", "--data", made.table, "--out", made.out, *options("fast"), "--schedule", schedule, *WINDOW]
    check(made, [*arguments, "process"], *sources.measured("train", codec("fast", schedule=schedule), ["process"]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer(made: Files, name: str) -> None:
    arguments = ["train", "--data", made.table, "--out", made.out, *options("reference"), "--optimizer", name, *WINDOW]
    check(made, [*arguments, "process"], *sources.measured("train", codec(optimizer=name), ["process"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_codec_that_is_applied(made: Files, engine: str) -> None:
    check(
        made,
        ["apply", *made.applied, *options(engine), *WINDOW, "process"],
        *sources.applied(codec(engine), ["process"]),
    )


def slow_if_compiled(name: str) -> Any:
    """Return a runtime as a parameter of a test, which is slow if a C++ compiler has to run."""
    runtime = runtime_of(name)
    return pytest.param(name, marks=[pytest.mark.slow] if runtime and runtime.compiles else [])


@pytest.mark.parametrize("name", [slow_if_compiled(name) for name in RUNTIMES])
def test_a_runtime(made: Files, name: str) -> None:
    runtime = runtime_of(name)
    if runtime and (reason := runtime.missing()):
        pytest.skip(reason)
    words = [*options("reference"), "--runtime", name, "--data", made.table, *WINDOW, "process"]
    checkpoint = made.checkpoint
    if "float64" in RUNTIMES[name].refused:
        words = ["--precision", "float32", *words]
        loaded(made, ["train", "--out", made.out / "train", *words])
        checkpoint = made.out / "train" / "checkpoint.pt"
    arguments = ["apply", "--checkpoint", checkpoint, "--out", made.out / "applied", *words]
    check(made, arguments, *sources.applied(codec(runtime=name), ["process"]))


@pytest.mark.parametrize("name", [name for name, implementations in TRANSFORMS.items() if None in implementations])
def test_another_transform(made: Files, name: str) -> None:
    words = ["--transform", name, "--device", "cpu", "--threads", "1", *WINDOW, "process"]
    applied = ["apply", "--data", made.table, "--out", made.out / "applied", *words]
    if "train" in TRANSFORMS[name][None]:
        train = ["train", "--data", made.table, "--out", made.out / "train", *words]
        check(made, train, *sources.measured("train", codec(None, name, optimizer=None), ["process"]))
        applied += ["--checkpoint", made.out / "train" / "checkpoint.pt"]
    check(made, applied, *sources.applied(codec(None, name, optimizer=None), ["process"]))


def example_of(word: str) -> str:
    """Return the word, with the parameter of its usage if it needs one."""
    try:
        Packing.parse(word)
    except InputError:
        return re.search(rf"\b{word}-[\w.-]+", load(CODERS[word][0]).WORD.usage)[0]
    return word


@pytest.mark.parametrize("word", CODERS)
def test_a_packing(made: Files, word: str) -> None:
    packing = example_of(word)
    if reason := Packing.parse(packing).missing():
        pytest.skip(reason)
    arguments = ["apply", *made.applied, *options("reference"), "--packing", packing, *WINDOW, "process"]
    check(made, arguments, *sources.applied(codec(packing=packing), ["process"]))


@pytest.mark.parametrize("engine", ENGINES)
def test_separate_operations(made: Files, engine: str) -> None:
    words = [*options(engine), *WINDOW, "process"]
    check(made, ["compress", *made.applied, *words], *sources.measured("compress", codec(engine), ["process"]))
    back = ["--compressed", made.out / "table.baler", "--checkpoint", made.checkpoint, "--out", made.out / "back"]
    check(made, ["decompress", *back, *words], *sources.measured("decompress", codec(engine), ["process"]))


def test_a_forward_pass(made: Files) -> None:
    arguments = ["forward", *made.applied, *options("reference"), *WINDOW, "process"]
    check(made, arguments, *sources.measured("forward", codec(), ["process"]))


def test_parts(made: Files) -> None:
    words = [*options("reference"), "--start", "pca", "--optimizer", "soap", "--max-batches", "1"]
    modules = sources.separate_parts(codec(start="pca", optimizer="soap"), ["process"])
    check(made, ["parts", *made.applied, *words, *WINDOW, "process"], *modules)


@pytest.mark.parametrize(
    ("engine", "name"),
    [
        *(("reference", name) for name, kind in PROFILERS.items() if kind.stage == "profile"),
        ("fast", "cprofile"),
        ("upstream", "cprofile"),
    ],
)
def test_a_profile(made: Files, engine: str, name: str) -> None:
    operations = ["--profiler", name, "--operation", "train", "compress", "decompress", "--max-batches", "1"]
    # Scalene takes minutes and runs the operation in another process, so it is stopped here.
    elsewhere = name == "scalene"
    arguments = ["profile", *made.applied, *options(engine), *operations, "--time-limit-s", "1" if elsewhere else "60"]
    check(made, arguments, *sources.profiled(codec(engine), name), elsewhere=elsewhere)


@pytest.mark.parametrize("tool", PEERS)
def test_another_tool(made: Files, tool: str) -> None:
    words = ["--data", made.table, "--out", made.out, *options("reference"), *WINDOW, "process"]
    # The stage kills its training at once; the same training then runs here.
    names = loaded(made, ["peer", "--tool", tool, "--time-limit-s", "0.1", *words])
    is_installed = find_spec(meter_class(tool).package) is not None
    names |= loaded(made, ["train", *words, tool], codes=(0,) if is_installed else (3,))
    compare(names, *sources.peer(codec(), tool, ["process"]), elsewhere=not is_installed)


@pytest.mark.parametrize("name", [name for name, implementations in TRANSFORMS.items() if None in implementations])
def test_a_profile_of_another_transform(made: Files, name: str) -> None:
    words = ["--transform", name, "--device", "cpu", "--threads", "1"]
    operations = [one for one in ("train", "compress", "decompress") if one in TRANSFORMS[name][None]]
    arguments = ["profile", "--data", made.table, "--out", made.out / "profile", *words, "--profiler", "cprofile"]
    if "train" in operations:
        train = ["train", "--data", made.table, "--out", made.out / "train", *words, *WINDOW, "process"]
        check(made, train, *sources.measured("train", codec(None, name, optimizer=None), ["process"]))
        arguments += ["--checkpoint", made.out / "train" / "checkpoint.pt"]
    arguments += ["--operation", *operations]
    check(made, arguments, *sources.profiled(codec(None, name, optimizer=None), "cprofile"))


def test_every_variant_is_a_module_that_exists() -> None:
    assert all(fingerprint._path(module) for module in variant_modules())

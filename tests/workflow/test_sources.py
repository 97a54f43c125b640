"""A rule's fingerprint covers what its command loads: each stage with each variant, each in its own process."""

import json
import os
import re
import runpy
import shutil
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from loaded_modules import loaded_by

from baler_energy import fingerprint, sources
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.upstream import files
from baler_energy.config.study import Point, load_study
from baler_energy.errors import InputError
from baler_energy.formats import FILE_FORMATS, format_of
from baler_energy.meters.options import meter_class
from baler_energy.records import Measurement
from baler_energy.variants import (
    CHAPTERS,
    CODERS,
    ENGINES,
    GENERATORS,
    METERS,
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

#: Loaded by every command, but without effect on what it computes.
COMMAND_LINE = {
    f"baler_energy.{name}" for name in ("cli", "warm", "forked", "fingerprint", "errors", "signals", "temporaries")
}
POINT = "toy/rows~400/epochs~1/repeat~0"
WINDOW = ["--min-window-s", "0", "--idle-s", "0", "--sample-interval-s", "0.02", "--meters"]


@dataclass(frozen=True)
class Files:
    """A finished study, and a folder to write to."""

    study: Path
    out: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        """Its results."""
        return self.study / "results" / "tiny"

    @property
    def table(self) -> Path:
        """A table."""
        return self.results / "data" / "toy" / "rows~400" / "table.npz"

    @property
    def checkpoint(self) -> Path:
        """A codec trained on the table."""
        return self.results / "runs" / POINT / "train" / "checkpoint.pt"

    @property
    def applied(self) -> list[str]:
        """Options of a stage that applies the codec to the table."""
        return ["--data", str(self.table), "--checkpoint", str(self.checkpoint), "--out", str(self.out)]


@pytest.fixture
def made(finished: Path, tmp_path: Path, stand_in_baler: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Return the finished study, with the stand-in for upstream Baler."""
    made = Files(finished, tmp_path / "out")
    files.write_model(tmp_path / "model.pt", Checkpoint.read(made.checkpoint))
    monkeypatch.setenv("STAND_IN_MODEL", str(tmp_path / "model.pt"))
    return Files(finished, tmp_path / "out", dict(os.environ))


def check(
    made: Files, arguments: list[str | Path], *modules: str, codes: tuple[int, ...] = (0,), elsewhere: bool = False
) -> None:
    """Compare what a command and its modules load: both ways, or one way if other processes load the rest."""
    compare(loaded(made, arguments, codes=codes), *modules, elsewhere=elsewhere)


def loaded(
    made: Files, arguments: list[str | Path], *, program: str = "baler_energy.cli", codes: tuple[int, ...] = (0,)
) -> set[str]:
    """Run a command, and return what it loads."""
    code, names = loaded_by([str(word) for word in arguments], made.environment, program)
    assert code in codes
    return names


def compare(names: set[str], *modules: str, elsewhere: bool = False, checked: tuple[str, ...] = ()) -> None:
    """Compare the modules that were loaded and those that `modules` load, as in `check`.

    Modules that are only loaded to check an option, `checked`, need not be in the fingerprint.
    """
    behind = fingerprint.modules_behind(*modules)
    names = names - (fingerprint.modules_behind(*checked) - behind)
    assert names - behind - COMMAND_LINE - fingerprint.REGISTRIES == set(), "loaded, but not in the fingerprint"
    assert elsewhere or (behind & variant_modules()) - names == set(), "in the fingerprint, but not loaded"


def codec(
    engine: str | None = "reference",
    transform: str = "baler",
    packing: str = "none",
    *,
    start: str | None = None,
    schedule: str | None = None,
    optimizer: str | None = "adam",
    pruning: str | None = None,
    runtime: str | None = None,
) -> SimpleNamespace:
    """Name a codec."""
    learning = {"start": start, "schedule": schedule, "optimizer": optimizer, "pruning": pruning}
    return SimpleNamespace(transform=transform, engine=engine, packing=packing, runtime=runtime, **learning)


def options(engine: str, operation: str | None = None) -> list[str]:
    """Options of a point."""
    stage = [] if operation is None else [operation]
    return [*stage, "--engine", engine, "--device", "cpu", "--threads", "1", "--epochs", "1"]


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


def test_derived_quantities(made: Files) -> None:
    back = made.results / "runs" / POINT / "decompress" / "reconstructed.npz"
    derived = '{"total": {"sum": ["pt", "mass"], "windows": {"low": [0, 50]}}}'
    arguments = ["derive", "--original", made.table, "--reconstructed", back, "--derived", derived, "--out", made.out]
    check(made, arguments, sources.stage("derive"))


def study_of(made: Files, **changes: Any) -> tuple[Path, tuple[Point, ...]]:
    """Write a study and its results, in which each point has the files of the finished study; return its points."""
    study, results = made.out / "study.yaml", made.out / "results"
    text = yaml.safe_load((made.results / "study.yaml").read_text()) | {"profile": {"points": []}} | changes
    shutil.copytree(made.results / "calibration", results / "calibration")
    study.write_text(yaml.safe_dump(text))
    points = load_study(study).points
    for point in points:
        shutil.copytree(made.results / "runs" / POINT, results / "runs" / point.path)
        own = {name: value for name, value in point.model_dump().items() if name not in ("device", "rows", "threads")}
        for path in (results / "runs" / point.path).glob("*/measurement.json"):
            record = Measurement.read(path)
            record.model_copy(update={"run_id": point.path, "parameters": record.parameters | own}).write(path)
    return study, points


@pytest.mark.parametrize(
    ("transform", "engine"), [(name, engine) for name, engines in TRANSFORMS.items() for engine in engines]
)
def test_a_collection(made: Files, transform: str, engine: str | None) -> None:
    axes = {"rows": [400], "epochs": [1], "transform": [transform], "engine": [engine or "reference"]}
    study, points = study_of(made, axes=axes)
    assert [(point.transform, point.engine) for point in points] == [(transform, engine)]
    arguments = ["collect", "--study", study, "--results", made.out / "results", "--out", made.out / "dataset"]
    check(made, [*arguments, "--processes", "1"], *sources.analysed("collect", points))
    assert pq.read_table(made.out / "dataset" / "runs.parquet")["transform"].unique().to_pylist() == [transform]


def test_a_round_of_repeats(made: Files) -> None:
    axes = {"rows": [400], "epochs": [1], "transform": ["baler", "identity"]}
    study, points = study_of(made, axes=axes, repeats={"least": 2, "most": 3})
    out = made.out / "results" / "repeats" / "round~1.json"
    arguments = ["repeats", "--study", study, "--results", made.out / "results", "--round", "1", "--out", out]
    check(made, arguments, *sources.analysed("repeats", points))
    assert len(json.loads(out.read_text())["relative_half_widths"]) == 2


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_figures(made: Files, chapter: str) -> None:
    arguments = ["figures", "--dataset", made.results / "dataset", "--chapter", chapter, "--out", made.out]
    check(made, arguments, *sources.drawn(chapter))


def test_tables_and_the_first_page(made: Files) -> None:
    dataset = ["--dataset", made.results / "dataset"]
    behind = (*sources.tabulated(), *sources.analysed("tables", [codec()]))
    check(made, ["tables", *dataset, "--out", made.out], *behind)
    drawn = [made.results / "figures" / chapter for chapter in CHAPTERS]
    page = ["report", *dataset, "--figures", *drawn, "--out", made.out / "overview.rst"]
    check(made, page, *sources.reported())


def test_foreign_files(made: Files, repository: Path, tmp_path: Path) -> None:
    text = runpy.run_path(str(repository / "tests" / "foreign" / "conftest.py"))["codecarbon_text"]()
    log = tmp_path / "emissions.csv"
    log.write_text(text)
    check(made, ["import", log, "--out", made.out], sources.stage("import_files"))


def test_every_variant_is_a_module_that_exists() -> None:
    assert all(fingerprint._path(module) for module in variant_modules())

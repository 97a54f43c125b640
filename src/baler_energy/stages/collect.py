"""Stage ``collect``: the records of all runs as one tidy dataset."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from baler_energy.analysis import tidy
from baler_energy.analysis.electricity import Electricity, electricity_rows
from baler_energy.analysis.formulas import formula_rows
from baler_energy.analysis.peers import peer_rows
from baler_energy.analysis.schema import TABLES, arrow_schema, check_columns, datapackage
from baler_energy.errors import InputError
from baler_energy.files import atomic_path, read_json, write_json
from baler_energy.meters.calibration import Calibration, calibration_rows
from baler_energy.meters.wattmeter import Log, read_log, wattmeter_readings
from baler_energy.progress import progress, say
from baler_energy.records import Measurement
from baler_energy.study import Study, load_study

__all__ = ["EPILOG", "HELP", "add_arguments", "collect", "run"]

HELP = "merge the records of a study into tidy Parquet tables"
EPILOG = """\
example:
  baler-energy collect --study results/laptop/study.yaml --results results/laptop --out results/laptop/dataset

Every file is named by the study's grid; a missing one is an error. datapackage.json describes each column.
"""

MEASURED = ("train", "compress", "decompress")
#: What the stage `parts` measures besides: reading the table, and the machine's peaks.
BESIDE = ("prepare", "machine")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this stage."""
    parser.add_argument("--study", type=Path, required=True, help="the study (YAML), as a file under config/")
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset")


def run(args: argparse.Namespace) -> None:
    """Run this stage."""
    collect(load_study(args.study), args.results, args.out)


def collect(study: Study, results: Path, out: Path) -> None:
    """Write each table of `TABLES` as ``<table>.parquet``, then ``datapackage.json``.

    Parameters
    ----------
    study
        The study whose grid names the files.
    results
        Folder with ``runs/``, ``profiles/``, ``calibration/``, ``peers/`` and ``foreign/``.
    out
        Folder of the dataset.

    Raises
    ------
    InputError
        A file of the grid is missing or damaged.
    """
    electricity = Electricity.of(
        country=study.country,
        value=study.carbon_intensity_g_per_kwh,
        csv=None if study.carbon_intensity_csv is None else Path(study.carbon_intensity_csv),
        pue=study.pue,
    )
    builders: dict[str, Callable[[], Iterable[pd.DataFrame]]] = {
        "measurements": partial(_measurements, study, results, electricity),
        "runs": partial(_runs, study, results, electricity),
        "samples": partial(_samples, study, results),
        "history": partial(_history, study, results),
        "errors": partial(_evaluated, study, results, "errors"),
        "histograms": partial(_evaluated, study, results, "histograms", first_repeat_only=True),
        "hotspots": partial(_hotspots, study, results),
        "models": partial(_models, study, results),
        "calibration": partial(_calibration, study, results),
        "peers": partial(_peers, study, results, electricity),
        "foreign": partial(_imported, study, results, "foreign"),
        "findings": partial(_imported, study, results, "findings"),
        "electricity": lambda: [pd.DataFrame(electricity_rows(electricity))],
    }
    for name in TABLES:
        rows = _write(name, builders[name](), out / f"{name}.parquet")
        say(f"{name}: {rows} rows")
    write_json(out / "datapackage.json", datapackage(study.name))


def _write(name: str, frames: Iterable[pd.DataFrame], path: Path) -> int:
    """Write frames one after the other, so that memory holds one of them; return the number of rows."""
    schema, rows = arrow_schema(name), 0
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for frame in frames:
            check_columns(name, list(frame.columns))
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
            rows += len(frame)
    return rows


def _records(study: Study, results: Path) -> Iterator[tuple[Path, list[Measurement]]]:
    """Each point's folder with the records of its operations."""
    points, sized, log = list(study.by_path), set(study.sized), _wattmeter_log(study)
    for point in progress(points, total=len(points), label="collect", unit="points"):
        folder = results / "runs" / point
        operations = (*MEASURED, "forward") if study.by_path[point] in sized else MEASURED
        records = [Measurement.read(folder / operation / "measurement.json") for operation in operations]
        yield folder, [_with_wattmeter(record, study, log) for record in records]


def _wattmeter_log(study: Study) -> Log | None:
    if study.wattmeter is None:
        return None
    return read_log(Path(study.wattmeter.path), clock_offset_s=study.wattmeter.clock_offset_s)


def _with_wattmeter(record: Measurement, study: Study, log: Log | None) -> Measurement:
    """Add to a record what the external wattmeter saw in its window."""
    if log is None or study.wattmeter is None:
        return record
    hosts = study.wattmeter.hosts
    if hosts is not None and record.provenance["machine"]["hostname"] not in hosts:
        return record
    readings = wattmeter_readings(log, record.window.start, record.window.duration_s, record.idle)
    return record.model_copy(update={"readings": (*record.readings, *readings)})


def _measurements(study: Study, results: Path, electricity: Electricity) -> Iterator[pd.DataFrame]:
    for _, records in _records(study, results):
        yield pd.DataFrame([row for record in records for row in tidy.measurement_rows(record, electricity)])


def _runs(study: Study, results: Path, electricity: Electricity) -> Iterator[pd.DataFrame]:
    for folder, records in _records(study, results):
        errors = read_json(folder / "evaluate" / "summary.json")
        yield pd.DataFrame([tidy.run_row(record, errors, electricity) for record in records])


def _samples(study: Study, results: Path) -> Iterator[pd.DataFrame]:
    for folder, records in _records(study, results):
        for record in records:
            samples = _read_parquet(folder / record.operation / "samples.parquet")
            yield tidy.samples_table(record, samples)


def _history(study: Study, results: Path) -> Iterator[pd.DataFrame]:
    for folder, (train, *_) in _records(study, results):
        yield tidy.history_table(train, _read_parquet(folder / "train" / "history.parquet"))


def _evaluated(study: Study, results: Path, name: str, *, first_repeat_only: bool = False) -> Iterator[pd.DataFrame]:
    for folder, (train, *_) in _records(study, results):
        if not first_repeat_only or train.parameters["repeat"] == 0:
            yield _read_parquet(folder / "evaluate" / f"{name}.parquet").assign(**tidy.point_values(train))


def _hotspots(study: Study, results: Path) -> Iterator[pd.DataFrame]:
    for point, profiler in study.profiles:
        train = Measurement.read(results / "runs" / point.path / "train" / "measurement.json")
        for operation in (*MEASURED, *(BESIDE if profiler == "parts" else ())):
            path = results / "profiles" / point.path / profiler / operation / "hotspots.parquet"
            frame = _read_parquet(path).assign(**tidy.point_values(train))
            yield frame[[column.name for column in TABLES["hotspots"][1]]]


def _models(study: Study, results: Path) -> Iterator[pd.DataFrame]:
    for point in study.sized:
        if point.repeat == 0:
            folder = results / "runs" / point.path / "forward"
            counted = pd.DataFrame(read_json(folder / "counts.json"))
            yield counted.assign(**tidy.point_values(Measurement.read(folder / "measurement.json")))


def _calibration(study: Study, results: Path) -> Iterator[pd.DataFrame]:
    for device in sorted({point.device for point in study.points}):
        calibration = Calibration.read(results / "calibration" / f"device~{device}.json")
        yield pd.DataFrame(calibration_rows(calibration))


def _peers(study: Study, results: Path, electricity: Electricity) -> Iterator[pd.DataFrame]:
    """Rows of the tools that ran beside ours, then of the formulas, which need no run."""
    names = [column.name for column in TABLES["peers"][1]]
    for point in study.beside_peers:
        for tool in study.peers.tools:
            for number in range(study.peers.repeats):
                path = results / "peers" / point.path / tool / f"run~{number}" / "peer.json"
                yield pd.DataFrame(peer_rows(read_json(path)), columns=names)
    watts = {"cpu_tdp_w": study.peers.cpu_tdp_w, "gpu_tdp_w": study.peers.gpu_tdp_w}
    for _, (train, *_) in _records(study, results):
        yield pd.DataFrame(formula_rows(train, electricity=electricity, **watts), columns=names)


def _imported(study: Study, results: Path, name: str) -> Iterator[pd.DataFrame]:
    if study.imports:
        yield _read_parquet(results / "foreign" / f"{name}.parquet")


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table: Any = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: cannot be read as Parquet ({error}). Delete its run's folder and run again."
        ) from error
    frame: pd.DataFrame = table.to_pandas()
    return frame

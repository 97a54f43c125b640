"""Stage ``collect``: the records of all runs as one tidy dataset."""

import argparse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from baler_energy.analysis import tidy
from baler_energy.analysis.electricity import Electricity, electricity_rows
from baler_energy.analysis.formulas import formula_rows
from baler_energy.analysis.peers import peer_rows
from baler_energy.analysis.schema import POINT, TABLES, arrow_schema, datapackage
from baler_energy.analysis.writing import Rows, TableWriter, read_parquet, scan
from baler_energy.files import read_json, write_json
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

RECORD = "measurement.json"
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
    dataset = _Dataset(study, results, electricity)
    with ExitStack() as stack:
        writers = {name: stack.enter_context(TableWriter.open(name, out / f"{name}.parquet")) for name in TABLES}
        dataset.write_peers(writers["peers"])
        dataset.write_runs(writers)
        dataset.write_scanned(writers)
        dataset.write_chosen(writers)
        writers["electricity"].add(electricity_rows(electricity))
    for name, writer in writers.items():
        say(f"{name}: {writer.rows} rows")
    write_json(out / "datapackage.json", datapackage(study.name))


class _Dataset:
    """What the tables are made of: the study's files, each of which is read once."""

    def __init__(self, study: Study, results: Path, electricity: Electricity) -> None:
        self._study, self._results, self._electricity = study, results, electricity
        self._folders: list[Path] = []
        self._windows = Rows(_schema("samples", "operation", "window_s"))

    def write_runs(self, writers: Mapping[str, TableWriter]) -> None:
        """Write what comes from the records: measurements, runs, history and the formulas of ``peers``."""
        watts = {"cpu_tdp_w": self._study.peers.cpu_tdp_w, "gpu_tdp_w": self._study.peers.gpu_tdp_w}
        electricity = self._electricity
        for folder, records in _records(self._study, self._results):
            errors = read_json(folder / "evaluate" / "summary.json")
            for record in records:
                writers["measurements"].add(tidy.measurement_rows(record, electricity))
                self._folders.append(folder / record.operation)
            writers["runs"].add([tidy.run_row(record, errors, electricity) for record in records])
            self._windows.add(map(tidy.window_values, records))
            train = records[0]
            table, constants = tidy.history_table(train, read_parquet(folder / "train" / "history.parquet"))
            writers["history"].add_table(table, **constants)
            writers["peers"].add(formula_rows(train, electricity=electricity, **watts))

    def write_scanned(self, writers: Mapping[str, TableWriter]) -> None:
        """Write what lies in files of the same columns: samples of every window, errors and histograms of points."""
        windows = self._windows.table()
        for piece in scan([folder / "samples.parquet" for folder in self._folders], windows):
            writers["samples"].add_table(piece)
        trained = pc.equal(windows["operation"], "train")
        for name, chosen in (
            ("errors", trained),
            # One histogram of each point is enough to look at.
            ("histograms", pc.and_(trained, pc.equal(windows["repeat"], 0))),
        ):
            points = windows.filter(chosen).drop_columns(["operation", "window_s"])
            paths = [
                self._results / "runs" / run_id / "evaluate" / f"{name}.parquet"
                for run_id in points["run_id"].to_pylist()
            ]
            for piece in scan(paths, points):
                writers[name].add_table(piece)

    def write_chosen(self, writers: Mapping[str, TableWriter]) -> None:
        """Write what there is at some points only, or once: hotspots, models, calibration, imported files."""
        study, results = self._study, self._results
        for point, profiler in study.profiles:
            constants = tidy.point_values(Measurement.read(results / "runs" / point.path / "train" / RECORD))
            for operation in (*MEASURED, *(BESIDE if profiler == "parts" else ())):
                path = results / "profiles" / point.path / profiler / operation / "hotspots.parquet"
                table = read_parquet(path)
                # The file names the profiled run in more columns than the dataset has.
                own = [name for name in writers["hotspots"].schema.names if name in table.column_names]
                writers["hotspots"].add_table(table.select(own), **constants)
        for point in study.sized:
            if point.repeat == 0:
                folder = results / "runs" / point.path / "forward"
                constants = tidy.point_values(Measurement.read(folder / RECORD))
                writers["models"].add([constants | counted for counted in read_json(folder / "counts.json")])
        for device in sorted({point.device for point in study.points}):
            calibration = Calibration.read(results / "calibration" / f"device~{device}.json")
            writers["calibration"].add(calibration_rows(calibration))
        for name in ("foreign", "findings") if study.imports else ():
            writers[name].add_table(read_parquet(results / "foreign" / f"{name}.parquet"))

    def write_peers(self, writer: TableWriter) -> None:
        """Write the rows of the tools that ran beside ours."""
        peers = self._study.peers
        for point in self._study.beside_peers:
            for tool in peers.tools:
                for number in range(peers.repeats):
                    path = self._results / "peers" / point.path / tool / f"run~{number}" / "peer.json"
                    writer.add(peer_rows(read_json(path)))


def _schema(table: str, *beside: str) -> pa.Schema:
    """Take the columns of a point from a table's schema, and further ones."""
    names = [column.name for column in POINT]
    return pa.schema([field for field in arrow_schema(table) if field.name in (*names, *beside)])


def _records(study: Study, results: Path) -> Iterator[tuple[Path, list[Measurement]]]:
    """Each point's folder with the records of its operations."""
    points, sized, log = list(study.by_path), set(study.sized), _wattmeter_log(study)
    for point in progress(points, total=len(points), label="collect", unit="points"):
        folder = results / "runs" / point
        operations = (*MEASURED, "forward") if study.by_path[point] in sized else MEASURED
        records = [Measurement.read(folder / operation / RECORD) for operation in operations]
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

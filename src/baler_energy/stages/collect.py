"""Stage ``collect``: merge the records of all runs into one tidy dataset."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from baler_energy.analysis import tidy
from baler_energy.analysis.break_even import constant_rows
from baler_energy.analysis.checked import check_row, check_table, read_parquet
from baler_energy.analysis.datapackage import datapackage
from baler_energy.analysis.electricity import Electricity, electricity_rows, times_of
from baler_energy.analysis.first_page_runs import mark_first_page_runs
from baler_energy.analysis.formulas import formula_rows
from baler_energy.analysis.schema import POINT, TABLES, arrow_schema
from baler_energy.analysis.writing import Rows, TableWriter, scan
from baler_energy.codecs.engines import operations_of
from baler_energy.config.centre import central_points
from baler_energy.config.sections import Embodied
from baler_energy.config.study import Point, Study, load_study
from baler_energy.errors import InputError
from baler_energy.files import WINDOW_START, output_folder, write_json
from baler_energy.meters.calibration import Calibration, calibration_rows
from baler_energy.meters.wattmeter import Log, read_log, wattmeter_readings
from baler_energy.processes import InOrder, mapping
from baler_energy.progress import progress
from baler_energy.records import Measurement
from baler_energy.rounds import points_so_far, round_file
from baler_energy.stages.file_names import (
    COUNTS,
    DATA_PACKAGE,
    DERIVED,
    DERIVED_HISTOGRAMS,
    ERRORS,
    HISTOGRAMS,
    HOTSPOTS,
    PEER_RESULT,
    SAMPLES,
)
from baler_energy.stages.run_files import Grid, read_counts, read_history, read_hotspots, read_rows, read_summary
from baler_energy.variants import PROFILERS
from baler_energy.vocabulary import Operation, Quantity

__all__ = ["EPILOG", "HELP", "add_arguments", "collect", "run"]

HELP = "merge the records of a study into tidy Parquet tables"
EPILOG = """\
example:
  baler-energy collect --study results/laptop/study.yaml --results results/laptop --out results/laptop/dataset

The study's grid determines the files; a missing file is an error. datapackage.json describes each column.
"""

#: Points whose records are read in one piece.
_PIECE_POINTS = 200
#: Key for the runs' windows (`_WINDOW_COLUMNS`) among the tables of a piece.
WINDOWS = "windows"
_WINDOW_COLUMNS = frozenset({*(column.name for column in POINT), "operation", "window_s"})
#: Columns of measurements from which findings are drawn.
_ENERGIES = ["run_id", "operation", "quantity", "meter", "component", "value"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this stage."""
    parser.add_argument("--study", type=Path, required=True, help="the study (YAML), such as a file under config/")
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--out", type=output_folder, required=True, help="folder of the dataset")
    parser.add_argument("--left-out", type=Path, metavar="FILE", help="JSON list of runs that the study left out")
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="processes that read the records (default: 1)"
    )


def run(args: argparse.Namespace) -> None:
    """Run this stage."""
    collect(load_study(args.study), args.results, args.out, left_out=args.left_out, processes=args.processes)


def collect(study: Study, results: Path, out: Path, *, left_out: Path | None = None, processes: int = 1) -> None:
    """Write each table of `TABLES` as ``<table>.parquet``, then ``datapackage.json``.

    Parameters
    ----------
    study
        The study whose grid names the files.
    results
        Folder with ``runs/``, ``profiles/``, ``calibration/``, ``peers/`` and ``foreign/``.
    out
        Folder of the dataset.
    left_out
        JSON list of `runnable.LeftOut`; None: nothing was left out.
    processes
        Processes that read records in parallel.

    Raises
    ------
    InputError
        A file of the grid is missing or damaged, has impossible values, or belongs to another run.
    """
    electricity = Electricity.of(
        country=study.country,
        value=study.carbon_intensity_g_per_kwh,
        csv=None if study.carbon_intensity_csv is None else Path(study.carbon_intensity_csv),
        pue=study.pue,
        price_per_kwh=study.price_per_kwh,
        currency=study.currency,
    )
    dataset = _Dataset(study, results, electricity)
    with ExitStack() as stack:
        in_order = stack.enter_context(mapping(processes))
        writers = {name: stack.enter_context(TableWriter.open(name, out / f"{name}.parquet")) for name in TABLES}
        dataset.write_peers(writers["peers"])
        windows = dataset.write_runs(writers, in_order)
        dataset.write_scanned(writers, windows, in_order)
        dataset.write_chosen(writers)
        writers["electricity"].add(electricity_rows(electricity))
        writers["left_out"].add([] if left_out is None else read_rows("left_out", left_out))
        writers["break_even"].add(constant_rows(study.break_even.ranges, study.break_even.currency))
    write_json(out / DATA_PACKAGE, datapackage(study.name))
    records, readings = (writers[name].rows for name in ("runs", "measurements"))
    print(f"{out}: {len(writers)} tables of {records} records with {readings} readings")


@dataclass(frozen=True)
class _Runs:
    """What a process needs to read the records of points."""

    grid: Grid
    electricity: Electricity
    tdp_w: Mapping[str, float | None]
    log: Log | None
    """Log of the external wattmeter."""
    hosts: tuple[str, ...] | None
    """Machines that the wattmeter measures; None: all."""
    central: frozenset[str]
    """Paths of the points at the study's centre."""
    embodied: Embodied | None
    """Emissions of making the machine."""

    @classmethod
    def of(cls, study: Study, results: Path, electricity: Electricity) -> "_Runs":
        """Make it from a study."""
        tdp_w = {"cpu_tdp_w": study.peers.cpu_tdp_w, "gpu_tdp_w": study.peers.gpu_tdp_w}
        wattmeter = study.wattmeter
        log = None if wattmeter is None else read_log(Path(wattmeter.path), clock_offset_s=wattmeter.clock_offset_s)
        hosts = None if wattmeter is None else wattmeter.hosts
        grid, central = Grid.of(study, results), central_points(study)
        return cls(grid, electricity, tdp_w, log, hosts, central, study.embodied)

    def tables(self, points: Sequence[tuple[Point, tuple[str, ...]]]) -> dict[str, pa.Table]:
        """Read points, given with their operations, into measurements, runs, history, peers and `WINDOWS`."""
        rows = {name: Rows(name) for name in ("measurements", "runs", "history", "peers")}
        windows, starts = Rows("samples", columns=_WINDOW_COLUMNS), []
        for point, operations in points:
            read = self.grid.records(point, operations)
            folder = self.grid.results / "runs" / point.path
            errors = read_summary(folder, dict(zip(operations, read, strict=True)))
            try:
                records = [self._with_wattmeter(record) for record in read]
                self._add(rows, records, errors, at_centre=point.path in self.central)
                for train in (record for record in records if record.operation is Operation.TRAIN):
                    self._add_training(rows, train, read_history(folder, train))
            except ArithmeticError as error:
                raise InputError(
                    f"{folder}: a time or a size in its records is impossible: {error}. Delete it and run again."
                ) from error
            windows.add([tidy.window_values(record) for record in records])
            starts += [record.window.start for record in records]
        found = windows.take().append_column(WINDOW_START, pa.array(starts, pa.timestamp("us", tz="UTC")))
        return {name: kept.take() for name, kept in rows.items()} | {WINDOWS: found}

    def _add(
        self, rows: Mapping[str, Rows], records: Sequence[Measurement], errors: dict[str, Any], *, at_centre: bool
    ) -> None:
        """Add the rows of a point's records."""
        for record in records:
            of_run = tidy.point_values(record) | {"operation": record.operation, "iterations": record.iterations}
            rows["measurements"].add(tidy.measurement_rows(record, self.electricity), **of_run)
        row = partial(tidy.run_row, electricity=self.electricity, at_centre=at_centre, embodied=self.embodied)
        rows["runs"].add([row(record, errors) for record in records])

    def _add_training(self, rows: Mapping[str, Rows], train: Measurement, history: pa.Table) -> None:
        """Add the rows of a training: formulas, and its epochs."""
        formulas = formula_rows(train, electricity=self.electricity, **self.tdp_w)
        rows["peers"].add(formulas, **tidy.point_values(train))
        # A training in closed form has no epochs.
        if len(history):
            table, evidence = tidy.history_table(train, history)
            rows["history"].add_table(table, **tidy.point_values(train), energy_evidence=evidence)

    def _with_wattmeter(self, record: Measurement) -> Measurement:
        """Add what the external wattmeter measured in a record's window."""
        if self.log is None or (self.hosts and record.provenance["machine"]["hostname"] not in self.hosts):
            return record
        readings = wattmeter_readings(self.log, *times_of(record), record.idle)
        return record.model_copy(update={"readings": (*record.readings, *readings)})


def _write_from_runs(writers: Mapping[str, TableWriter], runs: pa.Table, energies: pa.Table) -> None:
    """Write ``runs``, their summary, and what their energies show by themselves."""
    from baler_energy.analysis.summary import summary
    from baler_energy.foreign.own import own_findings

    writers["runs"].add_table(runs)
    writers["runs"].flush()  # which checks the values
    frame = runs.to_pandas()
    found = {"summary": summary(frame), "findings": own_findings(energies.to_pandas(), frame)}
    for name, table in found.items():
        writers[name].add_table(pa.Table.from_pandas(table, schema=arrow_schema(name), preserve_index=False))


def _check_one_host(names: Sequence[str]) -> None:
    """Refuse to give the power of one machine, the wattmeter's, to runs on others."""
    if len(names) > 1:
        raise InputError(
            f"wattmeter.hosts: is missing: the runs were on {', '.join(sorted(names))}, but a wattmeter measures one "
            f"of these. Name it, such as hosts: [{min(names)}], or all of them if they are one machine."
        )


def _check_imported(foreign: pa.Table, imports: Sequence[str], path: Path) -> None:
    """Refuse readings of files that the study does not import, such as those of another study."""
    known = {name for one in map(Path, imports) for name in (str(one), one.name)}
    others = sorted(set(foreign["file"].to_pylist()) - known)
    if others:
        raise InputError(f"{path}: file: has {others[0]!r}, which the study does not import. Delete it and run again.")


class _Dataset:
    """The study's files, each read once, and the tables made from them."""

    def __init__(self, study: Study, results: Path, electricity: Electricity) -> None:
        self._study, self._results, self._electricity = study, results, electricity
        self._grid = Grid.of(study, results)

    def write_runs(self, writers: Mapping[str, TableWriter], in_order: InOrder) -> pa.Table:
        """Write the tables from records (measurements, runs, history, formulas) and from these; return the windows."""
        study = self._study
        runs = _Runs.of(study, self._results, self._electricity)
        sized = {point.path for point in study.sized}
        chosen = points_so_far(study, partial(round_file, self._results))
        points = [(p, (*operations_of(p), *(["forward"] if p.path in sized else []))) for p in chosen]
        pieces = [points[first : first + _PIECE_POINTS] for first in range(0, len(points), _PIECE_POINTS)]
        windows, all_runs, energies = [], [], []
        found = in_order(runs.tables, pieces)
        for tables in progress(found, total=len(pieces), label="collect", unit=f"pieces of {_PIECE_POINTS} points"):
            windows.append(tables.pop(WINDOWS))
            all_runs.append(tables.pop("runs"))
            measured = tables["measurements"].select(_ENERGIES)
            energies.append(measured.filter(pc.equal(measured["quantity"], Quantity.ENERGY.value)))
            for name, table in tables.items():
                writers[name].add_table(table)
        table = pa.concat_tables(all_runs)
        if study.wattmeter is not None and study.wattmeter.hosts is None:
            _check_one_host(table["hostname"].unique().to_pylist())
        _write_from_runs(writers, mark_first_page_runs(table), pa.concat_tables(energies))
        return pa.concat_tables(windows)

    def write_scanned(self, writers: Mapping[str, TableWriter], windows: pa.Table, in_order: InOrder) -> None:
        """Write tables from files with the same columns: samples of every window, errors and histograms of points."""
        # Every codec decompresses once at each point.
        points = windows.filter(pc.equal(windows["operation"], "decompress")).drop_columns(["operation", "window_s"])
        # The histograms of one repeat are enough.
        once = points.filter(pc.equal(points["repeat"], 0))
        # Datasets differ in whether quantities are derived from their columns.
        derived = pa.array([name for name, data in self._study.data.items() if data.derived], pa.string())
        deriving, deriving_once = (table.filter(pc.is_in(table["dataset"], derived)) for table in (points, once))
        runs = self._results / "runs"
        for name, constants, folders in (
            (SAMPLES, windows, windows["operation"].to_pylist()),
            (ERRORS, points, ["evaluate"] * len(points)),
            (HISTOGRAMS, once, ["evaluate"] * len(once)),
            (DERIVED, deriving, ["derive"] * len(deriving)),
            (DERIVED_HISTOGRAMS, deriving_once, ["derive"] * len(deriving_once)),
        ):
            within = zip(constants["run_id"].to_pylist(), folders, strict=True)
            paths = [runs / f"{run_id}/{folder}/{name}" for run_id, folder in within]
            # The dataset has a table of the same name.
            table, starts = Path(name).stem, constants[WINDOW_START].to_pylist()
            known = constants.drop_columns([WINDOW_START])
            for piece in scan(paths, known, in_order=in_order, table=table, window_starts=starts):
                writers[table].add_table(piece)

    def write_chosen(self, writers: Mapping[str, TableWriter]) -> None:
        """Write what only some points have, or what exists once: hotspots, models, calibration, imported files."""
        study, results = self._study, self._results
        for point, profiler in study.profiles:
            first, *others = operations_of(point)
            constants = tidy.point_values(self._grid.record(point, first))
            for operation in (first, *others, *PROFILERS[profiler].extra_operations):
                path = results / "profiles" / point.path / profiler / operation / HOTSPOTS
                writers["hotspots"].add_table(read_hotspots(path, constants, operation, profiler), **constants)
        for point in study.sized:
            if point.repeat == 0:
                record = self._grid.record(point, "forward")
                constants = tidy.point_values(record)
                counted = read_counts(self._grid.path(point, "forward").with_name(COUNTS), record, constants)
                writers["models"].add([constants | row for row in counted])
        for device in sorted({point.device for point in study.points}):
            path = results / "calibration" / f"device~{device}.json"
            rows = calibration_rows(Calibration.read(path))
            for row in rows:
                check_row("calibration", row, path)
            writers["calibration"].add(rows)
        for name in ("foreign", "findings") if study.imports else ():
            path = results / "foreign" / f"{name}.parquet"
            table = read_parquet(path, advice="Delete it and run again.")
            check_table(name, table, path)
            if name == "foreign":
                _check_imported(table, study.imports, path)
            writers[name].add_table(table)

    def write_peers(self, writer: TableWriter) -> None:
        """Write the rows of other tools that measured the same windows."""
        peers = self._study.peers
        for point in self._study.peer_points:
            for tool in peers.tools:
                for number in range(peers.repeats):
                    path = self._results / "peers" / point.path / tool / f"run~{number}" / PEER_RESULT
                    writer.add(self._grid.peer(path, point, tool))

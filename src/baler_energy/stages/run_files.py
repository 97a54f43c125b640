"""The files of a run, read and compared with the grid: a file that belongs to another run is refused."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from baler_energy.analysis.checked import check_row, check_table, read_parquet
from baler_energy.analysis.peers import peer_rows
from baler_energy.analysis.schema import TABLES
from baler_energy.analysis.tidy import ERROR_KEYS, point_values
from baler_energy.analysis.totals import wrong_of
from baler_energy.config.parameters import AXIS_DEFAULTS, Training
from baler_energy.config.study import Point, Study
from baler_energy.errors import InputError
from baler_energy.files import WINDOW_START, read_json
from baler_energy.mistakes import shortened
from baler_energy.records import Measurement
from baler_energy.stages.file_names import HISTORY, RECORD, SUMMARY
from baler_energy.vocabulary import Operation

__all__ = ["Grid", "read_counts", "read_history", "read_hotspots", "read_rows", "read_summary"]

#: Parameters that a job resolves, and the type of what it records instead.
_RESOLVED: Mapping[tuple[str, Any], type] = {("rows", "all"): int, ("threads", "auto"): int, ("device", "auto"): str}
#: Columns of a training's history; the others are energies of a meter each.
_EPOCHS, _ENERGY = ("epoch", "loss", "duration_s"), "energy_j:"
#: What all operations of a point have in common.
_SAME = ("rows", "columns", "latent_columns")
#: Sizes that both the errors of a run and the record of its compression state.
_SIZES = ("compressed_bytes", "native_bytes", "checkpoint_bytes")
_RUN_COLUMNS = frozenset(column.name for column in TABLES["runs"][1])
_Difference = tuple[str, object, object]


@dataclass(frozen=True)
class Grid:
    """What the records of a study must agree with, in addition to their points."""

    results: Path
    seed: int
    sources: Mapping[str, str]
    settings: Mapping[str, Any]
    """Settings of every training."""
    meters: frozenset[str]
    contamination_limit: float

    @classmethod
    def of(cls, study: Study, results: Path) -> "Grid":
        """Make it from a study and the folder of its results."""
        sources = {name: data.source for name, data in study.data.items()}
        settings = {name: getattr(study.training, name) for name in Training.model_fields}
        measurement = study.measurement
        return cls(
            results, study.seed, sources, settings, frozenset(measurement.meters), measurement.contamination_limit
        )

    def record(self, point: Point, operation: str) -> Measurement:
        """Read the record of an operation of a point, judged by the study's limit of contamination.

        Raises
        ------
        InputError
            It is missing or damaged, or was measured in another run: with another name, operation or parameter.
        """
        return self._read(self.path(point, operation), point, operation)

    def records(self, point: Point, operations: Sequence[str]) -> list[Measurement]:
        """Read the records of a point, which must be complete, of one table and of the study's data and meters.

        Raises
        ------
        InputError
            As for `record`, or they are not.
        """
        paths = {self.path(point, operation): operation for operation in operations}
        found = {path: self._read(path, point, operation) for path, operation in paths.items()}
        (first_path, first), *others = found.items()
        for path, record in found.items():
            self._check(path, self._further(record, point))
            check_row("runs", point_values(record), path, "parameters.")
            known = {name: value for name, value in record.results.items() if name in _RUN_COLUMNS}
            check_row("runs", known, path, "results.")
        for path, record in others:
            for name in _SAME:
                value, expected = record.parameters.get(name), first.parameters.get(name)
                if value != expected:
                    raise InputError(
                        f"{path}: parameters.{name}: is {value}, but {first_path} has {expected}: one of the two "
                        "belongs to another run. Delete the run's folder and run again."
                    )
        return list(found.values())

    def path(self, point: Point, operation: str) -> Path:
        """Path of a record."""
        return self.results / "runs" / point.path / operation / RECORD

    def peer(self, path: Path, point: Point, tool: str) -> list[dict[str, Any]]:
        """Read what another tool measured at a point: rows of the table ``peers``.

        Raises
        ------
        InputError
            It is missing or damaged, or belongs to another run or tool.
        """
        peer = read_json(path)
        try:
            rows = peer_rows(peer)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        self._check(path, [("tool", peer["tool"], tool), ("operation", peer["operation"], Operation.TRAIN)])
        if peer["measurement"] is None:
            self._check(path, [("parameters.run_id", peer["parameters"].get("run_id"), point.path)])
            self._check(path, self._of_parameters(peer["parameters"], point))
        else:
            record = Measurement.model_validate(peer["measurement"])
            record.check(path, tool=tool)
            self._check(path, self._differences(record, point, Operation.TRAIN))
        for row in rows:
            check_row("peers", row, path)
        return rows

    def _read(self, path: Path, point: Point, operation: str) -> Measurement:
        record = Measurement.read(path).judged(self.contamination_limit)
        self._check(path, self._differences(record, point, operation))
        return record

    def _differences(self, record: Measurement, point: Point, operation: str) -> Iterator[_Difference]:
        yield "run_id", record.run_id, point.path
        yield "operation", record.operation, operation
        yield from self._of_parameters(record.parameters, point)

    def _of_parameters(self, parameters: Mapping[str, Any], point: Point) -> Iterator[_Difference]:
        """Compare the parameters that a record states."""
        expected = {**{name: getattr(point, name) for name in Point.model_fields}, **self.settings}
        for name, value in expected.items():
            if name in parameters and not isinstance(parameters[name], _RESOLVED.get((name, value), ())):
                yield f"parameters.{name}", parameters[name], value

    def _further(self, record: Measurement, point: Point) -> Iterator[_Difference]:
        """Compare what a whole record has; one from before a parameter existed has the parameter's default."""
        for name, value in {"seed": self.seed + point.repeat, "source": self.sources[point.dataset]}.items():
            yield f"parameters.{name}", record.parameters.get(name, value), value
        for name in Point.model_fields:
            if name not in record.parameters:
                yield f"parameters.{name}", AXIS_DEFAULTS.get(name, "missing"), getattr(point, name)
        for name in ("hostname", "memory_bytes"):
            if record.provenance.get("machine", {}).get(name) is None:
                yield f"provenance.machine.{name}", "missing", "that of the machine"
        for number, reading in enumerate(record.readings):
            if reading.meter not in self.meters:
                yield f"readings.{number}.meter", reading.meter, " or ".join(sorted(self.meters))

    @staticmethod
    def _check(path: Path, differences: Iterable[_Difference]) -> None:
        for key, found, expected in differences:
            if found != expected or isinstance(found, bool) != isinstance(expected, bool):
                raise InputError(
                    f"{path}: {key}: is {shortened(found)}, but should be {shortened(expected)}: the file belongs to "
                    "another run than its folder. Delete the run's folder and run again."
                )


def read_summary(folder: Path, records: Mapping[str, Measurement]) -> dict[str, Any]:
    """Read the errors of a run, whose records are given by operation.

    Raises
    ------
    InputError
        The file is missing or damaged, or is of another run.
    """
    path = folder / "evaluate" / SUMMARY
    errors = read_json(path)
    if not isinstance(errors, dict):
        raise InputError(f"{path}: is not a summary of errors. Delete it and run again.")
    check_row("runs", {key: errors[key] for key in ERROR_KEYS if key in errors}, path)
    compressed, back = records[Operation.COMPRESS], records[Operation.DECOMPRESS]
    start = back.window.start.isoformat()
    pairs: list[_Difference] = [(WINDOW_START, errors.get(WINDOW_START, start), start)]
    pairs += [(name, errors.get(name), compressed.results.get(name)) for name in _SIZES]
    for key, found, expected in pairs:
        if None not in (found, expected) and found != expected:
            raise InputError(
                f"{path}: {key}: is {shortened(found)}, but the run's records have {shortened(expected)}: the file "
                "belongs to another run. Delete the run's folder and run again."
            )
    return errors


def read_history(folder: Path, record: Measurement) -> pa.Table:
    """Read the history of a training, with a row per epoch (none: it has no epochs).

    Raises
    ------
    InputError
        The file is missing or damaged, has impossible values, or is not of the training in the record.
    """
    path = folder / "train" / HISTORY
    table = read_parquet(path, window_start=record.window.start)
    energies = [name for name in table.column_names if name.startswith(_ENERGY)]
    others = _columns_without("history", _EPOCHS)
    check_table("history", table.drop_columns(energies), path, others)
    for name in energies:
        check_table("history", pa.table({"energy_j": table[name]}), path, _columns_without("history", ("energy_j",)))
    epochs, losses = table["epoch"].to_pylist(), table["loss"].to_pylist()
    run, last = record.results.get("epochs_run") or 0, record.results.get("final_loss")
    if epochs != list(range(1, len(epochs) + 1)) or len(epochs) != run or (losses and last not in (None, losses[-1])):
        raise InputError(
            f"{path}: has {len(epochs)} epochs, up to epoch {epochs[-1] if epochs else 0} with the loss "
            f"{losses[-1] if losses else None}, but the training's record has {run} (epochs_run) and {last} "
            "(final_loss): the file belongs to another run. Delete the run's folder and run again."
        )
    return table


def read_hotspots(path: Path, constants: Mapping[str, Any], operation: str, profiler: str) -> pa.Table:
    """Read the rows of a profiler, without the columns of the point (`constants`).

    Raises
    ------
    InputError
        The file is missing or damaged, has impossible values, or is of another run, operation or profiler.
    """
    table = read_parquet(path)
    for name, value in {"run_id": constants["run_id"], "operation": operation, "profiler": profiler}.items():
        if name in table.column_names and (others := set(table[name].to_pylist()) - {value}):
            raise InputError(
                f"{path}: column {name}: is {shortened(others.pop())}, but should be {shortened(value)}: the file "
                "belongs to another run. Delete the run's folder and run again."
            )
    if "flags" in table.column_names:
        # Files from before 0.2 also have what is special about a loop, and an empty text for nothing.
        found = [wrong_of(one.split(",")) if isinstance(one, str) else one for one in table["flags"].to_pylist()]
        table = table.append_column("run_flags", pa.array(found))
    # The file also describes the profiled run, in more columns than the dataset has.
    names = [name for name in _columns_without("hotspots", constants) if name in table.column_names]
    check_table("hotspots", table.select(names), path, constants)
    return table.select(names)


def read_rows(table: str, path: Path, constants: Collection[str] = ()) -> list[dict[str, Any]]:
    """Read rows of a table from a JSON list, without the columns in `constants`.

    Raises
    ------
    InputError
        The file is missing or damaged, or has other columns or values than the schema allows.
    """
    rows = read_json(path)
    names = set(_columns_without(table, constants))
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() == names for row in rows):
        raise InputError(f"{path}: is not a list of rows with {', '.join(sorted(names))}. Delete it and run again.")
    for number, row in enumerate(rows):
        check_row(table, row, path, f"{number}.")
    return rows


def read_counts(path: Path, record: Measurement, constants: Collection[str]) -> list[dict[str, Any]]:
    """Read the counts of a network, whose forward pass has the record, without the columns in `constants`.

    Raises
    ------
    InputError
        As for `read_rows`, or they are of another network.
    """
    rows, parameters = read_rows("models", path, constants), record.results.get("parameters")
    found = [row["parameters"] for row in rows if row["parameters"] is not None]
    if parameters is not None and parameters not in found:
        raise InputError(
            f"{path}: parameters: are {shortened(found)}, but the run's record has {shortened(parameters)}: the file "
            "belongs to another run. Delete the run's folder and run again."
        )
    return rows


def _columns_without(table: str, others: Collection[str]) -> list[str]:
    return [column.name for column in TABLES[table][1] if column.name not in others]

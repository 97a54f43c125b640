"""The results of a tiny study, made by its stages in this process, for tests of the stages that read them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from baler_energy import commands
from baler_energy.codecs.engines import operations_of
from baler_energy.config.study import Point, Study, load_study
from baler_energy.data import toy
from baler_energy.meters.calibration import Calibration, kind_of_machine
from baler_energy.stages import collect

#: Two trainings and two repeats on the same rows, another engine, and a codec that is not trained.
STUDY: dict[str, Any] = {
    "name": "tiny",
    "repeats": 2,
    "data": {"toy": {"source": "toy", "derived": {"total": {"sum": ["pt", "mass"]}}}},
    "design": "one-at-a-time",
    "reference": {"dataset": "toy", "rows": 120, "epochs": 2, "batch_size": 64, "model": "baler-small"},
    "axes": {"epochs": [1], "engine": ["fast"], "transform": ["identity"]},
    "measurement": {"meters": ["codecarbon", "process"]},
}


@dataclass(frozen=True)
class Results:
    """A finished study: its configuration and the folder of its results."""

    study: Study
    folder: Path

    @property
    def points(self) -> list[Point]:
        """All points."""
        return list(self.study.points)

    def run(self, number: int = 0) -> Path:
        """Folder of a point's run."""
        return self.folder / "runs" / self.points[number].path

    def collect(self) -> Path:
        """Collect; return the folder of the dataset."""
        out = self.folder / "dataset"
        collect.collect(self.study, self.folder, out)
        return out


def make(stage: Callable[..., None], folder: Path) -> Results:
    """Run every point, with the options that a rule would pass."""
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    study = load_study(folder / "study.yaml")
    table = folder / "table.npz"
    toy.generate(120, 1).write(table)
    for device in {point.device for point in study.points}:
        Calibration(machine=kind_of_machine(), rows=(), provenance={}).write(
            folder / "calibration" / f"device~{device}.json"
        )
    for point in study.points:
        run, options = folder / "runs" / point.path, commands.point_options(study, point)
        codec: list[Any] = []
        if "train" in operations_of(point):
            stage("train", "--data", table, "--out", run / "train", *options)
            codec = ["--checkpoint", run / "train" / "checkpoint.pt"]
        stage("apply", "--data", table, *codec, "--out", run, *options)
        back = ["--reconstructed", run / "decompress" / "reconstructed.npz"]
        stage("derive", "--original", table, *back, *commands.derive_options(study, "toy"), "--out", run / "derive")
        for path in run.glob("*/measurement.json"):
            add_energies(path)
    return Results(study, folder)


def add_energies(path: Path) -> None:
    """Add what codecarbon would model, which takes seconds to start."""
    record = json.loads(path.read_text())
    energy = {"meter": "codecarbon", "quantity": "energy", "unit": "J", "evidence": "modelled"}
    record["readings"] = [
        *({**energy, "component": component, "value": 50.0} for component in ("cpu", "ram")),
        *record["readings"],
    ]
    path.write_text(json.dumps(record))


def edited(path: Path, key: str, value: Any) -> None:
    """Change a value of a JSON file, given by its keys; a value that is not JSON is written as it is."""
    content = json.loads(path.read_text())
    *parents, last = [int(part) if part.isdecimal() else part for part in key.split(".")]
    place = content
    for part in parents:
        place = place[part]
    place[last] = "PLACE" if isinstance(value, bytes) else value
    text = json.dumps(content)
    path.write_text(text.replace('"PLACE"', value.decode()) if isinstance(value, bytes) else text)

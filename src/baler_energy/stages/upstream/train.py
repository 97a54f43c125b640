"""Baler trains."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.config import Folder
from baler_energy.codecs.upstream.project import new_project, refuse_unsupported
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import atomic_path
from baler_energy.stages.history import HISTORY
from baler_energy.stages.measured import Measuring, write_record
from baler_energy.stages.options import PointOptions
from baler_energy.stages.train import CHECKPOINT, recorded_settings, training_results
from baler_energy.stages.upstream.work import Work, baler_config, first_rows, measure, refuse_constants, workplace
from baler_energy.vocabulary import Operation

__all__ = ["train"]


def train(data: Path, out: Path, point: PointOptions, settings: TrainingSettings, measuring: Measuring) -> None:
    """Let Baler train on the table in `data`; write checkpoint, history, samples and record to `out`.

    Baler tells the epochs' losses, not their lengths: these are null in the history.

    Raises
    ------
    InputError
        The table or an option is nothing for Baler, or the loss is no longer finite.
    UnavailableError
        Baler is not installed, or the device is not there.
    BalerEnergyError
        Baler failed.
    """
    refuse_unsupported(
        model=point.model,
        precision=point.precision,
        packing=point.packing,
        shuffle=settings.shuffle,
        plateau_patience=settings.plateau_patience,
    )
    table = Table.read(data)
    refuse_constants(table, data)
    rows, columns = table.data.shape
    architecture = Architecture.of(point.model, columns, point.compression_ratio)
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    config = replace(
        baler_config(point, architecture, table.dtypes),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        early_stopping_patience=settings.early_stopping_patience,
    )
    with workplace(out) as root:
        full, few = new_project(root, "full", config), new_project(root, "few", replace(config, epochs=1))
        files.write_table(full.data, table)
        files.write_table(few.data, first_rows(table, point))
        done = measure(Work(root, full, few, "train"), point, measuring, out)
        losses = _losses(full, settings.learning_rate)
        checkpoint = files.read_checkpoint(full.model, files.read_features(full.features), table.names, table.dtypes)
        checkpoint.write(out / CHECKPOINT)
        _write_history(losses, out / HISTORY)
        results = training_results(losses, architecture, rows) | done.facts
        results["upstream_model_bytes"] = full.model.stat().st_size
    write_record(out, Operation.TRAIN, parameters | recorded_settings(settings), done.outcome, results)


def _losses(project: Folder, learning_rate: float) -> list[float]:
    losses = [float(loss) for loss in np.load(project.losses, allow_pickle=False)[0]]
    for epoch, loss in enumerate(losses, start=1):
        if not np.isfinite(loss):
            raise InputError(
                f"Training diverged: the loss of epoch {epoch} is {loss}. "
                f"Try a learning rate below {learning_rate:g} (--learning-rate)."
            )
    return losses


def _write_history(losses: list[float], path: Path) -> None:
    import pandas as pd

    unknown = np.full(len(losses), np.nan)
    frame = pd.DataFrame({"epoch": range(1, len(losses) + 1), "loss": losses, "duration_s": unknown})
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)

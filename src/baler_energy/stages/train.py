"""Stage ``train``: a table to a trained codec, measured."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.config.options import add_options
from baler_energy.config.parameters import Training
from baler_energy.data.table import Table
from baler_energy.meters.options import add_session_arguments
from baler_energy.meters.segments import joined
from baler_energy.stages.history import HISTORY, History
from baler_energy.stages.measured import (
    WARM_UP_BATCHES,
    Measuring,
    gpu_memory_peak_b,
    open_session,
    warmed_up,
    write_record,
)
from baler_energy.stages.options import (
    PointOptions,
    add_point_arguments,
    configure_torch,
    point_options,
)
from baler_energy.stages.saved import STATE, SavedTraining, training_key
from baler_energy.variants import ENGINES, load
from baler_energy.vocabulary import Operation

if TYPE_CHECKING:
    from baler_energy.codecs.baler.training import Trained

__all__ = [
    "CHECKPOINT",
    "EPILOG",
    "HELP",
    "add_arguments",
    "add_training_arguments",
    "run",
    "train",
    "trainer",
]

HELP = "train the codec on a table, and measure it"
EPILOG = """examples:
  baler-energy train --data table.npz --epochs 5 --out run/train
  baler-energy train --data table.npz --epochs 100 --precision float32 --shuffle \\
      --early-stopping-patience 10 --out run/train

writes checkpoint.pt, history.parquet, samples.parquet and, last, measurement.json
"""

CHECKPOINT = "checkpoint.pt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_training_arguments(parser)
    add_point_arguments(parser, epochs=5)
    add_session_arguments(parser)


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training itself."""
    add_options(parser.add_argument_group("training"), Training)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    point = point_options(args)
    train(args.data, args.out, point, training_settings(args, point), Measuring.of(args))


def training_settings(args: argparse.Namespace, point: PointOptions) -> TrainingSettings:
    """Read the settings of the training from parsed options."""
    return TrainingSettings(
        **{name: getattr(args, name) for name in Training.model_fields},
        epochs=point.epochs or 1,
        batch_size=point.batch_size,
        seed=point.seed,
        precision=point.precision,
    )


def train(
    data: Path,
    out: Path,
    point: PointOptions,
    settings: TrainingSettings,
    measuring: Measuring,
) -> None:
    """Train on the table in `data`; write checkpoint, history, samples and record to `out`.

    The measured operation begins with the table in memory and ends with the trained network: scaling, making the
    network and its data loader, and all epochs; with the engine ``upstream``, see `stages.upstream`. A training that
    takes longer than `settings.save_every_s` (s) saves its state so often, within the window, and one that finds such a
    state in `out` goes on from there. Raises `InputError` and `UnavailableError`.
    """
    if point.engine == "upstream":
        from baler_energy.stages.upstream import train as upstream

        upstream.train(data, out, point, settings, measuring)
        return
    from baler_energy.codecs.baler.checkpoint import Checkpoint

    train_network = trainer(point.engine)
    table = Table.read(data)
    rows, columns = table.data.shape
    architecture = Architecture.of(point.model, columns, point.compression_ratio)
    device = configure_torch(point)
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    recorded = parameters | recorded_settings(settings)
    few = table.data[: WARM_UP_BATCHES * settings.batch_size]

    with open_session(measuring, device, out) as session:
        history = History(session)
        saved = SavedTraining(out / STATE, training_key(table, recorded), session, history, settings.save_every_s)

        def operation() -> "Trained":
            history.restart()
            return train_network(table.data, table.names, architecture, settings, device, history.add, saved)

        def warm_up() -> None:
            train_network(few, table.names, architecture, settings.changed(epochs=1), device)

        outcome = session.run(operation, warm_up=warmed_up(warm_up, device), once=bool(saved.segments))
        if saved.segments:
            outcome = joined(saved.segments, outcome, measuring.settings.min_window_s)
        trained = outcome.result
        checkpoint = Checkpoint.of(trained.model, trained.normalisation, table.names, table.dtypes)
        checkpoint.write(out / CHECKPOINT)
        history.write(out / HISTORY)
        results = training_results([epoch.loss for epoch in trained.epochs], architecture, rows)
        results["torch_gpu_memory_peak_b"] = gpu_memory_peak_b(device)
        results["segments"] = len(saved.segments) + 1
        write_record(out, Operation.TRAIN, recorded, outcome, results, saved.segments)
        saved.remove()


def trainer(engine: str) -> "Callable[..., Trained]":
    """Choose what trains in this process; engines share signature and result of `training.train`."""
    train_network: Callable[..., Trained] = load(ENGINES[engine]["train"][0]).train
    return train_network


def recorded_settings(settings: TrainingSettings) -> dict[str, str | int | float | bool | None]:
    """Give the settings of the training beyond the axes of the grid, for the record."""
    return {name: getattr(settings, name) for name in Training.model_fields if name != "save_every_s"}


def training_results(
    losses: Sequence[float], architecture: Architecture, rows: int
) -> dict[str, str | int | float | bool | None]:
    """Give what a training of so many rows reports, from the epochs' losses, for the record."""
    macs = architecture.training_macs * rows * len(losses)
    return {
        "final_loss": losses[-1],
        "epochs_run": len(losses),
        "parameters": architecture.parameters,
        "macs": macs,
        "flops": 2 * macs,
    }

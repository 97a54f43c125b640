"""Stage ``train``: a table to a trained codec, measured."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.data.table import Table
from baler_energy.errors import InputError
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
    positive_int,
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
    "SAVE_EVERY_S",
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
#: Time between savings of the state of a long training (s).
SAVE_EVERY_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add_training_arguments(parser)
    parser.add_argument(
        "--save-every-s",
        type=_positive_s,
        default=SAVE_EVERY_S,
        metavar="S",
        help="save the state of a long training so often (s, default: %(default)g); the same command, after an "
        "interruption, resumes from it (not with the engine upstream)",
    )
    add_point_arguments(parser)
    add_session_arguments(parser)
    parser.set_defaults(epochs=5)


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training itself."""
    group = parser.add_argument_group("training")
    group.add_argument(
        "--learning-rate", type=float, default=1e-3, metavar="RATE", help="of Adam (default: %(default)g)"
    )
    group.add_argument("--shuffle", action="store_true", help="shuffle the rows each epoch (Baler does not)")
    group.add_argument(
        "--early-stopping-patience", type=positive_int, metavar="N", help="stop after N epochs without a lower loss"
    )
    group.add_argument(
        "--early-stopping-min-delta",
        type=float,
        default=0.0,
        metavar="D",
        help="fall of the loss that early stopping counts (default: %(default)g)",
    )
    group.add_argument(
        "--plateau-patience",
        type=positive_int,
        metavar="N",
        help="lower the learning rate after N epochs without a lower loss",
    )
    group.add_argument(
        "--plateau-factor", type=float, default=0.5, metavar="F", help="by this factor (default: %(default)g)"
    )


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    point = point_options(args)
    train(args.data, args.out, point, training_settings(args, point), Measuring.of(args), args.save_every_s)


def _positive_s(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text} is not a time above 0 s")
    return seconds


def training_settings(args: argparse.Namespace, point: PointOptions) -> TrainingSettings:
    """Read the settings of the training from parsed options.

    Raises
    ------
    InputError
        A value is out of range.
    """
    if not 0 < args.learning_rate <= 1:
        raise InputError(f"--learning-rate {args.learning_rate}: must be above 0 and at most 1, such as 0.001.")
    if not 0 < args.plateau_factor < 1:
        raise InputError(f"--plateau-factor {args.plateau_factor}: must be between 0 and 1.")
    if not 0 <= args.early_stopping_min_delta < math.inf:
        raise InputError(f"--early-stopping-min-delta {args.early_stopping_min_delta}: must be 0 or more.")
    return TrainingSettings(
        epochs=point.epochs or 1,
        batch_size=point.batch_size,
        seed=point.seed,
        precision=point.precision,
        learning_rate=args.learning_rate,
        shuffle=args.shuffle,
        early_stopping_patience=args.early_stopping_patience,
        early_stopping_min_delta=args.early_stopping_min_delta,
        plateau_patience=args.plateau_patience,
        plateau_factor=args.plateau_factor,
    )


def train(
    data: Path,
    out: Path,
    point: PointOptions,
    settings: TrainingSettings,
    measuring: Measuring,
    save_every_s: float = SAVE_EVERY_S,
) -> None:
    """Train on the table in `data`; write checkpoint, history, samples and record to `out`.

    The measured operation begins with the table in memory and ends with the trained network: scaling, making the
    network and its data loader, and all epochs; with the engine ``upstream``, see `stages.upstream`. A training that
    takes longer than `save_every_s` (s) saves its state so often, within the window, and one that finds such a state in
    `out` goes on from there. Raises `InputError` and `UnavailableError`.
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
        saved = SavedTraining(out / STATE, training_key(table, recorded), session, history, save_every_s)

        def operation() -> "Trained":
            history.restart()
            return train_network(table.data, table.names, architecture, settings, device, history.add, saved)

        def warm_up() -> None:
            train_network(few, table.names, architecture, replace(settings, epochs=1), device)

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
    return {
        "learning_rate": settings.learning_rate,
        "shuffle": settings.shuffle,
        "early_stopping_patience": settings.early_stopping_patience,
        "early_stopping_min_delta": settings.early_stopping_min_delta,
        "plateau_patience": settings.plateau_patience,
        "plateau_factor": settings.plateau_factor,
    }


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

"""Stage ``train``: train a codec on a table, measured."""

import argparse
from pathlib import Path
from typing import Any

from baler_energy.codecs.engines import engine_of, operation_of
from baler_energy.codecs.engines.base import Learned
from baler_energy.config.options import add_options, option
from baler_energy.config.parameters import AXIS_DEFAULTS, Training, applies
from baler_energy.config.recommended import RECOMMENDED, RECOMMENDED_EPOCHS
from baler_energy.data.table import Table
from baler_energy.files import check_outputs, output_folder
from baler_energy.meters.options import add_session_arguments
from baler_energy.meters.segments import joined
from baler_energy.progress import announce
from baler_energy.records import Measurement
from baler_energy.stages.file_names import CHECKPOINT, HISTORY
from baler_energy.stages.history import History
from baler_energy.stages.measured import Measuring, facts_of_work, open_work, warm_up_of, write_record
from baler_energy.stages.options import (
    DEFAULTS,
    PointOptions,
    add_point_arguments,
    configure_torch,
    point_options,
)
from baler_energy.stages.saved import STATE, SavedTraining, training_key
from baler_energy.stages.stopping import StopAtGain, evidence_of
from baler_energy.stages.summaries import measured_summary
from baler_energy.variants import PATIENT_SCHEDULES
from baler_energy.vocabulary import Operation

__all__ = [
    "EPILOG",
    "HELP",
    "add_arguments",
    "add_training_arguments",
    "run",
    "train",
]

HELP = "train the codec on a table, and measure it"
EPILOG = """examples:
  baler-energy train --data table.npz --epochs 5 --out run/train
  baler-energy train --data table.npz --recommended --out run/train
  baler-energy train --data table.npz --epochs 100 --precision float32 --shuffle \\
      --early-stopping-patience 10 --out run/train

writes checkpoint.pt, history.parquet, samples.parquet and, last, measurement.json
"""

#: What ``--recommended`` sets.
RECOMMENDED_OPTIONS = {**RECOMMENDED, "epochs": RECOMMENDED_EPOCHS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="table of `baler-energy prepare`")
    parser.add_argument("--out", type=output_folder, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--recommended",
        action="store_true",
        help=f"train as recommended for less energy at Baler's error: {_recommended_words()}; options that are also "
        "given take precedence",
    )
    add_training_arguments(parser)
    add_point_arguments(parser, defaults=DEFAULTS)
    add_session_arguments(parser)


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training itself."""
    add_options(parser.add_argument_group("training"), Training)


def _recommended_words() -> str:
    return " ".join(f"{option(name)} {value}" for name, value in RECOMMENDED_OPTIONS.items())


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    point = point_options(args, RECOMMENDED_OPTIONS if args.recommended else DEFAULTS)
    training = Training(**{name: getattr(args, name) for name in Training.model_fields})
    for line in _without_effect(point, training):
        announce(line)
    print(train(args.data, args.out, point, training, Measuring.of(args)))


def _without_effect(point: PointOptions, training: Training) -> list[str]:
    """Say which of the given options of the training change nothing at this point."""
    reasons: dict[str, str] = {}
    if point.schedule not in PATIENT_SCHEDULES:
        without = f"without --schedule {' or '.join(PATIENT_SCHEDULES)}"
        reasons |= dict.fromkeys(("plateau_patience", "plateau_factor"), without)
    if point.pruning == AXIS_DEFAULTS["pruning"]:
        reasons["fine_tuning"] = "without --pruning"
    if not applies("epochs", point.transform):
        reasons = dict.fromkeys(Training.model_fields, f"with --transform {point.transform}")
    given = (name for name in reasons if getattr(training, name) != Training.model_fields[name].default)
    return [f"{option(name)}: no effect {reasons[name]}." for name in given]


def train(data: Path, out: Path, point: PointOptions, training: Training, measuring: Measuring) -> str:
    """Train on the table in `data`; write checkpoint, history, samples and record to `out`; return a summary.

    The measured operation begins with the table in memory and ends with the trained network. It scales, makes the
    network and its data loader, and runs all epochs; with the engine ``upstream``, it is Baler's own training. A
    training saves its state every `training.save_every_s` (s), within the window; if `out` has a saved state, it
    resumes from there. Raises `InputError` and `UnavailableError`.
    """
    engine_of(point).refuse(point, training)
    check_outputs(out, CHECKPOINT, HISTORY)
    table = Table.read(data)
    rows, columns = table.data.shape
    device = configure_torch(point)
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    recorded = parameters | recorded_settings(training)

    asked = point.asked(data, out / CHECKPOINT, device, training=training, table=table)
    with (
        operation_of(point, "train").training(asked) as work,
        open_work(work, measuring, device, out) as session,
    ):
        history = History(session)
        stopping = StopAtGain(training.stop_at_gain, history, evidence_of(measuring.meters), device.type == "cuda")
        saved = None
        if work.saves_state:
            key = training_key(table, recorded, [meter.name for meter in measuring.meters])
            saved = SavedTraining(out / STATE, key, session, history, training.save_every_s)

        def operation() -> Any:
            stopping.restart()
            return work.operation(stopping.add, saved)

        segments = saved.segments if saved else []
        outcome = session.run(operation, warm_up=warm_up_of(work, device), once=bool(segments))
        if segments:
            outcome = joined(segments, outcome, measuring.settings.min_window_s)
        learned: Learned = work.finish(outcome.result)
        learned.codec.write(out / CHECKPOINT)
        history.complete(learned.epochs)
        history.write(out / HISTORY, outcome.window.start)
        results = {**learned.results, **stopping.facts(), "segments": len(segments) + 1}
        results |= facts_of_work(work, device, outcome.result)
        record = write_record(out, Operation.TRAIN, recorded, outcome, results, segments)
        if saved:
            saved.remove()
    return measured_summary(out / CHECKPOINT, _facts(record), record)


def _facts(record: Measurement) -> str:
    """Describe what was trained on, and to which loss; a codec in closed form has no epochs."""
    known, found = record.parameters, record.results
    size = f"{known['rows']:,} rows, {known['columns']} columns, {known['latent_columns']} latents"
    loss, epochs = found.get("final_loss"), found.get("epochs_run")
    return size if loss is None else f"{size}; loss {loss:.4g} after {epochs} epoch{'' if epochs == 1 else 's'}"


def recorded_settings(training: Training) -> dict[str, str | int | float | bool | None]:
    """Return the training's settings for the record: all but the axes of the grid and `save_every_s`."""
    return {name: getattr(training, name) for name in Training.model_fields if name != "save_every_s"}

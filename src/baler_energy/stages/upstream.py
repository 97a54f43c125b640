"""The engine ``upstream`` of the measured stages: Baler itself, in a process of its own.

The measured operation is one whole mode of Baler's command line, after its imports: reading the input, scaling, working
and writing its files. Their conversion from and to ours is outside of the window, as is the start of the process, whose
length the record keeps as ``startup_s``.
"""

import pstats
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.upstream.config import Config, Folder, exact_ratio, type_list
from baler_energy.codecs.upstream.project import new_project, refuse_unsupported
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import atomic_path
from baler_energy.meters.session import Outcome
from baler_energy.progress import say
from baler_energy.stages.measured import WARM_UP_BATCHES, Measuring, open_session, write_record
from baler_energy.stages.options import PointOptions, actual_device, check_point, physical_cores
from baler_energy.vocabulary import Operation

if TYPE_CHECKING:
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.training import TrainingSettings
    from baler_energy.codecs.upstream.process import Upstream
    from baler_energy.stages.profiled import Job

__all__ = ["compress", "decompress", "profile", "train"]

Results = dict[str, str | int | float | bool | None]


def train(data: Path, out: Path, point: PointOptions, settings: "TrainingSettings", measuring: Measuring) -> None:
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
    from baler_energy.codecs.upstream import files
    from baler_energy.stages.train import CHECKPOINT, HISTORY, recorded_settings, training_results

    plateau = settings.plateau_patience
    refuse_unsupported(
        model=point.model,
        precision=point.precision,
        packing=point.packing,
        shuffle=settings.shuffle,
        plateau_patience=plateau,
    )
    table = Table.read(data)
    _refuse_constants(table, data)
    rows, columns = table.data.shape
    architecture = Architecture.of(point.model, columns, point.compression_ratio)
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    config = replace(
        _baler_config(point, architecture, table.dtypes),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        early_stopping_patience=settings.early_stopping_patience,
        min_delta=settings.early_stopping_min_delta,
    )
    with _workplace(out) as root:
        full, few = new_project(root, "full", config), new_project(root, "few", replace(config, epochs=1))
        files.write_table(full.data, table)
        files.write_table(few.data, _first(table, point))
        done = _measure(_Work(root, full, few, "train"), point, measuring, out)
        losses = _losses(full, settings.learning_rate)
        checkpoint = files.read_checkpoint(full.model, files.read_features(full.features), table.names, table.dtypes)
        checkpoint.write(out / CHECKPOINT)
        _write_history(losses, out / HISTORY)
        results = training_results(losses, architecture, rows) | done.facts
        results["upstream_model_bytes"] = full.model.stat().st_size
    write_record(out, Operation.TRAIN, parameters | recorded_settings(settings), done.outcome, results)


def compress(data: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> None:
    """Let Baler compress the table in `data`; write the compressed file, samples and record to `out`.

    Raises as `train` does, and where the checkpoint does not fit.
    """
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import check_columns, write_latents
    from baler_energy.codecs.baler.normalisation import Normalisation
    from baler_energy.codecs.upstream import files
    from baler_energy.stages.compress import COMPRESSED

    refuse_unsupported(model=point.model, precision=point.precision, packing=point.packing)
    table, checkpoint = Table.read(data), Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    _refuse_constants(table, data)
    check_columns(table.names, table.dtypes, checkpoint)
    own = Normalisation.of(table.data, table.names)
    if not np.array_equal(own.features, checkpoint.normalisation.features):
        say(
            "Warning: upstream Baler scales by this table's own minima and ranges when it compresses, and by those of "
            "the training when it decompresses: the values come back shifted. Train on this table."
        )
    rows, columns = table.data.shape
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    config = _baler_config(point, checkpoint.architecture, table.dtypes)
    with _workplace(out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, table), (few, _first(table, point))):
            _write_inputs(project, part, checkpoint)
        done = _measure(_Work(root, full, few, "compress"), point, measuring, out)
        latents = files.read_latents(full.compressed, checkpoint)
        with atomic_path(out / COMPRESSED) as temporary:
            sizes = write_latents(temporary, latents, checkpoint, table.origin)
        results: Results = {
            "compressed_bytes": (out / COMPRESSED).stat().st_size,
            **{name: value for name, value in asdict(sizes).items() if name != "rows"},
            "input_float64_bytes": table.data.nbytes,
            "native_bytes": table.native_bytes,
            "source_bytes": table.origin.get("source_bytes"),
            "checkpoint_bytes": checkpoint_path.stat().st_size,
            "upstream_compressed_bytes": full.compressed.stat().st_size,
        }
    write_record(out, Operation.COMPRESS, parameters, done.outcome, results | done.facts)


def decompress(compressed: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> None:
    """Let Baler reconstruct the table in `compressed`; write it, samples and record to `out`.

    Integer columns are truncated, as Baler does. It also reads its input file again, of which it uses the shape
    only: it gets one of zeros, of the same size.

    Raises as `train` does, and where the file or the checkpoint does not fit.
    """
    from baler_energy.codecs.baler.checkpoint import Checkpoint
    from baler_energy.codecs.baler.coder import check_hash
    from baler_energy.codecs.baler.container import Reader
    from baler_energy.codecs.upstream import files
    from baler_energy.stages.decompress import RECONSTRUCTED

    checkpoint = Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    content = Reader(compressed)
    facts, latents, columns = content.facts, content.latents(), checkpoint.architecture.columns
    refuse_unsupported(model=point.model, precision=point.precision, packing=facts.packing)
    check_hash(facts, checkpoint, compressed)
    parameters = point.parameters(source=facts.origin.get("source"), rows=len(latents), columns=columns)
    config = _baler_config(point, checkpoint.architecture, facts.dtypes)
    first = latents[: WARM_UP_BATCHES * point.batch_size]
    with _workplace(out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, latents), (few, first)):
            zeros = Table(np.zeros((len(part), columns)), facts.names, facts.dtypes)
            _write_inputs(project, zeros, checkpoint, part)
        done = _measure(_Work(root, full, few, "decompress"), point, measuring, out)
        origin = {**facts.origin, "reconstructed_from": compressed.name}
        files.read_table(full.decompressed, facts.dtypes, origin).write(out / RECONSTRUCTED)
        results: Results = {"rows": len(latents), "upstream_decompressed_bytes": full.decompressed.stat().st_size}
    write_record(out, Operation.DECOMPRESS, parameters, done.outcome, results | done.facts)


def profile(job: "Job") -> pstats.Stats:
    """Let Baler run an operation under cProfile, after a warm-up.

    Raises
    ------
    InputError
        The table or an option is nothing for Baler.
    UnavailableError
        Baler is not installed, or the device is not there.
    BalerEnergyError
        Baler failed.
    """
    from baler_energy.codecs.upstream.process import started

    point = job.point
    refuse_unsupported(model=point.model, precision=point.precision, packing=point.packing)
    _refuse_constants(job.table, job.data)
    architecture = Architecture.of(point.model, job.table.data.shape[1], point.compression_ratio)
    config = replace(_baler_config(point, architecture, job.table.dtypes), epochs=1)
    full, few = (new_project(job.folder, name, config) for name in ("full", "few"))
    for project, batches in ((full, job.max_batches), (few, WARM_UP_BATCHES)):
        _prepare(project, job, job.part(batches))
    device, threads = actual_device(point.device), point.threads or physical_cores()
    with started(job.folder, device=device, threads=threads) as baler:
        baler.perform(few, job.operation, point.seed)
        functions = baler.perform(full, job.operation, point.seed, profile=True)["functions"]
    stats = pstats.Stats()
    # Not in the typed interface: a function's place to its numbers and to those of each caller's calls.
    vars(stats)["stats"] = {
        tuple(place): (*numbers, {tuple(caller): tuple(edge) for caller, edge in callers})
        for place, numbers, callers in functions
    }
    return stats


def _prepare(project: Folder, job: "Job", table: Table) -> None:
    from baler_energy.codecs.upstream import files

    if job.operation == "train":
        files.write_table(project.data, table)
    else:
        latents = job.coder.encode(table.data) if job.operation == "decompress" else None
        _write_inputs(project, table, job.codec, latents)


def _baler_config(point: PointOptions, architecture: Architecture, dtypes: tuple[str, ...]) -> Config:
    """Make the configuration of a point's project; `new_project` gives it its input."""
    from baler_energy.codecs.upstream.files import model_name

    return Config(
        input_path="",
        compression_ratio=exact_ratio(architecture.columns, architecture.latent),
        model_name=model_name(architecture),
        type_list=type_list(dtypes),
        batch_size=point.batch_size,
    )


def _write_inputs(
    project: Folder, table: Table, checkpoint: "Checkpoint", latents: "NDArray[np.floating] | None" = None
) -> None:
    """Write what Baler reads to compress a table or, with latents (rows, latent), to decompress one."""
    from baler_energy.codecs.upstream import files

    files.write_table(project.data, table)
    files.write_model(project.model, checkpoint)
    files.write_features(project.features, checkpoint.normalisation)
    if latents is not None:
        files.write_latents(project.compressed, latents, checkpoint)


def _refuse_constants(table: Table, path: Path) -> None:
    """Refuse columns of a single value, by whose range of 0 Baler divides.

    Raises
    ------
    InputError
        There is one.
    """
    constant: NDArray[np.bool_] = (table.data == table.data[0]).all(axis=0)
    names = [name for name, is_constant in zip(table.names, constant, strict=True) if is_constant]
    if names:
        raise InputError(
            f"{path}: column {', '.join(map(repr, names))} holds a single value, and upstream Baler divides by a "
            "column's range. Prepare the table without it, or take another engine."
        )


@dataclass(frozen=True)
class _Work:
    """A mode of two projects in a folder: what is measured, and the few rows to warm up with."""

    root: Path
    full: Folder
    few: Folder
    mode: str


@dataclass(frozen=True)
class _Done:
    """A measured window, and what goes into the record besides."""

    outcome: Outcome[dict[str, Any]]
    facts: Results


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Give a folder for Baler's projects on the file system of `out`, as the other engines write there."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".upstream-", dir=out) as folder:
        yield Path(folder).absolute()


def _measure(work: _Work, point: PointOptions, measuring: Measuring, out: Path) -> _Done:
    import torch

    from baler_energy.codecs.upstream.process import started

    device, threads = actual_device(point.device), point.threads or physical_cores()

    def perform(project: Folder) -> dict[str, Any]:
        return baler.perform(project, work.mode, point.seed)

    # Baler starts inside of the session, which has the machine to itself; a GPU's context is made before the baseline.
    with (
        open_session(measuring, torch.device(device), out, lambda: baler.synchronise()) as session,
        started(work.root, device=device, threads=threads) as baler,
    ):
        outcome = session.run(lambda: perform(work.full), warm_up=lambda: perform(work.few))
        return _Done(outcome, _facts(baler, outcome.result))


def _facts(baler: "Upstream", result: Mapping[str, Any]) -> Results:
    versions = {f"upstream_{name}": baler.facts[name] for name in ("version", "commit", "python", "torch", "numpy")}
    return {"startup_s": baler.startup_s, "torch_gpu_memory_peak_b": result["gpu_memory_peak_b"]} | versions


def _first(table: Table, point: PointOptions) -> Table:
    """Rows to warm up with."""
    return Table(table.data[: WARM_UP_BATCHES * point.batch_size], table.names, table.dtypes, table.origin)


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

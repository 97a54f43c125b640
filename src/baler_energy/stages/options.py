"""Options that name a point of the grid: the same for every stage that runs the codec, and in every record."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from baler_energy.codecs.baler.architecture import Network, latent_columns, network
from baler_energy.codecs.baler.packing import Packing
from baler_energy.cores import allowed_cpus, default_threads
from baler_energy.errors import InputError, UnavailableError
from baler_energy.meters.visible import hold_first_gpu, number_by_bus
from baler_energy.progress import say

if TYPE_CHECKING:
    import torch

    from baler_energy.codecs.baler.checkpoint import Checkpoint

__all__ = [
    "PointOptions",
    "actual_device",
    "add_codec_file_arguments",
    "add_point_arguments",
    "check_point",
    "configure_torch",
    "point_options",
    "positive_int",
]


@dataclass(frozen=True)
class PointOptions:
    """A point of the grid as the stages see it; ``device`` and ``threads`` may be ``auto``."""

    run_id: str
    dataset: str
    engine: str
    model: str
    device: str
    precision: str
    batch_size: int
    compression_ratio: float
    packing: str
    epochs: int | None
    """None: not told (of a codec that is only applied)."""
    repeat: int
    seed: int
    threads: int | None
    """None: `cores.default_threads`."""

    def parameters(self, *, source: str | None, rows: int, columns: int) -> dict[str, str | int | float | bool | None]:
        """Give the record's parameters, with the actual device, threads and rows.

        Parameters
        ----------
        source
            Where the table comes from (``pythia8``, ``toy``, ``file``); None where the input does not tell.
        rows, columns
            Of the table that was worked on.

        Raises
        ------
        InputError
            The compression ratio is out of range.
        UnavailableError
            The device is not there.
        """
        return {
            "run_id": self.run_id,
            "dataset": self.dataset,
            "source": source,
            "rows": rows,
            "columns": columns,
            "engine": self.engine,
            "model": self.model,
            "device": actual_device(self.device),
            "precision": self.precision,
            "batch_size": self.batch_size,
            "compression_ratio": self.compression_ratio,
            "packing": self.packing,
            "latent_columns": latent_columns(columns, self.compression_ratio),
            "epochs": self.epochs,
            "repeat": self.repeat,
            "seed": self.seed,
            "threads": self.threads or default_threads(),
        }


def add_codec_file_arguments(
    parser: argparse.ArgumentParser, *, data_help: str = "table of `baler-energy prepare`"
) -> None:
    """Add the files of a stage that applies a trained codec."""
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help=data_help)
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="checkpoint of `baler-energy train`"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")


def add_point_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a point to `parser`."""
    group = parser.add_argument_group("point of the grid")
    group.add_argument("--run-id", default="run", metavar="ID", help="name of the point (default: %(default)s)")
    group.add_argument("--dataset", default="data", metavar="NAME", help="name of the dataset (default: %(default)s)")
    _add_codec_arguments(group)
    group.add_argument(
        "--epochs", type=positive_int, metavar="N", help="passes over the table in training (default: %(default)s)"
    )
    group.add_argument("--repeat", type=int, default=0, metavar="N", help="number of the repeat (default: %(default)s)")
    group.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the starting parameters (default: %(default)s)"
    )
    group.add_argument(
        "--threads",
        type=_threads,
        default=None,
        metavar="N|auto",
        help="of torch; auto (the default): the physical cores but one, or for engine fast what costs least by the "
        "calibration",
    )


def _add_codec_arguments(group: "argparse._ArgumentGroup") -> None:
    """Add the options that say what compresses, and how."""
    group.add_argument(
        "--engine",
        choices=("reference", "fast", "upstream"),
        default="reference",
        help="implementation: plain PyTorch, the fast one, or Baler itself (default: %(default)s)",
    )
    group.add_argument(
        "--model",
        default="baler",
        metavar="NAME",
        help="network: baler, baler-x0.5 (its widths times a factor), baler-small, or widths such as 128-64-32 "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU where there is one (the default)"
    )
    group.add_argument(
        "--precision",
        choices=("float64", "float32", "bfloat16"),
        default="float64",
        help="of parameters and arithmetic; bfloat16: of the fast engine's matrix products (default: %(default)s)",
    )
    group.add_argument(
        "--batch-size", type=positive_int, default=512, metavar="N", help="rows per batch (default: %(default)s)"
    )
    group.add_argument(
        "--compression-ratio",
        type=float,
        default=2.0,
        metavar="R",
        help="columns over latent columns, 1 or more (default: %(default)g)",
    )
    group.add_argument(
        "--packing",
        default="none",
        metavar="WORDS",
        help="how latents are stored: float32, float16, float32-12 (bits of mantissa), zstd, bound-0.01 (largest error "
        "over a column's range), joined by + (default: %(default)s)",
    )


def point_options(args: argparse.Namespace) -> PointOptions:
    """Read the options of a point from parsed arguments.

    Raises
    ------
    InputError
        A value is out of range, or the calibration cannot be read.
    """
    if not 0 <= args.seed < 2**63:
        raise InputError(f"--seed {args.seed}: must be 0 or more, and below 2^63.")
    network(args.model)
    Packing.parse(args.packing)
    if args.precision == "bfloat16" and args.engine != "fast":
        raise InputError(f"--precision bfloat16: engine {args.engine} does not know it. Give --engine fast.")
    if args.repeat < 0:
        raise InputError(f"--repeat {args.repeat}: must be 0 or more.")
    point = PointOptions(**{name: getattr(args, name) for name in PointOptions.__dataclass_fields__})
    return replace(point, threads=_fast_threads(args)) if point.threads is None and point.engine == "fast" else point


def _fast_threads(args: argparse.Namespace) -> int | None:
    """Take the calibration's number of threads, where one is given; a GPU does not depend on it."""
    path = getattr(args, "calibration", None)
    if path is None or args.device == "cuda":
        return None
    from baler_energy.meters.calibration import calibrated_threads

    threads = calibrated_threads(path)
    return None if threads is None else min(threads, default_threads())


def configure_torch(point: PointOptions) -> "torch.device":
    """Set torch's threads for this process, and give the point's device; say where the threads share CPUs.

    ``torch.use_deterministic_algorithms`` is not called: it imports torch's compiler, which takes longer than many
    trainings, and every operation of the codec is deterministic on a CPU without it.

    Raises
    ------
    UnavailableError
        The device is not there.
    """
    import torch

    name = actual_device(point.device)
    device = torch.device(name, 0) if name == "cuda" else torch.device(name)
    allowed = allowed_cpus()
    if point.threads and point.threads > allowed:
        cpus = f"{allowed} CPU{'' if allowed == 1 else 's'}"
        say(f"--threads {point.threads}: this process may use {cpus}, on which the threads take turns.")
    torch.set_num_threads(point.threads or default_threads())
    return device


def check_point(checkpoint: "Checkpoint", point: PointOptions, path: Path) -> None:
    """Refuse options that contradict the checkpoint, as the record would then be wrong.

    Raises
    ------
    InputError
        The precision, the model or the compression ratio is not the checkpoint's.
    """
    # In bfloat16 only the matrix products of the training are.
    needed = {"bfloat16": "float32"}.get(point.precision, point.precision)
    if checkpoint.precision != needed:
        raise InputError(
            f"{path}: was trained in {checkpoint.precision}, but --precision is {point.precision}. "
            f"Give --precision {checkpoint.precision}."
        )
    columns, latent = checkpoint.architecture.columns, checkpoint.architecture.latent
    architecture = checkpoint.architecture
    known = Network(architecture.hidden, architecture.negative_slope)
    if known != network(point.model):
        widths = "-".join(map(str, known.hidden))
        name = next((name for name in ("baler", "baler-small") if network(name) == known), widths)
        raise InputError(f"{path}: is a network {name}, but --model is {point.model}. Give --model {name}.")
    if latent_columns(columns, point.compression_ratio) != latent:
        raise InputError(
            f"{path}: has {latent} latent columns for {columns} columns, which --compression-ratio "
            f"{point.compression_ratio:g} does not give. Give --compression-ratio {columns / latent!r}."
        )


def actual_device(name: str) -> str:
    """Resolve ``auto`` to ``cuda`` where torch finds a GPU, else ``cpu``.

    A run on ``cuda`` computes on CUDA's first GPU. It alone is shown to the meters from then on: others that were
    allocated or are visible do nothing for it.

    Raises
    ------
    UnavailableError
        ``cuda`` was asked for, and torch finds none.
    """
    import torch

    number_by_bus()
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UnavailableError(
            "--device cuda: torch finds no CUDA GPU here (no GPU, no driver, or a CPU build of torch). "
            "Use `--device cpu`, or `--device auto` to take a GPU only where there is one."
        )
    if not available or name == "cpu":
        return "cpu"
    hold_first_gpu()
    return "cuda"


def positive_int(text: str) -> int:
    """Parse a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _threads(text: str) -> int | None:
    return None if text == "auto" else positive_int(text)

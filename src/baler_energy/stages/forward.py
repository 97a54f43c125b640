"""Stage ``forward``: measure a network's forward pass and count its operations."""

import argparse
from dataclasses import asdict
from pathlib import Path

from baler_energy.codecs.engines import engine_of, options_with, refuse_runtime
from baler_energy.codecs.fitted import check_columns
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.files import write_json
from baler_energy.meters.options import add_session_arguments
from baler_energy.stages.file_names import COUNTS
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
    add_codec_file_arguments,
    add_point_arguments,
    configure_torch,
    point_options,
)
from baler_energy.stages.summaries import measured_summary
from baler_energy.vocabulary import Operation

__all__ = ["EPILOG", "HELP", "add_arguments", "forward", "run"]

HELP = "pass a table through a network, measure it, and count its operations with several tools"
EPILOG = """example:
  baler-energy forward --data table.npz --checkpoint run/train/checkpoint.pt --model baler-x2 --out run/forward

writes counts.json, samples.parquet and, last, measurement.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's options."""
    add_codec_file_arguments(parser)
    add_point_arguments(parser)
    add_session_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Run the stage from parsed options."""
    print(forward(args.data, args.checkpoint, args.out, point_options(args), Measuring.of(args)))


def forward(data: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> str:
    """Measure the forward pass of all rows of the table in `data`; write counts, samples and record to `out`.

    Returns a summary.

    The measured operation begins with the scaled rows and the network on the device. It passes each batch through
    encoder and decoder once, without gradients, and discards the output.

    Raises `InputError` if table, checkpoint and options do not match, and `UnavailableError`.
    """
    refuse_runtime(point, "the forward pass")
    if not engine_of(point).has_layers:
        able = options_with(lambda engine: engine.has_layers)
        raise InputError(f"--engine {point.engine}: the forward pass is only available in plain PyTorch. Use {able}.")
    import torch

    from baler_energy.codecs.baler.checkpoint import Checkpoint, check_point
    from baler_energy.codecs.baler.counts import counts
    from baler_energy.codecs.baler.model import DTYPES

    table, checkpoint = Table.read(data), Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    check_columns(table.names, table.dtypes, checkpoint)
    device = configure_torch(point)
    rows, columns = table.data.shape
    network = checkpoint.model(device)
    scaled = torch.as_tensor(checkpoint.normalisation.normalise(table.data), dtype=DTYPES[checkpoint.precision])
    batches = torch.split(scaled.to(device), point.batch_size)

    def pass_through(some: tuple[torch.Tensor, ...]) -> None:
        with torch.no_grad():
            for batch in some:
                network(batch)

    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    architecture = checkpoint.architecture
    macs = rows * (architecture.encode_macs + architecture.decode_macs)
    with open_session(measuring, device, out) as session:
        outcome = session.run(
            lambda: pass_through(batches), warm_up=warmed_up(lambda: pass_through(batches[:WARM_UP_BATCHES]), device)
        )
        write_json(out / COUNTS, [asdict(count) for count in counts(architecture)])
        results = {"parameters": architecture.parameters, "macs": macs, "flops": 2 * macs}
        results["torch_gpu_memory_peak_b"] = gpu_memory_peak_b(device)
        record = write_record(out, Operation.FORWARD, parameters, outcome, results)
    return measured_summary(out / COUNTS, f"{rows:,} rows, {macs:,} multiply-accumulates", record)

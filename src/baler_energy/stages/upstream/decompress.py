"""Baler decompresses."""

from pathlib import Path

import numpy as np

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.coder import check_hash
from baler_energy.codecs.baler.container import Reader
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.project import new_project, refuse_unsupported
from baler_energy.data.table import Table
from baler_energy.stages.decompress import RECONSTRUCTED
from baler_energy.stages.measured import WARM_UP_BATCHES, Measuring, write_record
from baler_energy.stages.options import PointOptions, check_point
from baler_energy.stages.upstream.work import Results, Work, baler_config, measure, workplace, write_inputs
from baler_energy.vocabulary import Operation

__all__ = ["decompress"]


def decompress(compressed: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> None:
    """Let Baler reconstruct the table in `compressed`; write it, samples and record to `out`.

    Integer columns are truncated, as Baler does. It also reads its input file again, of which it uses the shape
    only: it gets one of zeros, of the same size.

    Raises as `train` does, and where the file or the checkpoint does not fit.
    """
    checkpoint = Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    content = Reader(compressed)
    facts, latents, columns = content.facts, content.latents(), checkpoint.architecture.columns
    refuse_unsupported(model=point.model, precision=point.precision, packing=facts.packing)
    check_hash(facts, checkpoint, compressed)
    parameters = point.parameters(source=facts.origin.get("source"), rows=len(latents), columns=columns)
    config = baler_config(point, checkpoint.architecture, facts.dtypes)
    first = latents[: WARM_UP_BATCHES * point.batch_size]
    with workplace(out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, latents), (few, first)):
            zeros = Table(np.zeros((len(part), columns)), facts.names, facts.dtypes)
            write_inputs(project, zeros, checkpoint, part)
        done = measure(Work(root, full, few, "decompress"), point, measuring, out)
        origin = {**facts.origin, "reconstructed_from": compressed.name}
        files.read_table(full.decompressed, facts.dtypes, origin).write(out / RECONSTRUCTED)
        results: Results = {"rows": len(latents), "upstream_decompressed_bytes": full.decompressed.stat().st_size}
    write_record(out, Operation.DECOMPRESS, parameters, done.outcome, results | done.facts)

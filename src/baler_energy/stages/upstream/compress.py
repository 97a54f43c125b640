"""Baler compresses."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.coder import write_latents
from baler_energy.codecs.baler.normalisation import Normalisation
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.project import new_project, refuse_unsupported
from baler_energy.data.table import Table
from baler_energy.files import atomic_path
from baler_energy.progress import say
from baler_energy.stages.compress import COMPRESSED
from baler_energy.stages.measured import Measuring, write_record
from baler_energy.stages.options import PointOptions, check_point
from baler_energy.stages.upstream.work import (
    Results,
    Work,
    baler_config,
    first_rows,
    measure,
    refuse_constants,
    workplace,
    write_inputs,
)
from baler_energy.vocabulary import Operation

__all__ = ["compress"]


def compress(data: Path, checkpoint_path: Path, out: Path, point: PointOptions, measuring: Measuring) -> None:
    """Let Baler compress the table in `data`; write the compressed file, samples and record to `out`.

    Raises as `train` does, and where the checkpoint does not fit.
    """
    refuse_unsupported(model=point.model, precision=point.precision, packing=point.packing)
    table, checkpoint = Table.read(data), Checkpoint.read(checkpoint_path)
    check_point(checkpoint, point, checkpoint_path)
    refuse_constants(table, data)
    checkpoint.check_columns(table.names, table.dtypes)
    own = Normalisation.of(table.data, table.names)
    if not np.array_equal(own.features, checkpoint.normalisation.features):
        say(
            "Warning: upstream Baler scales by this table's own minima and ranges when it compresses, and by those of "
            "the training when it decompresses: the values come back shifted. Train on this table."
        )
    rows, columns = table.data.shape
    parameters = point.parameters(source=table.origin.get("source"), rows=rows, columns=columns)
    config = baler_config(point, checkpoint.architecture, table.dtypes)
    with workplace(out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, table), (few, first_rows(table, point))):
            write_inputs(project, part, checkpoint)
        done = measure(Work(root, full, few, "compress"), point, measuring, out)
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

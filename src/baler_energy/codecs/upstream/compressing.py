"""Compression by upstream Baler."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from baler_energy.codecs.baler.checkpoint import checkpoint_of
from baler_energy.codecs.baler.in_memory import write_latents
from baler_energy.codecs.container import Sizes
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.fitted import check_columns, check_finite
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.project import new_project
from baler_energy.codecs.upstream.work import Process, baler_config, refuse_constants, workplace, write_inputs

__all__ = ["checkpoint_of", "compressing"]

_SHIFTED = (
    "upstream Baler scales by this table's own minima and ranges when it compresses, and by those of the training when "
    "it decompresses: the reconstructed values are shifted. Train on this table"
)


@contextmanager
def compressing(asked: Asked) -> Iterator[Work]:
    """Set up compression by Baler; its output becomes a compressed file of this package after the window.

    Raises
    ------
    InputError
        Baler does not support the table, or the table's columns differ from the training's.
    """
    table, codec = asked.read_table(), checkpoint_of(asked)
    refuse_constants(table, asked.data)
    check_columns(table.names, table.dtypes, codec)
    check_finite(table.data, codec)
    same = np.array_equal(Normalisation.of(table.data, table.names).features, codec.normalisation.features)
    config = baler_config(asked.point, codec.architecture, table.dtypes)
    with workplace(asked.out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, table), (few, table.first(asked.warm_up_rows))):
            write_inputs(project, part, codec)
        process = Process(root, asked)

        def finish(result: Any) -> Sizes:
            return write_latents(asked.target, files.read_latents(full.compressed, codec), codec, table.origin)

        yield Work(
            operation=lambda: process.perform(full, "compress"),
            warm_up=lambda: process.perform(few, "compress"),
            finish=finish,
            origin=table.origin,
            dtypes=table.dtypes,
            warnings=lambda: [] if same else [_SHIFTED],
            elsewhere=True,
            synchronise=process.synchronise,
            running=process.running,
            facts=lambda result: process.facts(result) | {"upstream_compressed_bytes": full.compressed.stat().st_size},
        )

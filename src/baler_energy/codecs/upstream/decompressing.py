"""Decompression by upstream Baler."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from baler_energy.codecs.baler.checkpoint import checkpoint_of
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.fitted import check_decoded
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.project import new_project
from baler_energy.codecs.upstream.work import Process, baler_config, workplace, write_inputs
from baler_energy.damage import naming
from baler_energy.data.table import Table

__all__ = ["checkpoint_of", "decompressing"]


@contextmanager
def decompressing(asked: Asked) -> Iterator[Work]:
    """Set up decompression by Baler; its output becomes a table of this package after the window.

    Baler truncates integer columns. It also reads its input file again, but only uses the shape: the file contains
    zeros, in the same shape.
    """
    codec, facts, latents = checkpoint_of(asked), asked.compressed.facts, asked.compressed.latents()
    facts.check_made_with(codec, asked.data)
    config = baler_config(asked.point, codec.architecture, facts.dtypes)
    with workplace(asked.out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, latents), (few, latents[: asked.warm_up_rows])):
            zeros = Table(np.zeros((len(part), len(facts.names))), facts.names, facts.dtypes)
            write_inputs(project, zeros, codec, part)
        process = Process(root, asked)

        def finish(result: Any) -> int:
            origin = {**facts.origin, "reconstructed_from": asked.data.name}
            table = files.read_table(full.decompressed, facts.dtypes, origin)
            with naming(asked.data):
                check_decoded(table.data, codec, 0)
            table.write(asked.target)
            return len(latents)

        yield Work(
            operation=lambda: process.perform(full, "decompress"),
            warm_up=lambda: process.perform(few, "decompress"),
            finish=finish,
            elsewhere=True,
            synchronise=process.synchronise,
            running=process.running,
            facts=lambda result: (
                process.facts(result) | {"upstream_decompressed_bytes": full.decompressed.stat().st_size}
            ),
        )

"""Baler decompresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from baler_energy.codecs.baler.checkpoint import checkpoint_of
from baler_energy.codecs.engines.base import Asked, Work
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.project import new_project
from baler_energy.codecs.upstream.work import Process, baler_config, workplace, write_inputs
from baler_energy.data.table import Table

__all__ = ["decompressing"]


@contextmanager
def decompressing(asked: Asked) -> Iterator[Work]:
    """Make ready to let Baler reconstruct a table; what it wrote becomes a table of ours after the window.

    Integer columns are truncated, as Baler does. It also reads its input file again, of which it uses the shape
    only: it gets one of zeros, of the same size.
    """
    codec, facts, latents = checkpoint_of(asked), asked.compressed.facts, asked.compressed.latents()
    facts.check_made_with(codec, asked.data)
    config = baler_config(asked.point, codec.architecture, facts.dtypes)
    with workplace(asked.out) as root:
        full, few = (new_project(root, name, config) for name in ("full", "few"))
        for project, part in ((full, latents), (few, latents[: asked.few])):
            zeros = Table(np.zeros((len(part), len(facts.names))), facts.names, facts.dtypes)
            write_inputs(project, zeros, codec, part)
        process = Process(root, asked)

        def finish(result: Any) -> int:
            origin = {**facts.origin, "reconstructed_from": asked.data.name}
            files.read_table(full.decompressed, facts.dtypes, origin).write(asked.target)
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

"""Profiling of upstream Baler with cProfile."""

import pstats
from dataclasses import replace
from pathlib import Path

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import checkpoint_of
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.engines.base import Asked
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.config import Folder
from baler_energy.codecs.upstream.project import new_project
from baler_energy.codecs.upstream.work import Process, baler_config, refuse_constants, write_inputs
from baler_energy.data.table import Table
from baler_energy.files import atomic_path
from baler_energy.profilers.cprofile import STATS, added_up, hotspots_of
from baler_energy.profilers.hotspots import Hotspot

__all__ = ["checkpoint_of", "profile"]


def profile(asked: Asked, operation: str, table: Table, few: Table, out: Path) -> list[Hotspot]:
    """Run one of Baler's operations on a table under cProfile, after a warm-up on a few rows; write its file to `out`.

    Raises
    ------
    InputError
        Baler does not support the table.
    UnavailableError
        Baler is not installed, or finds no GPU.
    BalerEnergyError
        Baler failed.
    """
    point = asked.point
    refuse_constants(table, asked.data)
    architecture = Architecture.of(point.model, table.data.shape[1], point.compression_ratio)
    config = replace(baler_config(point, architecture, table.dtypes), epochs=1)
    projects = {name: new_project(Path(asked.out), name, config) for name in ("full", "few")}
    for project, part in ((projects["full"], table), (projects["few"], few)):
        _prepare(project, asked, operation, part)
    process = Process(asked.out, asked)
    with process.running():
        process.perform(projects["few"], operation)
        functions = process.baler.perform(projects["full"], operation, asked.seed, profile=True)["functions"]
    stats = pstats.Stats()
    # `stats` is not in the typed interface.
    vars(stats)["stats"] = added_up(
        (tuple(place), numbers, [(tuple(callee), edge) for callee, edge in callees])
        for place, numbers, callees in functions
    )
    with atomic_path(out / STATS) as temporary:
        stats.dump_stats(temporary)
    return hotspots_of(stats)


def _prepare(project: Folder, asked: Asked, operation: str, table: Table) -> None:
    if operation == "train":
        files.write_table(project.data, table)
        return
    checkpoint = checkpoint_of(asked)
    codec = InMemoryCodec(checkpoint, asked.device, asked.point.batch_size)
    write_inputs(project, table, checkpoint, codec.encode(table.data) if operation == "decompress" else None)

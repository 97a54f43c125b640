"""Baler, watched by cProfile."""

import pstats
from dataclasses import replace

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.config import Folder
from baler_energy.codecs.upstream.process import started
from baler_energy.codecs.upstream.project import new_project, refuse_unsupported
from baler_energy.data.table import Table
from baler_energy.stages.options import actual_device
from baler_energy.stages.profiled import WARM_UP_BATCHES, Job
from baler_energy.stages.upstream.work import baler_config, refuse_constants, write_inputs

__all__ = ["profile"]


def profile(job: Job) -> pstats.Stats:
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
    point = job.point
    refuse_unsupported(model=point.model, precision=point.precision, packing=point.packing)
    refuse_constants(job.table, job.data)
    architecture = Architecture.of(point.model, job.table.data.shape[1], point.compression_ratio)
    config = replace(baler_config(point, architecture, job.table.dtypes), epochs=1)
    full, few = (new_project(job.folder, name, config) for name in ("full", "few"))
    for project, batches in ((full, job.max_batches), (few, WARM_UP_BATCHES)):
        _prepare(project, job, job.part(batches))
    device, threads = actual_device(point.device), point.thread_count
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


def _prepare(project: Folder, job: Job, table: Table) -> None:
    if job.operation == "train":
        files.write_table(project.data, table)
    else:
        latents = job.coder.encode(table.data) if job.operation == "decompress" else None
        write_inputs(project, table, job.codec, latents)

"""Stage ``repeats``: find the points whose interval is still too wide, which get one more repeat."""

import argparse
import math
from functools import partial
from pathlib import Path
from typing import Any

from baler_energy.codecs.engines import operations_of
from baler_energy.config.sections import Repeats
from baler_energy.config.study import Point, Study, load_study
from baler_energy.errors import InputError
from baler_energy.files import output_file, refuse_source, write_json
from baler_energy.progress import announce
from baler_energy.rounds import points_so_far, round_file
from baler_energy.stages.run_files import Grid
from baler_energy.vocabulary import Flag, Operation

__all__ = ["EPILOG", "HELP", "add_arguments", "repeats", "run"]

HELP = "decide which points of a study need one more repeat"
EPILOG = """\
example:
  baler-energy repeats --study results/mine/study.yaml --results results/mine --round 1 \\
      --out results/mine/repeats/round~1.json

A study with `repeats: {least: 3, most: 10, target: 0.05}` runs it after its first repeats, and again after each round:
points get one more repeat as long as the 95 % t interval of the mean energy of training, compression or decompression
(of the duration, where there is no energy) is wider than +-5 % of that mean. Runs with something wrong are left out of
the mean, so one more replaces each of them (except runtime_fault, which stays as it is); no run is dropped because of
its value.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this stage."""
    parser.add_argument("--study", type=Path, required=True, help="the study (YAML), such as a file under config/")
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--round", type=int, required=True, metavar="N", help="number of this round, from 1")
    parser.add_argument("--out", type=output_file, required=True, metavar="FILE", help="file to write (JSON)")


def run(args: argparse.Namespace) -> None:
    """Run this stage."""
    refuse_source(args.out, [args.study])
    repeats(load_study(args.study), args.results, args.round, args.out)


def repeats(study: Study, results: Path, number: int, out: Path) -> None:
    """Write the points that get one more repeat in round `number` (from 1), and all widths, to `out`.

    Raises
    ------
    InputError
        The study has a fixed number of repeats, or a record is missing, damaged, or of another run.
    """
    if not isinstance(study.repeats, Repeats):
        raise InputError(
            "repeats: is a fixed number in this study, but rounds need {least: ..., most: ..., target: ...}."
        )
    grid, points = Grid.of(study, results), dict[Point, list[Point]]()
    for point in points_so_far(study, partial(round_file, results), before=number):
        points.setdefault(point.in_repeat(0), []).append(point)
    widths: dict[str, dict[Operation, float | None]] = {}
    added: list[str] = []
    for first, runs in points.items():
        widths[first.path] = of_point = {
            name: _relative_width(grid, runs, name) for name in map(Operation, operations_of(first))
        }
        enough = all(width is not None and width <= study.repeats.target for width in of_point.values())
        if not enough and len(runs) < study.repeats.most:
            added.append(first.in_repeat(len(runs)).path)
    announce(f"Round {number}: {len(added)} of {len(points)} points get one more repeat.")
    write_json(out, {"round": number, "target": study.repeats.target, "points": added, "relative_half_widths": widths})


def _relative_width(grid: Grid, runs: list[Point], operation: str) -> float | None:
    """Half width of the 95 % t interval of a point's runs without flags, over their mean; None for fewer than two."""
    import pandas as pd

    from baler_energy.analysis.statistics import estimate
    from baler_energy.analysis.tidy import energy_j, flags_of

    rows: list[dict[str, Any]] = []
    for point in runs:
        record = grid.record(point, operation)
        energy = energy_j(record)
        value = record.window.duration_s / record.iterations if energy is None else energy
        wrong, _ = flags_of(record)
        # More repeats do not mend a runtime.
        rows.append({"value": value, "in_mean": wrong in (None, Flag.RUNTIME_FAULT), "run_flags": wrong})
    found = estimate(pd.DataFrame(rows), "value")
    width = found.half_width / found.mean
    return width if math.isfinite(width) else None

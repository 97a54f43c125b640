"""The part of a study that this machine can run."""

from collections.abc import Iterator
from typing import NamedTuple

from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.engines import engine_of
from baler_energy.codecs.packing import Packing
from baler_energy.config.study import Study
from baler_energy.errors import UnavailableError

__all__ = ["LeftOut", "runnable"]


class LeftOut(NamedTuple):
    """Runs of a study that this machine cannot run.

    Parameters
    ----------
    axis, value
        What they have in common: an engine, a transform, a packing or a runtime.
    runs, of_runs
        Their number, and that of all runs of the study.
    reason
        What is missing, and how to install it.
    """

    axis: str
    value: str
    runs: int
    of_runs: int
    reason: str

    def __str__(self) -> str:
        return f"Skipped {self.runs} of the study's {self.of_runs} runs, with {self.axis} {self.value!r}. {self.reason}"


def runnable(study: Study, *, in_image: bool = False) -> tuple[Study, tuple[LeftOut, ...]]:
    """Leave out the points of engines, transforms, packings and runtimes that this machine lacks.

    Parameters
    ----------
    study
        The study.
    in_image
        Whether jobs run in the container image, which has the packages of every packing.

    Returns
    -------
    Study
        The study that can run.
    tuple
        What was left out.

    Raises
    ------
    UnavailableError
        The study's centre cannot run, or nothing is left to run.
    """
    left_out, rest = [], study
    for axis, value, reason in _missing(study, in_image):
        runs = sum(getattr(point, axis) == value for point in rest.points)
        changed = rest.without(axis, value)
        if changed is None:
            raise UnavailableError(f"Study {study.name!r} requires {axis} {value!r}, which cannot run here. {reason}")
        rest = changed
        left_out.append(LeftOut(axis, value, runs, len(study.points), reason))
    return rest, tuple(left_out)


def _missing(study: Study, in_image: bool) -> Iterator[tuple[str, str, str]]:
    """Yield axis and value of what this machine lacks, and the reason."""
    for point in {(point.transform, point.engine): point for point in study.points}.values():
        if reason := engine_of(point).missing():
            axis, value = ("engine", point.engine) if point.engine else ("transform", point.transform)
            yield axis, value, reason
    for packing in () if in_image else dict.fromkeys(point.packing for point in study.points):
        if reason := Packing.parse(packing).missing():
            yield "packing", packing, reason
    for name in dict.fromkeys(point.runtime for point in study.points):
        runtime = runtime_of(name)
        if runtime and in_image and not runtime.in_image:
            yield "runtime", name, "The container image does not have what it requires."
        elif runtime and not in_image and (reason := runtime.missing()):
            yield "runtime", name, reason

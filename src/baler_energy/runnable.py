"""The part of a study that this machine can run."""

from baler_energy.codecs.engines import engine_of
from baler_energy.codecs.packing import Packing
from baler_energy.config.study import Study
from baler_energy.errors import UnavailableError

__all__ = ["runnable"]


def runnable(study: Study) -> tuple[Study, str | None]:
    """Leave out the points of engines that this machine lacks.

    Returns
    -------
    Study
        The study that can run.
    str or None
        Message: what was left out, and how to install it; None: nothing.

    Raises
    ------
    UnavailableError
        A packing is not available, or nothing is left to run.
    """
    said = []
    for packing in dict.fromkeys(point.packing for point in study.points):
        if reason := Packing.parse(packing).missing():
            raise UnavailableError(
                f"Study {study.name!r} requires packing {packing!r}, which cannot run here. {reason}"
            )
    for point in {(point.transform, point.engine): point for point in study.points}.values():
        engine = engine_of(point)
        reason = engine.missing()
        if reason is None:
            continue
        left_out = sum(engine_of(other) is engine for other in study.points)
        rest = study.without_engine(engine.name)
        if rest is None:
            raise UnavailableError(
                f"Study {study.name!r} requires engine {engine.name!r}, which cannot run here. {reason}"
            )
        runs = f"{left_out} of {len(study.points)} runs"
        said.append(f"Study {study.name!r}: {runs} with engine {engine.name!r} are skipped. {reason}")
        study = rest
    return study, "\n".join(said) or None

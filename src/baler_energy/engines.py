"""What of a study this machine's engines can run."""

from baler_energy.codecs.engines import engine_named
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
        What was left out and how to get it, in words; None: nothing was.

    Raises
    ------
    UnavailableError
        Nothing is left to run.
    """
    said = []
    for engine in dict.fromkeys(point.engine for point in study.points):
        reason = engine_named(engine).missing()
        if reason is None:
            continue
        left_out = sum(point.engine == engine for point in study.points)
        rest = study.without_engine(engine)
        if rest is None:
            raise UnavailableError(f"Study {study.name!r} requires engine {engine!r}, which cannot run here. {reason}")
        runs = f"{left_out} of {len(study.points)} runs"
        said.append(f"Study {study.name!r}: {runs}, those of engine {engine!r}, are left out. {reason}")
        study = rest
    return study, "\n".join(said) or None

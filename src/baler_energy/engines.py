"""What of a study this machine's engines can run."""

from baler_energy.codecs.upstream import install
from baler_energy.config.study import Study
from baler_energy.errors import UnavailableError

__all__ = ["runnable"]


def runnable(study: Study) -> tuple[Study, str | None]:
    """Leave out the points of the engine ``upstream`` where Baler is not installed.

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
    missing = [point for point in study.points if point.engine == "upstream"]
    if not missing:
        return study, None
    try:
        install.find()
    except UnavailableError as error:
        rest = study.without_engine("upstream")
        if rest is None:
            raise UnavailableError(
                f"Study {study.name!r} stands on engine 'upstream', without which nothing of it can run. {error}"
            ) from error
        runs = f"{len(missing)} of {len(study.points)} runs"
        return rest, f"Study {study.name!r}: {runs}, those of engine 'upstream', are left out. {error}"
    return study, None

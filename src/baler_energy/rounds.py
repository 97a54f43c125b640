"""Rounds of additional repeats: the points of a study so far, from the files that `baler-energy repeats` writes."""

from collections.abc import Callable
from pathlib import Path

from baler_energy.config.study import Point, Study
from baler_energy.errors import InputError
from baler_energy.files import read_json

__all__ = ["points_so_far", "round_file"]


def round_file(results: Path, number: int | str) -> Path:
    """File of a round (counted from 1) in the folder of a study's results."""
    return results / "repeats" / f"round~{number}.json"


def points_so_far(study: Study, file_of_round: Callable[[int], Path], *, before: int | None = None) -> list[Point]:
    """List the points of the grid and the repeats that rounds have added.

    Parameters
    ----------
    study
        The study.
    file_of_round
        Returns the file of a round; called in order, until a round has added nothing.
    before
        Leave out this round and later ones; None: use all.

    Raises
    ------
    InputError
        A file is missing or damaged, or belongs to another study.
    """
    points = [*study.points]
    for number in range(1, min(study.rounds, study.rounds if before is None else before - 1) + 1):
        path = file_of_round(number)
        invalid = InputError(f"{path}: is not a valid round of this study. Delete it and run again.")
        try:
            content = read_json(path)
            added = [study.by_path[run_id] for run_id in content["points"]]
            its_number = content.get("round", number)
        except (KeyError, TypeError, AttributeError) as error:
            raise invalid from error
        if not added:
            break
        points += added
        if its_number != number or len({point.path for point in points}) < len(points):
            raise invalid
    return points

"""The error that a user accepts, and how it is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MEASURES", "Goal"]

#: Measures of the error that a user can choose: the key of an evaluation's summary, the goal as a phrase, its name.
MEASURES: Mapping[str, tuple[str, str, str]] = {
    "value": ("max_over_range", "every value within {} of its column's range", "a largest error / range"),
    "nrmse": ("mean_nrmse", "an NRMSE (RMS error / standard deviation, mean over columns) of at most {}", "an NRMSE"),
    "relative": (
        "mean_relative_error_p99",
        "a relative error of at most {} for 99 % of the non-zero values (mean over columns)",
        "a relative error (99 % of the non-zero values)",
    ),
}


@dataclass(frozen=True)
class Goal:
    """The largest error that the user accepts.

    Parameters
    ----------
    error
        Maximum error; 0: the codec must be lossless.
    measure
        A key of `MEASURES`.
    """

    error: float
    measure: str = "value"

    @property
    def key(self) -> str:
        """Key of an evaluation's summary."""
        return MEASURES[self.measure][0]

    @property
    def words(self) -> str:
        """The goal as a phrase."""
        return MEASURES[self.measure][1].format(f"{100 * self.error:.3g} %") if self.error else "no loss at all"

    def holds(self, summary: Mapping[str, Any]) -> bool:
        """Whether an evaluation's summary meets the goal.

        An error that is null because it overflows does not; one that is null because all columns are constant does.
        """
        error = summary[self.key]
        if error is None:
            # The trivial codec's error is null only if all columns are constant.
            return summary["trivial_max_over_range"] is None
        return bool(error <= self.error)

"""Spread over repeats, and repeats needed."""

from baler_energy.analysis.statistics import variation
from baler_energy.figures.base import TableSpec
from baler_energy.figures.captions import TOO_FEW
from baler_energy.figures.readable import Row, each
from baler_energy.figures.selection import device_name

__all__ = ["TABLE"]


def _row(row: Row) -> dict[str, str]:
    def percent(name: str) -> str:
        return f"{100 * row[name]:.2g}"

    return {
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "quantity": row["quantity"],
        "evidence": row["evidence"],
        "CV": f"{percent('cv')} %",
        "95 % interval": f"{percent('cv_low')} to {percent('cv_high')} %",
        "degrees of freedom": f"{row['degrees_of_freedom']}",
        "smallest to largest CV": f"{percent('cv_min')} to {percent('cv_max')} %",
        "points": f"{row['points']}",
        "runs": f"{row['runs']}",
        "repeats for 5 %": f"{row['repeats']}",
        "repeats at the interval's ends": f"{row['repeats_low']} to {row['repeats_high']}",
    }


TABLE = TableSpec(
    "variation",
    "Spread over repeats, and repeats needed",
    "Coefficient of variation (CV, standard deviation / mean) of single runs, pooled over the points with at least two "
    "unflagged runs (squares weighted by their degrees of freedom), with its 95 % interval (chi-square) and the "
    "smallest and largest CV of a point. Repeats: number for each of two points needed to detect a difference of 5 % "
    "of their means with a probability of 80 % (two-sided t test at 5 %), at the CV and at both ends of its interval.",
    make=lambda tables: variation(tables["runs"]),
    rows=each(_row),
    averaged=True,
    without_rows=f"{TOO_FEW.capitalize()}.",
)

"""The engines side by side, at every point where two ran."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from baler_energy.analysis.comparison import Ratio, ratio_of_means
from baler_energy.analysis.statistics import clean, flag_words, flagged, interval, per_row
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.captions import TYPICAL_TIMES, engine_notes
from baler_energy.figures.engine_rows import FREE, base_label, engines_at, factor_text, paired, same_energy
from baler_energy.figures.readable import Row, each
from baler_energy.figures.selection import (
    AXES,
    OPERATIONS,
    centre_of,
    device_name,
    parameter_text,
    scaled_text,
    with_results,
)
from baler_energy.figures.trivial import note_trivial

__all__ = ["TABLE", "engines"]

_COSTS = ("energy_per_row_j", "time_per_row_s", "memory_peak_b", "startup_s")
_RESULTS = ("mean_rms_over_range", "max_over_range", "compressed_bytes_per_row")
_KEYS = [*AXES, "label", "device", "operation", "n", "flagged_runs", "run_flags", "energy_evidence", "energy_scope"]
#: Columns that rows are made from.
_READ = [*AXES, "device", "operation", "repeat", "in_mean", "run_flags", "energy_evidence", "energy_scope"]
_READ += [*_COSTS, *_RESULTS]


def engines(tables: Tables) -> pd.DataFrame:
    """Return costs and results of each engine, at every point where two ran.

    Returns
    -------
    pandas.DataFrame
        A row per point, device, engine with its precision, and operation. For energy (J) and time (s) per row of the
        table, peak memory (B) and start-up (s): mean over ``n`` clean runs, ``..._half_width`` (95 % t interval) and,
        except for the start-up, ``..._ratio`` to the centre's engine with ``..._ratio_low`` and ``..._ratio_high``.
        The same for errors and compressed bytes per row, over all runs, in pairs with the same seed. Missing values
        are null; an energy of a different kind from that engine's has no ratio.
    """
    names = [*_KEYS, *(f"{value}{end}" for value in (*_COSTS, *_RESULTS) for end in _ends(value))]
    runs = tables["runs"]
    if runs.empty:
        return pd.DataFrame(columns=names)
    centre, joined = centre_of(runs), per_row(with_results(runs))[_READ]  # few columns, as each selection copies them
    base_rows = joined[(joined["engine"] == centre["engine"]) & (joined["precision"] == centre["precision"])]
    rows: list[dict[str, Any]] = []
    # Runs on a GPU may use other numbers of threads than runs on a CPU, so devices are separate.
    shared = [*(axis for axis in AXES if axis not in FREE), "device"]
    for _, here in joined.groupby(shared, sort=False, observed=True, dropna=False):
        if here["engine"].nunique() < 2:
            continue
        points = base_rows.loc[base_rows.index.intersection(here.index), list(AXES)].drop_duplicates()
        for point in points.to_dict("records"):
            found = engines_at(here, point)
            if found["engine"].nunique() > 1:
                rows += _rows(found, base_label(found, point))
    return pd.DataFrame(rows, columns=names)


def _ends(value: str) -> tuple[str, ...]:
    return ("", "_half_width") if value == "startup_s" else ("", "_half_width", "_ratio", "_ratio_low", "_ratio_high")


def _rows(found: pd.DataFrame, base: str) -> Iterator[dict[str, Any]]:
    comparable = same_energy(found, base)["energy_per_row_j"]
    for operation in OPERATIONS:
        part = found[found["operation"] == operation]
        for label, mine in part.groupby("label", sort=False, observed=True):
            # The base has no factor relative to itself.
            against = part[(part["label"] == base) & (label != base)]
            bad = flagged(mine)
            row = {name: mine[name].iloc[0] for name in (*AXES, "label", "device", "operation")}
            row |= {"n": len(mine) - len(bad), "flagged_runs": len(bad), "run_flags": flag_words(bad)}
            row |= {name: mine[name].iloc[0] for name in ("energy_evidence", "energy_scope")}
            for value in _COSTS:
                pair = [mine, against]
                if value == "energy_per_row_j":
                    pair = [one.assign(energy_per_row_j=comparable[one.index]) for one in pair]
                # A flag is about the window, and the start-up is outside of it.
                row |= _mean(mine if value == "startup_s" else clean(mine), value)
                if value != "startup_s":
                    ratio = ratio_of_means(*(list(clean(one)[value].dropna()) for one in pair))
                    row |= ratio.columns(f"{value}_ratio")
            for value in _RESULTS:
                row |= _mean(mine, value) | paired(mine, against, value).columns(f"{value}_ratio")
            yield row


def _mean(mine: pd.DataFrame, value: str) -> dict[str, float]:
    mean, half_width, _ = interval(mine[value].to_numpy("float64", na_value=math.nan))
    return {value: mean, f"{value}_half_width": half_width}


def _row(row: Row) -> dict[str, str]:
    """Write a row under headings, each number with its interval and its factor on a second line."""
    flags = f" (+ {row['flagged_runs']} flagged: {row['run_flags']})" if row["flagged_runs"] else ""
    return {
        "dataset": row["dataset"],
        "rows": f"{row['rows']:,}",
        "epochs": parameter_text(row["epochs"]),
        "batch size": parameter_text(row["batch_size"]),
        "requested ratio": parameter_text(row["compression_ratio"]),
        "model": row["model"],
        "packing": row["packing"],
        "threads": f"{row['threads']}",
        "operation": f"{row['operation']}, {device_name(row['device'])}",
        "engine": row["label"],
        "n": f"{row['n']}{flags}",
        "energy per row": _cell(row, "energy_per_row_j", "J"),
        "evidence": "none" if pd.isna(row["energy_evidence"]) else f"{row['energy_evidence']}, {row['energy_scope']}",
        "time per row": _cell(row, "time_per_row_s", "s"),
        "peak memory": _cell(row, "memory_peak_b", "B"),
        "start-up": _cell(row, "startup_s", "s", missing=""),
        "mean RMS / range": _cell(row, "mean_rms_over_range"),
        "largest / range": _cell(row, "max_over_range"),
        "compressed file per row": _cell(row, "compressed_bytes_per_row", "B"),
    }


def _cell(row: Row, value: str, unit: str = "", *, missing: str = "not known") -> str:
    if pd.isna(row[value]):
        return "flagged" if row["flagged_runs"] and not row["n"] and missing else missing
    said = scaled_text(row[value], unit, row[f"{value}_half_width"])
    if value == "startup_s" or pd.isna(row[f"{value}_ratio"]):
        return said
    ratio = Ratio.of_row(row, f"{value}_ratio")
    # The interval is that of the written factor: 1.5x less (1.4 to 1.6).
    ends = (ratio.low, ratio.high) if ratio.value >= 1 else (1 / ratio.high, 1 / ratio.low)
    words = factor_text(ratio)
    inner = "" if pd.isna(ratio.low) or words == "equal" else f" ({ends[0]:.3g} to {ends[1]:.3g})"
    return f"{said}\n{words}{inner}"


TABLE = TableSpec(
    "engines",
    "The engines side by side",
    "Energy, time and memory of each engine per operation at every point where two ran: means over n unflagged repeats "
    "with half widths of 95 % t intervals, and factors relative to the engine of the study's centre in its precision, "
    "with 95 % intervals (ratios of means, by the delta method; for errors, geometric means over pairs with the same "
    f"seed). Start-up ({engine_notes('start-up', '{}: {}')}) is outside of the window. The row names the evidence and "
    "components of its energy. "
    f"{TYPICAL_TIMES}",
    make=engines,
    rows=each(_row),
    notes=note_trivial,
    averaged=True,
    main=("operation", "engine", "energy per row", "evidence", "time per row", "mean RMS / range"),
    without_rows="Only one engine ran at each point, so there is nothing to compare.",
)

"""The report's tables as text to be read: numbers with units and intervals, and sentences that depend on the data."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from baler_energy.analysis.statistics import Estimate
from baler_energy.figures import efficiency_tables, tabulation
from baler_energy.figures.base import Tables
from baler_energy.figures.engine_tables import engine_row
from baler_energy.figures.models import model_row
from baler_energy.figures.selection import (
    at_point,
    carbon_words,
    describe,
    device_name,
    estimate_text,
    flagged_sentence,
    parameter_text,
    reference_point,
    scaled_unit,
    spread_text,
    variant,
)

__all__ = ["notes", "readable"]

Row = dict[Any, Any]
#: Tables of rows that may differ in engine, model and packing.
_VARIED = ("summary", "metrics", "ratios", "peers", "engines")
_EMPTY = {
    "variation": "No point has two runs without a flag; a spread needs at least two repeats.",
    "peers": "No other tool ran beside ours: the study names none (peers.tools), and no formula applied.",
    "findings": "No results of other studies were imported: the study names none (imports).",
    "calibration": "The machine was not calibrated.",
    "counters": "No run was profiled with perf (profile.profilers).",
    "models": "The study has one network: there is nothing to compare.",
    "engines": "One engine ran at each point: there is nothing to compare.",
    "temperatures": "No sensor told a temperature at the reference point.",
}


#: Rows of a page: more are for programs, which read the CSV.
MOST_ROWS = 1000


def _rows(name: str, frame: pd.DataFrame) -> int:
    """Count the rows of a table's page; the page of metrics has one for all repeats."""
    return efficiency_tables.count_groups(frame) if name == "metrics" else len(frame)


def notes(name: str, frame: pd.DataFrame, tables: Tables) -> list[str]:
    """Give the sentences of a table's page that depend on the data.

    Parameters
    ----------
    name
        Key of the catalogue's tables.
    frame
        The table.
    tables
        The dataset.
    """
    runs = tables["runs"]
    said = ["Toy data, not physics."] if (runs["source"] == "toy").any() else []
    if name in ("original_layout", "summary", "metrics", "variation", "engines"):
        said += flagged_sentence(runs)
    if name == "original_layout":
        said.append(tabulation.original_words(tables))
    if name == "summary":
        said += [f"{line}." for line in carbon_words(runs)]
    if name == "metrics":
        said += efficiency_tables.absent_words(tables)
    if name == "ratios":
        # A sentence for each size, of the engine and the packing that costs are told of.
        reference = reference_point(runs)
        alike = at_point(
            frame, {axis: reference[axis] for axis in ("transform", "engine", "model", "precision", "packing")}
        )
        said += [tabulation.saving(row) for row in alike.to_dict("records")]
    if name in _VARIED:
        said += _in_common(frame)
    if (rows := _rows(name, frame)) > MOST_ROWS:
        said.append(f"The first {MOST_ROWS:,} of {rows:,} rows; {name}.csv, beside this page, has all.")
    if name in ("peers", "temperatures") and len(frame):
        said.append(f"Reference point: {describe(reference_point(runs))}.")
    if name == "flagged":
        modelled = int(runs["flags"].str.contains("modelled_only").sum())
        said.append(f"{len(frame)} of {len(runs)} records are listed; {modelled} are modelled_only.")
    return [*said, _EMPTY[name]] if frame.empty and name in _EMPTY else said


def readable(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Turn a table's numbers into text with units.

    Parameters
    ----------
    name
        Key of the catalogue's tables.
    frame
        The table; without rows the result has none, and no more than `MOST_ROWS`.
    """
    records = frame.head(MOST_ROWS).to_dict("records")
    if name == "original_layout":
        return pd.DataFrame(_original(records))
    shown = pd.DataFrame(
        efficiency_tables.metrics_rows(frame, MOST_ROWS) if name == "metrics" else list(map(_READERS[name], records))
    )
    if name == "summary" and frame["co2e_kg"].isna().all() and frame["co2e_flagged_low_kg"].isna().all():
        shown = shown.drop(columns="CO2e (mg)")
    return shown.drop(columns=[axis for axis in _common(frame) if axis in shown]) if name in _VARIED else shown


def _common(frame: pd.DataFrame) -> list[str]:
    """Axes of words that have one value in all rows, and so no column."""
    return [axis for axis in ("engine", "model", "packing") if frame[axis].nunique(dropna=False) == 1]


def _in_common(frame: pd.DataFrame) -> list[str]:
    words = [f"{axis} {frame[axis].iloc[0]}" for axis in _common(frame)]
    return [f"All rows: {', '.join(words)}."] if words else []


def _or(text: str, value: Any, missing: str = "not known") -> str:
    return missing if pd.isna(value) else text


def _original(records: list[Row]) -> list[dict[str, str]]:
    """Put components in columns, as the original slides do."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in records:
        device = device_name(cell["device"])
        row = rows.setdefault((device, cell["operation"]), {"operation": cell["operation"], "run on": device})
        text = _energy_cell(cell)
        if cell["component"].startswith("total"):
            column, text = f"total, {cell['evidence']}", f"{text}\n({cell['component'].removeprefix('total of ')})"
        else:
            column = cell["component"].upper()
        row[column] = f"{row[column]}\n{text}" if column in row else text
    columns = dict.fromkeys(column for row in rows.values() for column in row)
    return [{column: row.get(column, "none") for column in columns} for row in rows.values()]


def _energy_cell(cell: Row) -> str:
    if not cell["n"]:
        return f"{cell['reason']}\n{cell['evidence']}" if cell["flagged"] else f"not measured: {cell['reason']}"
    joules = spread_text(cell["energy_j"], cell["half_width_j"])
    more = f" (+ {cell['flagged']} flagged)" if cell["flagged"] else ""
    return f"{cell['energy_kwh']:.3g} kWh\n{joules} J\n{cell['evidence']}, n = {cell['n']}{more}"


def _summary(row: Row) -> dict[str, str]:
    error = spread_text(row["mean_rms_over_range"], row["mean_rms_over_range_half_width"])
    n = f"{row['n']}" + (f" (+ {row['flagged_runs']} flagged: {row['flags']})" if row["flagged_runs"] else "")
    return {
        "dataset": row["dataset"] + (" (toy)" if row["source"] == "toy" else ""),
        "rows": f"{row['rows']:,}",
        "epochs": parameter_text(row["epochs"]),
        "batch size": parameter_text(row["batch_size"]),
        "ratio asked": parameter_text(row["compression_ratio"]),
        **variant(row),
        "precision": parameter_text(row["precision"]),
        "threads": f"{row['threads']}",
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "n": n,
        "energy (J)": _windowed(row, "energy", "j", missing="not measured"),
        "evidence": _or(f"{row['energy_evidence']}, {row['energy_scope']}", row["energy_evidence"], "none"),
        "duration (s)": _windowed(row, "duration", "s"),
        "CO2e (mg)": _windowed(row, "co2e", "kg", factor=1e6),
        "mean RMS / range": _or(error, row["mean_rms_over_range"]),
    }


def _windowed(row: Row, stem: str, unit: str, *, factor: float = 1.0, missing: str = "not known") -> str:
    """Write a mean of clean runs, or the span of flagged ones."""
    mean, low, high = row[f"{stem}_{unit}"], row[f"{stem}_flagged_low_{unit}"], row[f"{stem}_flagged_high_{unit}"]
    counts = (0 if pd.isna(mean) else 1, 0 if pd.isna(low) else 1)
    found = Estimate(mean, row[f"{stem}_half_width_{unit}"], *counts, low, high, row["flags"])
    return estimate_text(found, factor=factor, missing=missing)


def _ratios(row: Row) -> dict[str, str]:
    return {
        "dataset": row["dataset"],
        "rows": f"{row['rows']:,}",
        "columns": f"{row['columns']}",
        "latent columns": parameter_text(row["latent_columns"]),
        **variant(row),
        "precision": parameter_text(row["precision"]),
        "epochs": _or(parameter_text(row["epochs"]), row["epochs"], "any"),
        "compressed file (B)": f"{row['compressed_bytes']:,.0f}",
        **{label: _or(f"{row[name]:.3f}", row[name]) for name, label in (tabulation.RATIOS | tabulation.GAINS).items()},
    }


def _flagged(row: Row) -> dict[str, str]:
    return {
        "run": row["run_id"],
        "operation": row["operation"],
        "flags": row["flags"],
        "other processes": _or(f"{100 * row['contamination']:.1f} %", row["contamination"]),
        "window": f"{row['window_s']:.2f} s",
        "energy (flagged)": _or(_quantity(row["energy_j"], "J"), row["energy_j"]),
    }


def _variation(row: Row) -> dict[str, str]:
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
        "smallest to largest": f"{percent('cv_min')} to {percent('cv_max')} %",
        "points": f"{row['points']}",
        "runs": f"{row['runs']}",
        "repeats for 5 %": f"{row['repeats']}",
        "at the interval's ends": f"{row['repeats_low']} to {row['repeats_high']}",
    }


def _peers(row: Row) -> dict[str, str]:
    ratio = _or(f"{row['ratio']:.3g}", row["ratio"], "none")
    if row["n"] > 1 and pd.notna(row["ratio"]):
        ratio = f"{ratio} ({row['ratio_low']:.3g} to {row['ratio_high']:.3g})"
    ours = f"{_quantity(row['ours_j'], 'J')}, {row['ours_scope']}, {row['ours_evidence']}"
    return {
        "tool": f"{row['tool']}{' (formula)' if row['kind'] == 'formula' else ''}",
        "operation": f"{row['operation']}, {device_name(row['device'])}",
        "point": f"{row['rows']:,} rows, batch {row['batch_size']}, {row['epochs']} epochs, {row['threads']} threads",
        **variant(row),
        "reading of": f"{row['component']}, {row['quantity']}",
        "value": _or(_quantity(row["value"], row["unit"]), row["value"], "no value"),
        "evidence": _or(f"{row['evidence']}", row["evidence"], "none"),
        "window": _or(f"{row['duration_s']:.2f} s", row["duration_s"]),
        "ours": _or(ours, row["ours_j"], "not comparable"),
        "theirs / ours": ratio,
        "n": f"{row['n']}" + (f" of {row['runs']}" if row["n"] < row["runs"] else ""),
        "assumed": _or(f"{row['assumptions']}", row["assumptions"], ""),
        "reason": _or(f"{row['reason']}", row["reason"], ""),
    }


def _findings(row: Row) -> dict[str, str]:
    return {
        "finding": str(row["finding"]).replace("_", " "),
        "subject": _or(str(row["subject"]), row["subject"], ""),
        "in words": row["sentence"],
        "files": row["file"],
    }


def _calibration(row: Row) -> dict[str, str]:
    fraction = row["unit"] == "1"
    factor, unit = (100.0, "%") if fraction else scaled_unit([row["value"]], row["unit"])
    spread: float = row["spread"] if pd.notna(row["spread"]) else math.nan
    value = f"{spread_text(row['value'], spread, factor=factor)} {unit}"
    return {
        "machine": row["hostname"],
        "meter": row["meter"],
        "component": row["component"],
        "quantity": str(row["quantity"]).replace("_", " "),
        "value (± standard deviation)": _or(value, row["value"], "not found"),
        "n": _or(f"{row['n']:.0f}", row["n"], ""),
        "evidence": _or(f"{row['evidence']}", row["evidence"], ""),
        "how": _or(f"{row['detail']}", row["detail"], ""),
    }


def _counters(row: Row) -> dict[str, str]:
    factor, unit = scaled_unit([row["bytes"]], "B")
    absent = pd.isna(row["events"])
    return {
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "event": "none" if absent else row["event"],
        "events": f"{row['reason']}" if absent else f"{row['events']:,.0f}",
        "per cycle": _or(f"{row['per_cycle']:.2f}", row["per_cycle"], ""),
        "bytes from memory": _or(f"{row['bytes'] * factor:.3g} {unit}", row["bytes"], ""),
    }


def _temperatures(row: Row) -> dict[str, str]:
    tau = _or(f"{spread_text(row['tau_s'], row['tau_error_s'])} s", row["tau_s"], f"{row['reason']}")
    return {
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "repeat": f"{row['repeat']}",
        "component": f"{row['component']} ({row['meter']})",
        "start (°C)": _or(f"{row['start_degc']:g}", row["start_degc"]),
        "maximum (°C)": _or(f"{row['maximum_degc']:g}", row["maximum_degc"]),
        "steady state (°C)": _or(f"{row['steady_degc']:.1f}", row["steady_degc"], "not told"),
        "time constant (± standard error)": tau,
        "n samples": f"{row['n']}",
        "clocks lowered, share of window": _or(f"{row['throttle_reasons']}", row["throttle_reasons"], "not told"),
    }


def _quantity(value: float, unit: str) -> str:
    """Write a value in the SI prefix that reads best; kilograms as grams."""
    if unit == "kg":
        value, unit = 1000 * value, "g"
    factor, prefixed = scaled_unit([value], unit)
    return f"{spread_text(value, math.nan, factor=factor)} {prefixed}"


_READERS: Mapping[str, Callable[[Row], dict[str, str]]] = {
    "summary": _summary,
    "glossary": efficiency_tables.glossary_row,
    "ratios": _ratios,
    "engines": engine_row,
    "models": model_row,
    "flagged": _flagged,
    "variation": _variation,
    "peers": _peers,
    "findings": _findings,
    "calibration": _calibration,
    "temperatures": _temperatures,
    "counters": _counters,
}

"""How warm devices got in each window, how fast, and whether clocks were lowered."""

from typing import Any

import pandas as pd

from baler_energy.analysis import throttled
from baler_energy.analysis.thermal import rise
from baler_energy.figures.base import Tables, TableSpec
from baler_energy.figures.readable import Row, each, note_centre, unless_missing
from baler_energy.figures.selection import at_point, centre_of, device_name, interval_text

__all__ = ["TABLE"]

_KEYS = ["device", "operation", "repeat", "run_id", "meter", "component"]
_VALUES = ["n", "start_degc", "maximum_degc", "steady_degc", "tau_s", "tau_error_s", "throttle_reasons", "reason"]


def temperatures(tables: Tables) -> pd.DataFrame:
    """Return the rise of every temperature in the windows at the study's centre.

    Returns
    -------
    pandas.DataFrame
        A row per run, operation and component with a temperature: ``n`` samples in the window, ``start_degc``,
        ``maximum_degc``, and from the fit of `analysis.thermal.rise` ``steady_degc``, ``tau_s`` and its standard error
        ``tau_error_s``, null with the ``reason`` if there is no fit; ``throttle_reasons`` lists why a GPU's clocks were
        lowered, and for which share of the window (%; null: unknown).
    """
    samples = tables["samples"]
    known = samples[samples["quantity"].isin(["temperature", "throttle_reasons"])].dropna(subset=["value"])
    if known.empty:
        return pd.DataFrame(columns=[*_KEYS, *_VALUES])
    here = at_point(known, centre_of(tables["runs"])).sort_values("time_s")
    rows = [
        dict(zip(_KEYS, key, strict=True)) | _window(part)
        for key, part in here.groupby(_KEYS, sort=True, observed=True)
        if (part["quantity"] == "temperature").any()
    ]
    rows.sort(key=lambda row: (row["device"], row["operation"] != "train", row["operation"], row["repeat"]))
    return pd.DataFrame(rows, columns=[*_KEYS, *_VALUES])


def _window(part: pd.DataFrame) -> dict[str, Any]:
    """Return temperatures and lowered clocks of one component in one window."""
    window_s = float(part["window_s"].iloc[0])
    warm, lowered = (part[part["quantity"] == name] for name in ("temperature", "throttle_reasons"))
    found = rise(warm["time_s"].to_list(), warm["value"].to_list(), window_s)
    held = throttled.shares(lowered["time_s"].to_list(), lowered["value"].to_list(), window_s)
    return {
        "n": found.n,
        "start_degc": found.start_degc,
        "maximum_degc": found.maximum_degc,
        "steady_degc": found.curve.steady_degc if found.curve else None,
        "tau_s": found.curve.tau_s if found.curve else None,
        "tau_error_s": found.curve.tau_error_s if found.curve else None,
        "throttle_reasons": "; ".join(f"{word} {100 * share:.2g} %" for word, share in held.items()) or None,
        "reason": found.reason,
    }


def _row(row: Row) -> dict[str, str]:
    tau = unless_missing(f"{interval_text(row['tau_s'], row['tau_error_s'])} s", row["tau_s"], f"{row['reason']}")
    return {
        "run on": device_name(row["device"]),
        "operation": row["operation"],
        "repeat": f"{row['repeat']}",
        "component": f"{row['component']} ({row['meter']})",
        "start (°C)": unless_missing(f"{row['start_degc']:g}", row["start_degc"]),
        "maximum (°C)": unless_missing(f"{row['maximum_degc']:g}", row["maximum_degc"]),
        "steady state (°C)": unless_missing(f"{row['steady_degc']:.1f}", row["steady_degc"], "unknown"),
        "time constant (± standard error)": tau,
        "n samples": f"{row['n']}",
        "clocks lowered, share of window": unless_missing(
            f"{row['throttle_reasons']}", row["throttle_reasons"], "unknown"
        ),
    }


TABLE = TableSpec(
    "temperatures",
    "How warm it got, and how fast",
    "Temperatures in the windows at the study's centre, flagged runs included: at the start, the maximum, and the "
    "steady state and time constant (with its standard error) from a fit of a rise with one time constant (lumped "
    "model, Newton's law of cooling, constant power), or why there is no fit. Sensors report whole degrees. The last "
    "column lists why a GPU's clocks were lowered (NVML), as shares of the window that can overlap; none means that "
    "they were not.",
    make=temperatures,
    rows=each(_row),
    notes=note_centre,
    without_rows="No sensor reported a temperature at the study's centre.",
    by_dataset=True,
)

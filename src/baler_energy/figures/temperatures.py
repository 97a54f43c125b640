"""The table of temperatures: how warm devices became in each window, how fast, and whether clocks were lowered."""

from typing import Any

import pandas as pd

from baler_energy.analysis import throttled
from baler_energy.analysis.thermal import rise
from baler_energy.figures.base import Tables
from baler_energy.figures.selection import at_point, reference_point

__all__ = ["temperatures"]

_KEYS = ["device", "operation", "repeat", "run_id", "meter", "component"]
_VALUES = ["n", "start_degc", "maximum_degc", "steady_degc", "tau_s", "tau_error_s", "throttle_reasons", "reason"]


def temperatures(tables: Tables) -> pd.DataFrame:
    """Give the rise of every temperature over the windows at the reference point.

    Returns
    -------
    pandas.DataFrame
        A row per run, operation and component with a temperature: ``n`` samples in the window, ``start_degc``,
        ``maximum_degc``, and of the fit of `analysis.thermal.rise` ``steady_degc``, ``tau_s`` and its standard error
        ``tau_error_s``, null with the ``reason`` where there is none; ``throttle_reasons`` gives the shares of the
        window (%) over which a GPU's clocks were lowered, and why (null: it does not tell).
    """
    samples = tables["samples"]
    told = samples[samples["quantity"].isin(["temperature", "throttle_reasons"])].dropna(subset=["value"])
    if told.empty:
        return pd.DataFrame(columns=[*_KEYS, *_VALUES])
    here = at_point(told, reference_point(tables["runs"])).sort_values("time_s")
    rows = [
        dict(zip(_KEYS, key, strict=True)) | _window(part)
        for key, part in here.groupby(_KEYS, sort=True, observed=True)
        if (part["quantity"] == "temperature").any()
    ]
    rows.sort(key=lambda row: (row["device"], row["operation"] != "train", row["operation"], row["repeat"]))
    return pd.DataFrame(rows, columns=[*_KEYS, *_VALUES])


def _window(part: pd.DataFrame) -> dict[str, Any]:
    """Describe one component in one window."""
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

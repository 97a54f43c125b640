"""Comparison of two tools that measured the same work: nested windows, a shared counter, different totals."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from baler_energy.foreign.detect import TOOLS
from baler_energy.foreign.patterns import Nesting, containing, nested, split_runs
from baler_energy.foreign.rows import by_window, finding
from baler_energy.vocabulary import Evidence, Quantity

__all__ = ["agreements"]

#: Fewest windows in a comparison.
_FEWEST = 10
#: Most runs, the longest ones, that are compared with each other.
_MOST_RUNS = 100
#: First windows left out of a mean, because they include warm-up.
_WARM_UP = 2
#: Largest relative difference of means per window that agree.
_AGREE = 0.02
#: If more than half of the nested windows agree within this relative difference, their values come from one counter.
_IDENTICAL = 1e-4
#: Largest relative difference of powers that agree.
_SAME_POWER = 0.05
#: Time zones to try if one clock is UTC and the other is local, nearest first (s).
_ZONES_S = tuple(sorted(np.arange(-14 * 3600, 14 * 3600 + 1, 900).astype(float), key=abs))
#: Tools that read the GPU's energy counter through NVML.
_COUNT_GPU = {tool.name for tool in TOOLS if tool.counts_gpu}


@dataclass(frozen=True)
class _Run:
    """Consecutive windows of one tool in one file; `energy` (J) has a column per kind of component."""

    file: str
    meter: str
    utc: bool
    cpu_model: str | None
    windows: pd.DataFrame
    energy: pd.DataFrame
    measured: frozenset[str]

    @property
    def edges(self) -> tuple[Any, Any]:
        start = self.windows["start_s"].to_numpy()
        return start, start + self.windows["duration_s"].to_numpy()

    @property
    def dated(self) -> bool:
        """Whether the time of every window is known."""
        return bool(self.windows[["start_s", "duration_s"]].notna().all(axis=None))

    def mean(self, kind: str) -> tuple[float, float]:
        """Mean energy (J) and duration (s) per window, without the warm-up windows."""
        later = self.windows.index[_WARM_UP:]
        return float(self.energy.loc[later, kind].mean()), float(self.windows.loc[later, "duration_s"].mean())

    def has(self, kind: str) -> bool:
        """Whether more than 90 % of the windows have an energy of this kind."""
        return kind in self.energy and bool(self.energy[kind].notna().mean() > 0.9)


def agreements(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the findings about pairs of runs by different tools.

    Parameters
    ----------
    table
        The judged table, with the columns `EXTRA` of `rows.frame`.
    """
    for one, other in itertools.combinations(_runs(table), 2):
        if one.meter == other.meter or (one.cpu_model and other.cpu_model and one.cpu_model != other.cpu_model):
            continue
        inside = _nesting(one, other) or _nesting(other, one)
        if inside:
            yield from _nested(*inside)
        else:
            yield from _same_counter(one, other)
        yield from _factor(one, other, nested_runs=inside is not None)


def _runs(table: pd.DataFrame) -> list[_Run]:
    """Split the windows of each file and tool into runs: the longest ones, of at least ten windows.

    Windows that contain others are left out, as their energies would be counted twice.
    """
    first = by_window(table)
    energy = table[table["quantity"] == Quantity.ENERGY]
    kinds = energy["component"].str.split("-").str[0].replace({"package": "cpu"})
    parts = energy.groupby([energy["window"], kinds])["value"]
    # A sum with a missing part would be too small.
    values = parts.sum().where(parts.count() == parts.size()).unstack()
    read = energy[(energy["evidence"] == Evidence.MEASURED) & energy["value"].notna()]
    runs = []
    for _, windows in first.groupby(["file", "meter"], sort=False):
        start_s, duration_s = (windows[name].to_numpy(np.float64) for name in ("start_s", "duration_s"))
        epoch = windows["epoch"].to_numpy(np.float64, na_value=np.nan)
        windows = windows.assign(run=split_runs(start_s, duration_s, epoch))
        inside = windows[~containing(start_s, duration_s)]
        runs += [part for _, part in inside.groupby("run") if len(part) >= _FEWEST]
    kept = sorted(sorted(range(len(runs)), key=lambda place: -len(runs[place]))[:_MOST_RUNS])
    found = []
    for part in (runs[place] for place in kept):
        measured = frozenset(kinds[read.index[read["window"].isin(part.index)]])
        share = values.reindex(part.index).dropna(axis=1, how="all")
        name, meter, utc, cpu = part[["file", "meter", "utc", "cpu_model"]].iloc[0]
        found.append(_Run(str(name), str(meter), bool(utc), cpu, part, share, measured))
    return found


def _nesting(outer: _Run, inner: _Run) -> tuple[_Run, _Run, Nesting] | None:
    if len(outer.windows) < _FEWEST or len(inner.windows) < _FEWEST or not (outer.dated and inner.dated):
        return None
    if outer.utc == inner.utc:
        found = nested(outer.edges, inner.edges)
    elif outer.file == inner.file:
        found = nested(outer.edges, inner.edges, offsets_s=_ZONES_S)
    else:
        return None
    if found is None:
        return None
    longer, shorter = (run.windows["duration_s"].to_numpy() for run in (outer, inner))
    return (outer, inner, found) if longer[found.outer].sum() >= shorter[found.inner].sum() else None


def _nested(outer: _Run, inner: _Run, pairs: Nesting) -> Iterator[dict[str, Any]]:
    """Compare two runs window by window: time, and power and energy of each component that both have."""
    long, short = outer.windows.iloc[pairs.outer], inner.windows.iloc[pairs.inner]
    time_long, time_short = float(long["duration_s"].sum()), float(short["duration_s"].sum())
    outside = 1 - time_short / time_long
    said = f"By their timestamps, {len(long)} windows of {inner.meter} lie inside windows of {outer.meter}: both "
    said += f"measured the same run. {_share(outside)} of the time is outside {inner.meter}'s windows, which cover "
    said += f"{time_short:,.0f} of {time_long:,.0f} s."
    yield finding(_files(outer, inner), "nested", _names(outer, inner), outside, "1", said)
    for kind in sorted({*map(str, outer.energy)} & {*map(str, inner.energy)}):
        values = pd.DataFrame(
            {
                "long": outer.energy.loc[long.index, kind].to_numpy(),
                "short": inner.energy.loc[short.index, kind].to_numpy(),
            }
        )
        both = values.notna().all(axis=1)
        times = [float(part["duration_s"].to_numpy()[both].sum()) for part in (long, short)]
        if both.sum() < _FEWEST or min(times) <= 0:
            continue
        known = values[both]
        alike = int(((known["short"] / known["long"] - 1).abs() < _IDENTICAL).sum())
        if alike > len(known) / 2:
            yield _identical(kind, (alike, len(known)), outer, inner)
            continue
        energies = float(known["long"].sum()), float(known["short"].sum())
        yield from _compared(kind, energies, (times[0], times[1]), outer, inner)


def _files(outer: _Run, inner: _Run) -> str:
    return ", ".join(dict.fromkeys([outer.file, inner.file]))


def _names(one: _Run, other: _Run) -> str:
    return f"{one.meter} and {other.meter}"


def _share(part: float) -> str:
    words = {6: "A sixth", 5: "A fifth", 4: "A quarter", 3: "A third", 2: "Half"}
    nearest = round(1 / part) if part > 0.01 else 0
    return f"{words[nearest]} ({part:.1%})" if nearest in words and abs(part * nearest - 1) < 0.1 else f"{part:.1%}"


def _identical(kind: str, counts: tuple[int, int], outer: _Run, inner: _Run) -> dict[str, Any]:
    alike, count = counts
    said = f"In {alike} of {count} nested windows {_names(outer, inner)} report the same {kind.upper()} energy, to "
    said += f"{_IDENTICAL:.2%}: one counter was read, so this shows agreement, not accuracy."
    subject = f"{kind}: {_names(outer, inner)}"
    return finding(_files(outer, inner), "same_counter", subject, alike / count, "1", said)


def _compared(
    kind: str, energies: tuple[float, float], times: tuple[float, float], outer: _Run, inner: _Run
) -> Iterator[dict[str, Any]]:
    file, names = _files(outer, inner), _names(outer, inner)
    energy = energies[1] / energies[0]
    powers = energies[0] / times[0], energies[1] / times[1]
    off = powers[1] / powers[0] - 1
    both = f"({powers[0]:.1f} and {powers[1]:.1f} W)"
    if abs(off) < _SAME_POWER:
        power = f"{names} agree on {kind.upper()} power within {abs(off):.1%} {both}"
    else:
        power = f"{names} differ on {kind.upper()} power by {abs(off):.0%} {both}"
    yield finding(file, "nested_power", f"{kind}: {names}", off, "1", f"{power}.")
    if abs(energy - 1) > _SAME_POWER and abs(off) < _SAME_POWER:
        why = "but not on energy: the inner windows miss what was used outside of them"
    elif abs(energy - 1) > _SAME_POWER:
        why = "and on energy"
    else:
        why = "and their energies are close"
    both = f"{energies[0] / 1e3:,.1f} kJ by {outer.meter}, {energies[1] / 1e3:,.1f} kJ by {inner.meter}"
    said = f"{power}, {why} ({both}, which is {energy:.1%})."
    yield finding(file, "nested_energy", f"{kind}: {names}", energy, "1", said)


def _same_counter(one: _Run, other: _Run) -> Iterator[dict[str, Any]]:
    """Compare the GPU's mean energy per window in separate runs of tools that read the same counter."""
    for run in (one, other):
        if run.meter not in _COUNT_GPU or "gpu" not in run.measured or len(run.windows) < _FEWEST + _WARM_UP:
            return
        if not run.has("gpu"):
            return
    (energy, time), (energy_other, time_other) = one.mean("gpu"), other.mean("gpu")
    if abs(energy_other / energy - 1) > _AGREE or abs(time_other / time - 1) > _AGREE:
        return
    said = f"Per window, without the first two, {one.meter} reports {energy:.1f} J and {other.meter} "
    said += f"{energy_other:.1f} J of GPU energy. Both read NVML's counter, so this shows agreement, not accuracy."
    file, subject = f"{one.file}, {other.file}", f"gpu: {_names(one, other)}"
    yield finding(file, "same_counter", subject, energy_other / energy, "1", said)


def _factor(one: _Run, other: _Run, *, nested_runs: bool) -> Iterator[dict[str, Any]]:
    """Compare the total energies that two tools report for the same number of windows."""
    count, count_other = len(one.windows), len(other.windows)
    if min(count, count_other) < _FEWEST or abs(count_other / count - 1) > 0.01:
        return
    if not (one.has("machine") and other.has("machine")):
        return
    large, small = sorted((one, other), key=lambda run: -run.energy["machine"].sum())
    totals = float(large.energy["machine"].sum()), float(small.energy["machine"].sum())
    factor = totals[0] / totals[1]
    runs = "In one run" if nested_runs else "In two runs"
    said = f"{runs} of {count:,} windows, the totals are {_total(large)} and {_total(small)}: a factor of {factor:.1f} "
    said += "between two tools for the same number of windows. They differ in scope and in what they model."
    file, subject = f"{large.file}, {small.file}", f"machine: {_names(large, small)}"
    yield finding(file, "factor", subject, factor, "1", said)


def _total(run: _Run) -> str:
    parts = [
        f"{kind} {run.energy[kind].sum() / 1e3:,.0f} kJ {'measured' if kind in run.measured else 'not measured'}"
        for kind in run.energy
        if kind != "machine"
    ]
    return f"{run.energy['machine'].sum() / 1e3:,.1f} kJ by {run.meter} ({', '.join(parts) or 'one number for all'})"

"""Stage ``calibrate``: idle power, counter ticks, shortest window, and the costs of measuring and of threads."""

import argparse
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median, stdev

from baler_energy.analysis.effects import unless_hidden
from baler_energy.config.measuring import Measurement
from baler_energy.config.options import add_options
from baler_energy.files import output_file
from baler_energy.fingerprint import ingredients
from baler_energy.meters.base import Meter, absent_reason, prepare
from baler_energy.meters.calibration import (
    EFFECTS,
    Calibrated,
    Calibration,
    kind_of_machine,
    shortest_window_s,
    slice_powers_w,
    spread_of,
    thread_sentence,
)
from baler_energy.meters.lock import MachineLock
from baler_energy.meters.options import add_meter_arguments, make_meters
from baler_energy.meters.session import Session
from baler_energy.meters.settings import SessionSettings
from baler_energy.meters.ticks import watch_ticks
from baler_energy.progress import announce
from baler_energy.provenance import provenance
from baler_energy.records import Reading
from baler_energy.sources import calibrated
from baler_energy.stages.thread_costs import cpu_counter, thread_rows, watch_threads
from baler_energy.variants import TIMED_ENGINE
from baler_energy.vocabulary import MeterName, Quantity

__all__ = ["EPILOG", "HELP", "add_arguments", "calibrate", "run", "summary"]

HELP = "find out what this machine resolves: idle power, ticks, shortest window, overhead, best number of threads"
EPILOG = f"""\
examples:
  baler-energy calibrate --out calibration.json
  baler-energy train --calibration calibration.json ...

Leave the machine idle meanwhile. Measured stages that get this file lengthen their window so that counters resolve 1 %
on this kind of machine, and `--engine {TIMED_ENGINE} --threads auto` uses the number of threads that costs least per
row. A study does this automatically."""

#: Slices of the idle time; loops timed before, during and after measuring, to find the overhead.
_SLICES, _LOOPS = 10, 5
#: A GPU's counter ticks about ten times a second, so this covers more than twenty ticks.
_WATCH_S = 2.5
#: Longest time for each number of threads.
_THREADS_S = 1.0
#: Components that are sums of others.
_SUMS = ("cpu", "dram", "gpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's arguments."""
    parser.add_argument(
        "--out", type=output_file, required=True, metavar="FILE", help="write the calibration (JSON) here"
    )
    add_options(parser, Measurement, only=["calibrate_s"])
    add_meter_arguments(parser.add_argument_group("measuring"))


def run(args: argparse.Namespace) -> None:
    """Run the stage from the command line."""
    meters = make_meters(args.meters, sample_interval_s=args.sample_interval_s)
    prepare(meters)
    settings = SessionSettings(min_window_s=0, idle_s=0, sample_interval_s=args.sample_interval_s)
    calibration = calibrate(meters, settings, args.calibrate_s)
    calibration.write(args.out)
    print(summary(calibration))


def calibrate(meters: Sequence[Meter], settings: SessionSettings, calibrate_s: float) -> Calibration:
    """Calibrate this machine.

    Parameters
    ----------
    meters
        The meters, unopened.
    settings
        Settings of the session; window and idle baseline are not used.
    calibrate_s
        Length of the idle part (s).
    """
    work = _Work(calibrate_s / 50)
    with MachineLock(settings.lock):  # so that nothing else is measured
        before_s = [work.timed() for _ in range(_LOOPS)]
    with Session(meters, settings) as session:
        announce(f"Idle for {calibrate_s:g} s, in {_SLICES} slices.")
        outcome = session.run(lambda: list(_idle(session, calibrate_s / _SLICES)), once=True)
        counting = [meter for meter in meters if meter.counts and absent_reason(meter) is None]
        if counting:
            announce("Watching the counters' ticks.")
        ticks = session.run(lambda: _ticks(counting), once=True).result if counting else {}
        measured_s = session.run(lambda: [work.timed() for _ in range(_LOOPS)], once=True).result
    with MachineLock(settings.lock):
        after_s = [work.timed() for _ in range(_LOOPS)]
    energies = {f"{r.meter}/{r.component}": r for r in outcome.readings if r.quantity is Quantity.ENERGY}
    counter = cpu_counter({name: reading.evidence for name, reading in energies.items() if reading.value is not None})
    announce("Training steps on different numbers of threads.")
    with Session(counting, settings) as session:
        per_number_s = min(_THREADS_S, calibrate_s / 10)
        costs = session.run(
            lambda: watch_threads(lambda: session.energies_j().get(counter or ""), per_number_s), once=True
        ).result
    edges = outcome.result
    powers = slice_powers_w([edge[0] for edge in edges], [edge[2] for edge in edges])
    rows = [*_idle_rows(powers, energies), *_tick_rows(ticks)]
    rows += _overhead_rows([(edge[0], edge[1]) for edge in edges], before_s + after_s, measured_s)
    rows += thread_rows(costs, counter)
    behind = calibrated(meter.name for meter in meters)
    made_with = provenance(*behind) | {"ingredients": dict(ingredients(*behind))}
    return Calibration(machine=kind_of_machine(), rows=tuple(rows), provenance=made_with)


def summary(calibration: Calibration) -> str:
    """Describe a calibration for a reader at a terminal."""
    lines = []
    for row in calibration.rows:
        value = "unknown" if row.value is None else f"{row.value:.4g}{'' if row.unit == '1' else ' ' + row.unit}"
        if row.spread is not None:
            value += f" +- {row.spread:.2g} (n = {row.n})"
        if row.value is not None and row.quantity in EFFECTS:
            value = unless_hidden(value, row.value, row.spread)
        lines.append(f"{row.quantity:<18}{row.meter + ' ' + row.component:<24}{value}; {row.detail}")
    for quantity in ("time_per_row", "energy_per_row"):
        costs = {row.component: row.value for row in calibration.rows if row.quantity == quantity and row.value}
        if sentence := thread_sentence(costs, quantity):
            lines.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return "\n".join(lines)


class _Work:
    """A Python loop, which every other thread of this process delays: the worst case for a meter's thread."""

    def __init__(self, duration_s: float) -> None:
        self._count = 10_000
        while (took_s := self.timed()) < 0.02:
            self._count *= 2
        self._count = max(1, int(self._count * max(0.1, duration_s) / took_s))

    def timed(self) -> float:
        """Run the loop once; return its duration (s)."""
        start_s, total = time.perf_counter(), 0
        for number in range(self._count):
            total += number & 7
        return time.perf_counter() - start_s


def _idle(session: Session, slice_s: float) -> Iterator[tuple[float, float, dict[str, float]]]:
    """Sleep; at each slice's edge, yield time (s), CPU time of this process (s) and energies so far (J)."""
    for _ in range(_SLICES):
        yield time.monotonic(), time.process_time(), session.energies_j()
        time.sleep(slice_s)
    yield time.monotonic(), time.process_time(), session.energies_j()


def _ticks(meters: Sequence[Meter]) -> dict[tuple[MeterName, str], float | None]:
    """Return the tick (s) of every counter of these meters; None if it changed too rarely."""
    found: dict[tuple[MeterName, str], float | None] = {}
    for meter in meters:
        for component, tick_s in watch_ticks(meter.energies_j, _WATCH_S).items():
            if component not in _SUMS:
                found[meter.name, component] = tick_s
    return found


def _idle_rows(powers_w: dict[str, list[float]], energies: Mapping[str, Reading]) -> list[Calibrated]:
    rows = []
    for name, values in sorted(powers_w.items()):
        meter, component = name.split("/")
        reading = energies.get(name)
        if reading is None or reading.value is None:
            reason = (reading and reading.reason) or "its meter gave no energy for this window"
            rows.append(_row(meter, component, "idle_power", None, reason))
            continue
        rows.append(
            Calibrated(
                meter=meter,
                component=component,
                quantity="idle_power",
                **spread_of(values),
                evidence=reading.evidence,
                detail="mean over slices of idle time",
            )
        )
    return rows


def _tick_rows(ticks: dict[tuple[MeterName, str], float | None]) -> list[Calibrated]:
    if not ticks:
        return [_row("session", "machine", "tick", None, "no meter here reads a counter")]
    rows = []
    for (meter, component), tick_s in ticks.items():
        lost = f"the counter changed fewer than four times in {_WATCH_S} s"
        found = "median time between changes" if tick_s is not None else lost
        rows.append(_row(meter, component, "tick", tick_s, found))
        window_s = None if tick_s is None else shortest_window_s(tick_s)
        found = "200 ticks: one at each edge is 1 %" if tick_s is not None else lost
        rows.append(_row(meter, component, "shortest_window", window_s, found))
    return rows


def _row(meter: str, component: str, quantity: str, value: float | None, detail: str) -> Calibrated:
    fields = {"meter": meter, "component": component, "quantity": quantity, "value": value, "detail": detail}
    return Calibrated.model_validate(fields | {"n": int(value is not None)})


def _overhead_rows(
    edges_s: Sequence[tuple[float, float]], alone_s: Sequence[float], measured_s: Sequence[float]
) -> list[Calibrated]:
    shares = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairwise(edges_s)]
    slower = [value / median(alone_s) - 1 for value in measured_s]
    noise = stdev(alone_s) / median(alone_s)
    return [
        Calibrated(
            meter="session",
            component="machine",
            quantity="overhead_cpu",
            **spread_of(shares),
            detail="CPU time of the waiting, measuring process over time: a share of one CPU",
        ),
        Calibrated(
            meter="session",
            component="machine",
            quantity="overhead_duration",
            **spread_of(slower, middle=True) | {"spread": math.hypot(stdev(slower), noise)},
            detail=f"how much longer a loop takes while measured; the spread includes that of {len(alone_s)} loops "
            f"before and after, {noise:.1%}",
        ),
    ]

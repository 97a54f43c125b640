"""Cost per row of training with the fast engine, by number of threads; part of ``calibrate``."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from baler_energy.config.parameters import AXIS_DEFAULTS
from baler_energy.cores import physical_cores
from baler_energy.data.columns import JET_COLUMNS
from baler_energy.meters.calibration import Calibrated, spread_of
from baler_energy.variants import TIMED_ENGINE, TIMED_STEP, load
from baler_energy.vocabulary import PRIMARY_METERS, Evidence

__all__ = ["candidates", "cpu_counter", "thread_rows", "watch_threads"]

#: The timed step, as in Baler's example: columns, and the defaults of the parameters.
_COLUMNS = len(JET_COLUMNS)
_BATCH, _PRECISION = AXIS_DEFAULTS["batch_size"], AXIS_DEFAULTS["precision"]
#: Turns for each number of threads.
_ROUNDS = 7
Costs = dict[int, list[tuple[float, float | None]]]


def candidates(cores: int) -> list[int]:
    """Return the numbers of threads to try: powers of two below the cores, all cores but one, and all of them."""
    powers = {1 << n for n in range(cores.bit_length()) if 1 << n < cores}
    return sorted(powers | {max(1, cores - 1), cores})


def cpu_counter(evidence: Mapping[str, Evidence]) -> str | None:
    """Return the session's name of the CPU's energy counter, such as ``rapl/cpu``; None if energy is only modelled.

    Parameters
    ----------
    evidence
        Evidence by counter.
    """
    names = (f"{meter}/cpu" for meter in PRIMARY_METERS["cpu"])
    return next((name for name in names if evidence.get(name) is Evidence.MEASURED), None)


def watch_threads(read_j: Callable[[], float | None], duration_s: float) -> Costs:
    """Train with each number of threads in turn, then restore torch's number.

    Parameters
    ----------
    read_j
        Reads the CPU's energy counter (J); returns None if that fails or there is no counter.
    duration_s
        Time for each number of threads (s).

    Returns
    -------
    dict
        By number of threads: time (s) and energy (J; None if the counter was not read) per row, for each turn.
    """
    import torch

    step = _step()
    before = torch.get_num_threads()
    numbers = candidates(physical_cores())
    costs: Costs = {number: [] for number in numbers}
    try:
        for _ in range(_ROUNDS):
            for number in numbers:
                torch.set_num_threads(number)
                step()
                costs[number].append(_cost(step, read_j, duration_s / _ROUNDS))
    finally:
        torch.set_num_threads(before)
    return costs


def _step() -> Callable[[], None]:
    import torch

    from baler_energy.codecs.baler import training
    from baler_energy.codecs.baler.architecture import Architecture
    from baler_energy.codecs.baler.model import DTYPES
    from baler_energy.codecs.baler.settings import TrainingSettings

    settings = TrainingSettings(epochs=1, batch_size=_BATCH, seed=1)
    architecture = Architecture.of(AXIS_DEFAULTS["model"], _COLUMNS, AXIS_DEFAULTS["compression_ratio"])
    rows = torch.rand(_BATCH, _COLUMNS, dtype=DTYPES[_PRECISION], generator=torch.Generator().manual_seed(1))
    step = load(TIMED_STEP[0]).Step(training.new_model(architecture, settings), settings)
    return lambda: step(rows)


def _cost(
    step: Callable[[], None], read_j: Callable[[], float | None], duration_s: float
) -> tuple[float, float | None]:
    start_j, start_s, rows = read_j(), time.perf_counter(), 0
    while True:
        step()
        rows += _BATCH
        took_s = time.perf_counter() - start_s
        if took_s >= duration_s:
            break
    end_j = read_j()
    return took_s / rows, None if start_j is None or end_j is None else (end_j - start_j) / rows


def thread_rows(costs: Costs, counter: str | None) -> list[Calibrated]:
    """Return a calibration's median cost per row by threads, and the cheapest number that leaves a core free.

    The cost is energy if `counter` (see `cpu_counter`) was read and changed in every turn, else time.
    """
    energies_j = {n: [energy_j for _, energy_j in turns if energy_j] for n, turns in costs.items()}
    counted = counter is not None and all(len(energies_j[n]) == len(costs[n]) for n in costs)
    values = energies_j if counted else {n: [time_s for time_s, _ in turns] for n, turns in costs.items()}
    meter, quantity = ("session", "time_per_row")
    if counter is not None and counted:
        meter, quantity = (counter.partition("/")[0], "energy_per_row")
    found: dict[int, dict[str, Any]] = {n: spread_of(per_row, middle=True) for n, per_row in values.items()}
    # The largest number uses every core.
    best = min(sorted(found)[:-1] or found, key=lambda n: found[n]["value"])
    step = f"training step of engine {TIMED_ENGINE}, {_COLUMNS} columns, batch {_BATCH}, {_PRECISION}"
    known = {"meter": meter, "detail": step}
    rows = [known | {"component": f"threads-{n}", "quantity": quantity} | spread for n, spread in found.items()]
    what = "energy" if counted else "time, because no counter measures energy"
    why = f"least {what}, per row trained by engine {TIMED_ENGINE}, among the numbers that leave a core free"
    chosen = {"component": "machine", "quantity": "threads", "value": best, "n": 1, "detail": why}
    rows.append(known | chosen)
    return [Calibrated.model_validate(row) for row in rows]

"""Measures a window with our meters on the machine that this process sees, and prints the results as JSON.

python -m simulator.measured STATE --at-s 1.5 --window-s 5 --idle-s 3
"""

import argparse
import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from baler_energy.meters.base import Meter
from baler_energy.meters.nvml import NvmlMeter
from baler_energy.meters.rapl import RaplMeter
from baler_energy.meters.session import Session, SessionSettings
from simulator.machine import Edges, Machine, start_curves


def note_edges(meter: Meter) -> list[Edges]:
    """Make a meter record the start and end of its first and last read of each window."""
    begin, end, noted = meter.begin, meter.end, []

    def noting_begin() -> None:
        before_s = time.monotonic()
        begin()
        noted.append((before_s, time.monotonic()))

    def noting_end() -> None:
        before_s = time.monotonic()
        end()
        noted[-1] += (before_s, time.monotonic())

    meter.begin, meter.end = noting_begin, noting_end
    return noted


def note_ticks(meter: NvmlMeter) -> list[dict[str, float]]:
    """Make a meter record when it noticed each GPU's first tick after an edge of a window."""
    next_ticks, noted = meter._next_ticks, []

    def noting(counts_j: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        found = next_ticks(counts_j)
        noted.append({name: time_s for name, (time_s, _) in found.items()})
        return found

    meter._next_ticks = noting
    return noted


def main() -> None:
    """Measure according to the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("--at-s", type=float, default=1.5, help="begin of the window, since the curves' start")
    parser.add_argument("--window-s", type=float, default=5.0)
    parser.add_argument("--idle-s", type=float, default=0.0)
    parser.add_argument("--limit-w", type=float, default=300.0, help="of a RAPL counter; its range is small here")
    args = parser.parse_args()
    # Its counters wrap in half a second, and a busy machine may delay it for that long. Only root may set the priority.
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    machine = Machine.read(args.state)
    meters = [RaplMeter(root=Path(os.environ["SIMULATED_POWERCAP"]), limit_w=args.limit_w)]
    gpus = NvmlMeter()
    meters += [gpus] if machine.gpus else []
    settings = SessionSettings(min_window_s=0, idle_s=args.idle_s, lock=args.state / "lock")
    edges, ticks = {meter.name: note_edges(meter) for meter in meters}, note_ticks(gpus)

    def wait() -> None:
        begin_s = start_curves(args.state) + args.at_s
        time.sleep(max(0.0, begin_s - time.monotonic()))

    def operation() -> str:
        time.sleep(args.window_s)
        return "the result"

    with Session(meters, settings) as session:
        outcome = session.run(operation, warm_up=wait, once=True)
    print(
        json.dumps(
            {
                "edges": edges,
                "ticks": ticks,
                "window_s": outcome.window.duration_s,
                "idle_s": outcome.idle.duration_s if outcome.idle else None,
                "result": outcome.result,
                "flags": outcome.flags,
                "readings": [reading.model_dump(mode="json") for reading in outcome.readings],
                "samples": outcome.samples[["time_s", "component", "quantity", "value"]].to_dict("records"),
            }
        )
    )


if __name__ == "__main__":
    main()

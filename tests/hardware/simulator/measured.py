"""Measures a window with our meters on the machine that this process sees, and prints what they found as JSON.

python -m simulator.measured STATE --at-s 10 --window-s 5 --idle-s 3
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from baler_energy.meters.nvml import NvmlMeter
from baler_energy.meters.rapl import RaplMeter
from baler_energy.meters.session import Session, SessionSettings
from simulator.machine import Machine


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("--at-s", type=float, default=10.0, help="begin of the window, since the machine's start")
    parser.add_argument("--window-s", type=float, default=5.0)
    parser.add_argument("--idle-s", type=float, default=0.0)
    parser.add_argument("--limit-w", type=float, default=300.0, help="of a RAPL counter; its range is small here")
    args = parser.parse_args()
    machine = Machine.read(args.state)
    begin_s = machine.start_s + args.at_s
    meters = [RaplMeter(root=Path(os.environ["SIMULATED_POWERCAP"]), limit_w=args.limit_w)]
    meters += [NvmlMeter()] if machine.gpus else []
    settings = SessionSettings(min_window_s=0, idle_s=args.idle_s, lock=args.state / "lock")
    edges_s = []

    def wait() -> None:
        if time.monotonic() > begin_s:
            sys.exit("This machine is too busy: the window could not begin in time.")
        time.sleep(begin_s - time.monotonic())

    def operation() -> str:
        edges_s.append(time.monotonic())
        time.sleep(args.window_s)
        edges_s.append(time.monotonic())
        return "the result"

    with Session(meters, settings) as session:
        outcome = session.run(operation, warm_up=wait, once=True)
    print(
        json.dumps(
            {
                "edges_s": edges_s,
                "result": outcome.result,
                "flags": outcome.flags,
                "readings": [reading.model_dump(mode="json") for reading in outcome.readings],
                "samples": outcome.samples[["time_s", "component", "quantity", "value"]].to_dict("records"),
            }
        )
    )


if __name__ == "__main__":
    main()

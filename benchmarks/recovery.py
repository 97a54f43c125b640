"""Measured against true energy on simulated machines: the table of docs/trust.md.

    PYTHONPATH=tests/hardware python benchmarks/recovery.py

Windows of 5 s on four machines at the same time, with our RAPL and NVML meters; the counters wrap in the window.
"""

import tempfile
from pathlib import Path

from simulator.run import namespaces_work
from simulator.scenarios import RECOVERY, recovered, run_all


def main() -> None:
    """Measure, and print the table in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        measured = run_all(RECOVERY, Path(folder), "--idle-s", "3")
    print(f"Counters {'over /sys/class' if namespaces_work() else 'in another folder'}.\n")
    heads = ["machine", "component", "curve", "read by", "true (J)", "recovered (J)", "error (%)", "bound (J)"]
    heads.append("dynamic, error (% of gross)")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, found in measured.items():
        for row in recovered(name, found):
            dynamic = 100 * (row.dynamic_j - row.true_dynamic_j) / row.true_j
            cells = [row.machine, row.component, row.curve, row.how, f"{row.true_j:.2f}", f"{row.value_j:.2f}"]
            cells += [f"{100 * row.error:+.3f}", f"{row.bound_j:.2f}", f"{dynamic:+.3f}"]
            print(f"| {' | '.join(cells)} |")
        print(f"flags of {name}: {', '.join(found.flags) or 'none'}")


if __name__ == "__main__":
    main()

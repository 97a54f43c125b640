"""Synthetic rows of the table ``hotspots``; `conftest` runs it as a file, for the tests of both figures and stages."""

from typing import Any

import numpy as np

Row = dict[str, Any]
OPERATIONS = ("train", "compress", "decompress")
#: Shares of the whole by part; the rest of 100 % is framework overhead.
PARTS = {
    ("data", "scaling"): 0.05,
    ("data", "drawing batches"): 0.20,
    ("layer", "en1 forward"): 0.10,
    ("layer", "en1 backward"): 0.25,
    ("optimizer", "Adam step"): 0.15,
}
WHOLE_S, POWER_W, IDLE_W = 2.0, 50.0, 20.0


def hotspot_rows(point: Row, *, measured: bool) -> list[Row]:
    """Rows of all profilers and of the measured parts of one point."""
    rows = [*_profilers(), *_tree(), *_lines(), *_peaks(point["device"], _evidence(point["device"], measured=measured))]
    for operation in OPERATIONS:
        rows += [row | {"operation": operation} for row in _loops(operation, point["device"], measured=measured)]
    rows.append({"operation": "train", "profiler": "perf", "kind": "absent", "name": "perf", "reason": "no counters."})
    return [point | row for row in rows]


def _profilers() -> list[Row]:
    rows: list[Row] = []
    sources = (("cprofile", "function"), ("pyspy", "function"), ("torch", "operator"))
    weights = 0.5 ** np.arange(1, 15)
    for operation in OPERATIONS:
        for kind, share in (("kernel", 0.5), ("copy", 0.2), ("idle", 0.3)):
            row = {"profiler": "torch", "kind": kind, "name": f"{kind} on a GPU", "calls": 100}
            rows.append(row | {"operation": operation, "self_share": share, "total_share": share})
        for profiler, kind in sources:
            for number, share in enumerate(weights / weights.sum()):
                row = {"profiler": profiler, "kind": kind, "name": f"aten::op_{number}", "calls": 100}
                if kind == "function":
                    row["name"] = f"a_function_with_a_rather_long_name_{number}"
                    row |= {"file": "/somewhere/torch/nn/modules/module.py", "line": 10 * number + 1}
                rows.append(row | {"operation": operation, "self_share": float(share), "total_share": float(share)})
    return rows


def _tree() -> list[Row]:
    total = {"train": 1.0, "train;fit": 0.9, "train;fit;backward": 0.4, "train;fit;forward": 0.2, "train;scale": 0.05}
    common = {"operation": "train", "profiler": "cprofile", "kind": "call"}
    return [
        common | {"name": s.rpartition(";")[2], "stack": s, "total_share": t, "self_share": 0.01, "total_time_s": 3 * t}
        for s, t in total.items()
    ]


def _lines() -> list[Row]:
    rows: list[Row] = []
    for operation in OPERATIONS:
        for number, share in enumerate((0.6, 0.3, 0.1)):
            place = {"operation": operation, "file": "baler_energy/codecs/baler/model.py", "line": 50 + number}
            place |= {"name": f"value_{number} = leaky_relu(self.get_submodule(f'en{{number}}')(values))"}
            line = {"profiler": "scalene", "kind": "line", "self_share": share, "memory_bytes": 10**9, "bytes": 10**7}
            rows.append(place | line)
            for kind, part in (("python", 0.2), ("native", 0.7), ("system", 0.1)):
                rows.append(place | {"profiler": "scalene", "kind": kind, "self_share": share * part})
            copied = {"profiler": "copies", "kind": "copy", "self_share": share / 10, "bytes": round(5e6 * share)}
            rows.append(place | copied)
    return rows


def _evidence(device: str, *, measured: bool) -> Row:
    """Evidence and scope of the energies."""
    return {
        "energy_evidence": "measured" if measured else "modelled",
        "energy_scope": "cpu+gpu"[: 3 if device == "cpu" else 7],
    }


def _peaks(device: str, evidence: Row) -> list[Row]:
    rate = 10.0 if device == "cuda" else 1.0
    common = {"operation": "machine", "profiler": "parts", "kind": "peak", "self_time_s": 1.0, "energy_j": POWER_W}
    common |= evidence
    return [
        common | {"name": "matrix product", "flops": round(4e10 * rate)},
        common | {"name": "memory copy", "bytes": round(1.5e10 * rate)},
    ]


def _loops(operation: str, device: str, *, measured: bool) -> list[Row]:
    rate = 10.0 if device == "cuda" else 1.0
    common = {"profiler": "parts"} | _evidence(device, measured=measured)
    whole = {"kind": "whole", "name": operation, "stack": operation, "self_share": 1.0, "flops": round(3e9 * rate)}
    rows = [common | whole | _cost(1.0, rate)]
    groups = {"data": "data", "layer": "layers", "optimizer": "optimizer"}
    for (kind, name), share in PARTS.items():
        stack = f"{operation};{groups[kind]};{name}"
        row = {"kind": kind, "name": name, "stack": stack, "self_share": share, "calls": 25} | _cost(share, rate)
        if kind == "layer":
            row |= {"flops": round(1e9 * rate), "bytes": round(2e8 * rate)}
            for operator, part in (("aten::addmm", 0.8), ("aten::leaky_relu", 0.2)):
                within = {"kind": "operator", "name": operator, "stack": f"{stack};{operator}"}
                rows.append(common | within | {"self_share": share * part, "energy_evidence": None})
        rows.append(common | row)
    rest = 1 - sum(PARTS.values())
    rows.append(common | {"kind": "overhead", "name": "framework overhead", "self_share": rest} | _cost(rest, rate))
    if measured:
        static = {"kind": "static", "name": "idle power over its time", "stack": f"{operation};static"}
        rows.append(common | static | {"energy_j": IDLE_W * WHOLE_S / rate})
    for name, latency_s in (("p50", 1.5e-3), ("p99", 4e-3)):
        rows.append(
            {"profiler": "parts", "kind": "latency", "name": name, "calls": 200, "self_time_s": latency_s / rate}
        )
    return rows


def _cost(share: float, rate: float) -> Row:
    return {"self_time_s": share * WHOLE_S / rate, "energy_j": share * WHOLE_S * POWER_W / rate}

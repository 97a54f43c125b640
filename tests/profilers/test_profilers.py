"""Profilers: their files, and the rows taken from them."""

import json
import pstats
from types import SimpleNamespace

import pytest
import torch

from baler_energy.profilers import cprofile, torch_profiler
from baler_energy.profilers.hotspots import TOP, Hotspot, short_path, top


def _hotspot(self_time_s: float) -> Hotspot:
    return Hotspot(kind="function", name="f", calls=1, self_time_s=self_time_s)


def test_the_largest_are_kept_in_order():
    kept = top(_hotspot(float(n)) for n in range(100))
    assert [h.self_time_s for h in kept] == [float(n) for n in range(99, 99 - TOP, -1)]


def test_paths_are_cut_to_what_python_imports(monkeypatch):
    monkeypatch.setattr("sys.path", ["", "/opt/lib", "/opt/lib/site-packages"])
    assert short_path("/opt/lib/site-packages/torch/nn/x.py") == "torch/nn/x.py"
    assert short_path("/opt/lib/json/decoder.py") == "json/decoder.py"
    assert short_path("/opt/library/x.py") == "/opt/library/x.py"


def _busy() -> int:
    return sum(len(str(n)) for n in range(20_000))


def _work() -> None:
    _busy()
    sorted(range(1000))


def test_cprofile_finds_the_busy_function(tmp_path):
    found = cprofile.profile(_work, tmp_path / "p.pstats")
    hotspots = [h for h in found if h.kind == "function"]
    assert [h.stack for h in found if h.kind == "call"][:2] == ["_work", "_work;_busy"]
    pstats.Stats(str(tmp_path / "p.pstats")).get_stats_profile()
    by_name = {h.name: h for h in hotspots}
    busy = by_name["_busy"]
    # More than all of its callees together; the ratio varies, as a few milliseconds are easily disturbed.
    assert busy.calls == 1 and busy.total_share > by_name["<built-in method builtins.sorted>"].total_share
    assert busy.file is not None and busy.file.endswith("test_profilers.py") and busy.line is not None
    assert by_name["<built-in method builtins.sorted>"].file is None
    assert by_name["<built-in method builtins.sorted>"].line is None
    assert sum(h.self_share for h in hotspots) == pytest.approx(1.0)
    assert all(h.memory_bytes is None and h.flops is None for h in hotspots)


def test_functions_of_one_name_are_added_up(tmp_path):
    # For the __init__ of two dataclasses, the standard library only keeps one and loses the other's time.
    one, other = {}, {}
    for names in (one, other):
        exec("def same():\n for _ in range(300_000): pass", names)

    def work():
        one["same"]()
        other["same"]()

    rows = cprofile.profile(work, tmp_path / "p.pstats")
    assert max(row.total_share for row in rows if row.kind == "call") == pytest.approx(1.0, rel=0.05)
    assert next(row.calls for row in rows if row.kind == "function" and row.name == "same") == 2
    (callers,) = (
        entry[4] for name, entry in vars(pstats.Stats(str(tmp_path / "p.pstats")))["stats"].items() if name[2] == "same"
    )
    assert [numbers[0] for numbers in callers.values()] == [2]


def test_cprofile_forgets_addresses(tmp_path):
    stats = SimpleNamespace(
        stats={("~", 0, "<built-in method __new__ of type object at 0x7f00>"): (1, 1, 1.0, 1.0, {})}
    )
    assert cprofile.hotspots_of(stats)[0].name == "<built-in method __new__ of type object>"


def _products() -> None:
    a = torch.ones(64, 32)
    for _ in range(5):
        (a @ a.T).relu()


def test_torch_finds_operators_with_flops_and_memory():
    hotspots = torch_profiler.profile(_products)
    by_name = {h.name: h for h in hotspots}
    assert by_name["aten::mm"].calls == 5
    assert by_name["aten::mm"].flops == 5 * 2 * 64 * 64 * 32
    assert by_name["aten::mm"].memory_bytes == 5 * 64 * 64 * 4
    assert by_name["aten::relu"].flops is None
    assert sum(h.self_share for h in hotspots) == pytest.approx(1.0)
    assert {h.kind for h in hotspots} == {"operator"}


def test_the_trace_is_chromes_format(tmp_path):
    torch_profiler.trace(_products, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert sum(event.get("name") == "aten::mm" for event in events) == 5


def _event(
    device: str, self_cpu_us: float, self_device_us: float, key: str = "", *, annotation: bool = False
) -> SimpleNamespace:
    return SimpleNamespace(
        is_user_annotation=annotation,
        device_type=SimpleNamespace(name=device),
        key=key or f"on {device}",
        count=2,
        self_cpu_time_total=self_cpu_us,
        cpu_time_total=self_cpu_us,
        self_device_time_total=self_device_us,
        device_time_total=self_device_us,
        self_cpu_memory_usage=8,
        self_device_memory_usage=9,
        flops=0,
    )


def test_shares_of_kernels_refer_to_all_kernels():
    events = [_event("CPU", 30.0, 0.0), _event("CPU", 10.0, 5.0), _event("CUDA", 0.0, 20.0)]
    kernel, *operators = sorted(torch_profiler.hotspots_of(events), key=lambda h: h.kind)
    assert (kernel.kind, kernel.self_time_s, kernel.self_share) == ("kernel", pytest.approx(20e-6), 1.0)
    assert kernel.memory_bytes is None and kernel.flops is None
    assert sorted(h.self_share for h in operators) == [0.25, 0.75]


def _span(device: str, start_us: float, end_us: float, *, annotation: bool = False) -> SimpleNamespace:
    return SimpleNamespace(
        device_type=SimpleNamespace(name=device),
        time_range=SimpleNamespace(start=start_us, end=end_us),
        is_user_annotation=annotation,
    )


def test_copies_and_waiting_of_the_gpu_are_distinguished_from_its_kernels():
    averages = [
        _event("CPU", 90.0, 0.0),
        _event("CUDA", 0.0, 30.0, "gemm"),
        _event("CUDA", 0.0, 10.0, "Memcpy HtoD (Pageable -> Device)"),
        _event("CUDA", 0.0, 100.0, "Optimizer.step#Adam.step", annotation=True),
    ]
    # Two streams overlap from 15 to 20; nothing runs from 30 to 50 and from 55 to 95. The CPU's spans do not count.
    spans = [(50, 55), (0, 20), (15, 30), (95, 100)]
    events = [_span("CUDA", *span) for span in spans]
    events += [_span("CPU", 0, 1000), _span("CUDA", 0, 120, annotation=True)]
    found = {h.kind: h for h in torch_profiler.hotspots_of(averages, events)}
    assert set(found) == {"operator", "kernel", "copy", "idle"}
    assert found["idle"].self_time_s == pytest.approx(60e-6) and found["idle"].calls == 2
    assert [found[kind].self_share for kind in ("kernel", "copy", "idle")] == pytest.approx([0.3, 0.1, 0.6])
    assert found["operator"].self_share == 1.0


def test_without_a_gpu_there_is_no_waiting():
    assert {h.kind for h in torch_profiler.hotspots_of([_event("CPU", 1.0, 0.0)], [_span("CPU", 0, 5)])} == {"operator"}

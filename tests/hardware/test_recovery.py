"""The meters recover the true energy of a simulated machine, through the real interfaces."""

import pytest
from simulator.nvml import compiler
from simulator.run import namespaces_work
from simulator.scenarios import RECOVERY, recovered, run_all

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler for the simulated NVML")


@pytest.fixture(scope="module")
def rows(tmp_path_factory, record_testsuite_property):
    record_testsuite_property("simulated powercap", "over /sys/class" if namespaces_work() else "in another folder")
    measured = run_all(RECOVERY, tmp_path_factory.mktemp("machines"), "--idle-s", "3")
    return {name: recovered(name, found) for name, found in measured.items()}, measured


def counted(rows):
    """Energies from counters, with their machines."""
    return [row for table in rows[0].values() for row in table if "sensor" not in row.how and row.component != "gpu"]


def sensed(rows):
    return [row for table in rows[0].values() for row in table if "sensor" in row.how and row.component != "gpu"]


def test_every_component_has_its_energy(rows):
    assert {row.component for row in counted(rows)} >= {
        "package-0", "package-1", "core-0", "dram-0", "dram-1", "psys", "cpu", "dram", "gpu-0", "gpu-3",
    }  # fmt: skip
    assert len(sensed(rows)) == 8
    assert all(set(found.flags) - {"contaminated", "throttled"} == {"simulated"} for found in rows[1].values())


def test_counters_are_within_half_a_percent_and_a_tick_at_each_edge(rows):
    for row in counted(rows):
        # A bound is two ticks of the maximum power.
        assert row.off_j <= 0.005 * row.true_j + row.bound_j, row


def test_counters_wrapped_in_the_window(rows):
    wrapping = rows[1]["2 sockets, 4 GPUs"]
    assert wrapping.bounds_j("package-0")[0] * 1e6 > 1.5 * wrapping.machine.counters[0].max_uj


def test_averaged_power_is_within_two_percent_where_it_is_constant_or_a_ramp(rows):
    chosen = [row for row in sensed(rows) if row.curve in ("constant", "ramp")]
    assert len(chosen) == 4
    for row in chosen:
        assert row.off_j < 0.02 * row.true_j, row


def test_averaged_power_is_within_its_bound_on_every_curve(rows):
    for row in sensed(rows):
        assert row.off_j <= row.bound_j, row
        assert row.bound_j < 0.2 * row.true_j, row


def test_dynamic_energy_is_within_a_percent_of_the_gross(rows):
    # GPU ticks are noticed within milliseconds, except on a busy machine.
    for row in counted(rows):
        assert row.dynamic_off_j <= 0.01 * row.true_j + row.late_j, row


def test_psys_is_never_added_and_a_package_never_counted_twice(rows):
    for name, found in rows[1].items():
        packages = [
            r["value"] for (part, kind), r in found.readings.items() if part[:8] == "package-" and kind == "energy"
        ]
        assert len(packages) == sum(c.name.startswith("package") for c in found.machine.counters) - 1, name  # mmio
        assert found.readings["cpu", "energy"]["value"] == pytest.approx(sum(packages))

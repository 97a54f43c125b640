"""What all peers' meters have in common."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peer_readings import energies

from baler_energy.meters.base import absent_reason
from baler_energy.meters.options import meter_class
from baler_energy.meters.peers.base import by_component, peer_reading, with_sums
from baler_energy.vocabulary import PEERS, Evidence, MeterName

ZEUS = MeterName.ZEUS
MEASURED = Evidence.MEASURED


@given(st.one_of(st.none(), st.just(math.nan), st.floats(max_value=0.0), st.sampled_from([math.inf, -math.inf])))
def test_an_invalid_energy_is_null_with_a_reason(value):
    reading = peer_reading(ZEUS, "cpu", value, MEASURED, "d")
    assert reading.value is None
    assert reading.reason


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_valid_energy_is_kept(value):
    assert peer_reading(ZEUS, "cpu", value, MEASURED, "d").value == value


def test_the_value_after_a_missed_wrap_is_reported():
    assert "-261843.0 J" in peer_reading(ZEUS, "cpu", -261843.0, MEASURED, "d").reason


def test_sums_hold_packages_and_neither_psys_nor_cores():
    values = {"package-0": 3.0, "package-1": 4.0, "psys": 20.0, "core-0": 2.0, "dram-0": 1.0, "gpu-0": 5.0}
    found = energies(with_sums(ZEUS, values, MEASURED, "d"))
    assert (found["cpu"], found["dram"], found["gpu"]) == (7.0, 1.0, 5.0)


def test_a_sum_with_a_lost_part_is_null():
    readings = with_sums(ZEUS, {"package-0": 3.0, "package-1": -1.0}, MEASURED, "d")
    assert energies(readings) == {"package-0": 3.0, "package-1": None, "cpu": None}


def test_values_that_are_named_alike_leave_no_sum():
    values = by_component([("package-0", 60.0), ("package-0", 40.0), ("dram-0", 1.0)])
    found = energies(with_sums(ZEUS, values, MEASURED, "d"))
    assert found == {"package-0": None, "dram-0": 1.0, "cpu": None, "dram": 1.0}


@pytest.mark.parametrize("name", PEERS)
def test_a_tool_that_is_not_installed_is_absent(name, monkeypatch):
    monkeypatch.setitem(sys.modules, meter_class(name).package, None)
    assert "not installed" in absent_reason(meter_class(name)())


@pytest.mark.parametrize("name", PEERS)
def test_close_needs_no_open(name):
    meter = meter_class(name)()
    before = dict(vars(meter))
    meter.close()
    assert vars(meter) == before

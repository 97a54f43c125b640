"""Power sensors (hwmon, IPMI, batteries and adapters), with realistic file trees and command output."""

import time
from pathlib import Path

import pytest

from baler_energy.meters.hwmon import HwmonMeter
from baler_energy.meters.ipmi import IpmiMeter, parse_dcmi_w
from baler_energy.meters.power_supply import PowerSupplyMeter
from baler_energy.vocabulary import Evidence, Flag, Quantity

IPMITOOL = """
    Instantaneous power reading:                   220 Watts
    Minimum during sampling period:                 18 Watts
    Maximum during sampling period:                431 Watts
    Average power reading over sample period:      219 Watts
    IPMI timestamp:                           Tue Nov 24 13:00:00 2026
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated
"""
FREEIPMI = """Current Power                        : 163 Watts
Minimum Power over sampling duration : 29 watts
Power Measurement                    : Active
"""


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def window(meter, during=lambda: None, length_s: float = 0.1):
    """Measure a window; return its readings by component and quantity, and the flags."""
    meter.open()
    meter.begin()
    time.sleep(length_s / 2)
    during()
    time.sleep(length_s / 2)
    meter.end()
    readings = {(reading.component, reading.quantity): reading for reading in meter.readings()}
    flags = meter.flags()
    meter.close()
    return readings, flags


def channels(meter) -> dict[str, Evidence | None]:
    return {channel.component: channel.evidence for channel in meter.channels()}


BOARD = {
    "hwmon0/name": "power_meter",
    "hwmon0/power1_average": "150000000",
    "hwmon1/name": "amdgpu",
    "hwmon1/power1_average": "90000000",
    "hwmon1/power1_input": "95000000",
    "hwmon2/name": "amdgpu",
    "hwmon2/power1_input": "60000000",
    "hwmon3/name": "fam15h_power",
    "hwmon3/power1_input": "40000000",
    "hwmon4/name": "ina3221",
    "hwmon4/power1_input": "5000000",
    "hwmon4/power1_label": "VDD CPU/GPU",
    "hwmon4/power2_input": "2000000",
    "hwmon5/name": "coretemp",
    "hwmon5/temp1_input": "41000",
}


def test_the_chip_determines_what_an_hwmon_sensor_measures(tmp_path):
    meter = HwmonMeter(sample_interval_s=0.01, root=tree(tmp_path, BOARD))
    readings, flags = window(meter)
    length_s = meter._end_s - meter._begin_s
    watts = {name: r.value / length_s for (name, quantity), r in readings.items() if quantity is Quantity.ENERGY}
    assert watts == pytest.approx(
        {
            "node": 150.0, "gpu-0": 90.0, "gpu-1": 60.0, "gpu": 150.0, "package-0": 40.0, "cpu": 40.0,
            "rail-ina3221-vdd-cpu-gpu": 5.0, "rail-ina3221-power2": 2.0,
        }
    )  # fmt: skip
    assert all(reading.evidence is Evidence.MEASURED for reading in readings.values())
    assert flags == set()


@pytest.mark.parametrize("slow_ms", ["1000", "300000"])
def test_a_mean_over_minutes_is_not_read(tmp_path, slow_ms):
    """It would belong to what ran before the window."""
    files = {"hwmon0/name": "power_meter", "hwmon0/power1_average": "150000000"}
    files |= {"hwmon1/name": "amdgpu", "hwmon1/power1_average": "90000000", "hwmon1/power1_input": "95000000"}
    files |= {f"hwmon{n}/power1_average_interval": slow_ms for n in (0, 1)}
    root = tree(tmp_path, files)
    found = {channel.component: channel for channel in HwmonMeter(root=root).channels()}
    quick = slow_ms == "1000"
    assert (found["node"].evidence is not None) == quick
    assert quick or "power1_average_interval to 1000" in found["node"].detail
    assert found["gpu-0"].evidence is not None
    assert f"power1_{'average' if quick else 'input'}" in found["gpu-0"].detail


def test_rails_with_the_same_name_are_distinguished(tmp_path):
    files = {
        f"hwmon{n}/{name}": text for n in (0, 1) for name, text in (("name", "ina2xx"), ("power1_input", "1000000"))
    }
    assert set(channels(HwmonMeter(root=tree(tmp_path, files)))) == {"rail-ina2xx-power1", "rail-ina2xx-power1.1"}


def test_a_label_that_is_no_text_loses_no_sensor(tmp_path):
    (tree(tmp_path, BOARD) / "hwmon4/power2_label").write_bytes(b"5 \xb5W")
    assert {"node", "rail-ina3221-5-w"} <= set(channels(HwmonMeter(root=tmp_path)))


APU = {
    "hwmon7/name": "amdgpu",
    "hwmon7/power1_input": "28000000",
    "hwmon7/power1_label": "PPT",
    "hwmon7/in0_label": "vddgfx",
    "hwmon7/in1_input": "800",
    "hwmon7/in1_label": "vddnb",
}


def test_the_power_of_an_apu_is_no_gpus(tmp_path):
    """It includes the CPU, which RAPL measures too; a graphics card next to it is still a GPU."""
    assert set(channels(HwmonMeter(root=tree(tmp_path / "laptop", APU)))) == {"rail-amdgpu-ppt"}
    found = channels(HwmonMeter(root=tree(tmp_path / "both", BOARD | APU)))
    assert {name for name in found if name.startswith("gpu")} == {"gpu-0", "gpu-1", "gpu"}


def test_a_second_sensor_of_a_gpu_is_no_second_gpu(tmp_path):
    second = {"hwmon1/power2_average": "80000000", "hwmon1/power2_label": "fastPPT"}
    found = channels(HwmonMeter(root=tree(tmp_path, BOARD | second)))
    assert {name for name in found if name.startswith("gpu")} == {"gpu-0", "gpu-1", "gpu"}
    assert "rail-amdgpu-fastppt" in found


def test_two_sensors_of_the_node_are_none(tmp_path):
    second = {"hwmon6/name": "power_meter", "hwmon6/power1_average": "140000000"}
    meter = HwmonMeter(sample_interval_s=0.01, root=tree(tmp_path, BOARD | second))
    (node,) = [channel for channel in meter.channels() if channel.component == "node"]
    assert node.evidence is None and "hwmon6/power1_average" in node.detail
    assert ("node", Quantity.ENERGY) not in window(meter)[0]


@pytest.mark.parametrize("file", ["hwmon2/power1_input", "hwmon0/power1_average"])
def test_a_sensor_of_zero_watts_measures_nothing(tmp_path, file):
    found = channels(HwmonMeter(root=tree(tmp_path, BOARD | {file: "0"})))
    lost = {"gpu-1", "gpu"} if file.startswith("hwmon2") else {"node"}
    assert {name for name, evidence in found.items() if evidence is None} == lost


def test_a_rail_may_be_off(tmp_path):
    assert channels(HwmonMeter(root=tree(tmp_path, BOARD | {"hwmon4/power2_input": "0"})))["rail-ina3221-power2"]


@pytest.mark.parametrize("power_uw", ["0", "700000000", "4294967295000"])
def test_a_sensor_that_lies_for_a_while_has_no_energy(tmp_path, power_uw):
    root = tree(tmp_path, BOARD | {"hwmon1/power1_cap_max": "300000000"})
    file = root / "hwmon1" / "power1_average"
    meter = HwmonMeter(sample_interval_s=0.01, root=root)

    def during():
        file.write_text(power_uw)
        limit_s = time.monotonic() + 600
        while "gpu-0" not in meter._faults and time.monotonic() < limit_s:
            time.sleep(0.001)
        file.write_text("90000000")

    readings, flags = window(meter, during)
    for component in ("gpu-0", "gpu"):
        assert readings[component, Quantity.ENERGY].value is None and readings[component, Quantity.ENERGY].failed
    assert readings["node", Quantity.ENERGY].value > 0
    assert flags == {Flag.COUNTER_FAULT}


@pytest.mark.parametrize("content", [None, "garbage", "-5000000", ""])
def test_a_sensor_that_fails_half_way_has_no_energy_but_the_others_do(tmp_path, content):
    root = tree(tmp_path, BOARD)
    file = root / "hwmon1" / "power1_average"

    def fail() -> None:
        file.unlink() if content is None else file.write_text(content)

    readings, flags = window(HwmonMeter(sample_interval_s=0.01, root=root), fail)
    for component in ("gpu-0", "gpu"):
        assert readings[component, Quantity.ENERGY].value is None
        assert "gpu-0" in readings[component, Quantity.ENERGY].reason
    assert readings["gpu-1", Quantity.ENERGY].value > 0
    assert flags == {Flag.COUNTER_FAULT}


def test_an_unreadable_sensor_is_absent_and_so_is_its_sum(tmp_path):
    root = tree(tmp_path, BOARD | {"hwmon2/power1_input": "?"})
    found = channels(HwmonMeter(root=root))
    assert (found["gpu-1"], found["gpu"], found["gpu-0"]) == (None, None, Evidence.MEASURED)
    assert ("gpu", Quantity.ENERGY) not in window(HwmonMeter(sample_interval_s=0.01, root=root))[0]


def test_a_board_without_power_sensors_is_reported(tmp_path):
    (channel,) = HwmonMeter(root=tree(tmp_path, {"hwmon0/name": "coretemp"})).channels()
    assert channel.evidence is None
    assert "no power sensor" in channel.detail


@pytest.mark.parametrize(("text", "watts"), [(IPMITOOL, 220.0), (FREEIPMI, 163.0)])
def test_the_bmcs_answer_is_read(text, watts):
    assert parse_dcmi_w(text) == watts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no power reading"),
        ("DCMI request failed because: Invalid command (c1)", "no power reading"),
        (IPMITOOL.replace("220 Watts", "0 Watts"), "no power reading above 0 W"),
        (IPMITOOL.replace("activated", "deactivated"), "switched off"),
    ],
)
def test_a_bmc_that_does_not_measure_is_an_error_not_zero(text, message):
    with pytest.raises(ValueError, match=message):
        parse_dcmi_w(text)


def test_the_nodes_energy_is_the_bmcs_power_over_time(monkeypatch):
    monkeypatch.setattr("baler_energy.meters.ipmi._INTERVAL_S", 0.02)
    meter = IpmiMeter(read=lambda: IPMITOOL)
    readings, flags = window(meter)
    assert readings["node", Quantity.ENERGY].value == pytest.approx(220 * (meter._end_s - meter._begin_s))
    assert flags == set()
    answers = iter([IPMITOOL, IPMITOOL])
    readings, flags = window(IpmiMeter(read=lambda: next(answers, "BMC busy")))
    assert readings["node", Quantity.ENERGY].value is None
    assert "no power reading" in readings["node", Quantity.ENERGY].reason


BATTERY = {"BAT0/type": "Battery", "BAT0/status": "Discharging", "BAT0/power_now": "12500000"}
AC = {"AC/type": "Mains", "AC/online": "1", "AC/power_now": "45000000"}


@pytest.mark.parametrize(
    ("files", "watts"),
    [
        (BATTERY, 12.5),
        (BATTERY | {"BAT0/power_now": "-12500000"}, 12.5),
        (BATTERY | {"BAT0/power_now": "", "BAT0/current_now": "1000000", "BAT0/voltage_now": "11400000"}, 11.4),
        (BATTERY | {"BAT1/type": "Battery", "BAT1/status": "Discharging", "BAT1/power_now": "2500000"}, 15.0),
        (BATTERY | {"hid/type": "Battery", "hid/scope": "Device", "hid/status": "Discharging"}, 12.5),
        (AC | BATTERY | {"BAT0/status": "Full"}, 45.0),
        # A weak adapter: the battery gives the rest.
        (AC | BATTERY, 57.5),
        ({"AC/type": "Mains", "AC/online": "0"} | BATTERY, 12.5),
    ],
)
def test_the_machines_power_is_what_its_supplies_give(tmp_path, files, watts):
    meter = PowerSupplyMeter(root=tree(tmp_path, files))
    meter._interval_s = 0.01
    readings, _ = window(meter)
    energy_j = readings["node", Quantity.ENERGY].value
    assert energy_j / (meter._end_s - meter._begin_s) == pytest.approx(watts)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "neither a battery nor an AC adapter"),
        (BATTERY | {"BAT0/status": "Charging"}, "the battery is Charging"),
        (BATTERY | {"BAT0/status": "Full"}, "the battery is Full"),
        (BATTERY | {"BAT0/power_now": ""}, "neither its power nor its current"),
        (BATTERY | {"AC/type": "Mains", "AC/online": "1"}, "does not report its power"),
        (BATTERY | AC | {"BAT0/status": "Charging"}, "also charges the battery"),
        (BATTERY | AC | {"BAT0/power_now": ""}, "neither its power nor its current"),
        (
            {"AC/type": "Mains", "AC/online": "1", "USB/type": "USB", "USB/online": "1", "USB/power_now": "45000000"},
            "does not report its power",
        ),
    ],
)
def test_a_machine_on_mains_has_no_power_from_its_battery(tmp_path, files, reason):
    (channel,) = PowerSupplyMeter(root=tree(tmp_path, files)).channels()
    assert channel.evidence is None
    assert reason in channel.detail


def test_plugging_in_an_adapter_half_way_loses_the_energy(tmp_path):
    meter = PowerSupplyMeter(root=tree(tmp_path, BATTERY))
    meter._interval_s = 0.01
    readings, flags = window(meter, lambda: (tmp_path / "BAT0" / "status").write_text("Charging\n"))
    assert readings["node", Quantity.ENERGY].value is None
    assert "Charging" in readings["node", Quantity.ENERGY].reason
    assert flags == {Flag.COUNTER_FAULT}

"""The stage ``doctor``."""

import argparse
import json
import re

import pytest

from baler_energy.meters.base import Channel, Meter
from baler_energy.stages import doctor
from baler_energy.vocabulary import STUDY_METERS, Evidence, MeterName


class Meters(Meter):
    """A meter with given channels before and after opening."""

    def __init__(self, name, *channels, opened=None, error=None):
        self.name, self._channels, self._opened, self._error = name, channels, opened, error
        self.closed = False

    def channels(self):
        return self._channels

    def open(self):
        if self._error:
            raise self._error
        if self._opened:
            self._channels = self._opened

    def begin(self):
        raise AssertionError("the doctor measures nothing")

    def end(self):
        raise AssertionError("the doctor measures nothing")

    def close(self):
        self.closed = True


RAPL = Meters(MeterName.RAPL, Channel("cpu", None, "no permission to read it", "sudo chmod a+r it"))
MODEL = Meters(MeterName.CODECARBON, Channel("cpu", Evidence.MODELLED, "codecarbon's model"))


def test_absent_modelled_and_the_command_that_enables():
    text = doctor.report(doctor.diagnose([RAPL, MODEL]))
    lines = text.splitlines()
    assert any("rapl" in line and "absent" in line and "no permission" in line for line in lines)
    assert any("to enable it: sudo chmod a+r it" in line for line in lines)
    assert lines[-1].startswith("A study on this machine can only model energy, that of cpu (codecarbon), since no")


def test_a_meter_that_cannot_list_what_it_reads_is_reported():
    broken = Meters(MeterName.NVML)
    broken.channels = lambda: {}["driver"]
    text = doctor.report(doctor.diagnose([broken, MODEL]))
    assert "nvml could not list what it reads: 'driver'" in text
    assert "codecarbon's model" in text


def test_a_counter_makes_the_study_measured():
    gpu = Meters(MeterName.NVML, Channel("gpu", Evidence.MEASURED, "NVML energy counter"))
    findings = doctor.diagnose([RAPL, MODEL, gpu])
    assert findings["evidence"] == "measured"
    assert "will measure gpu (nvml)" in findings["conclusion"]
    assert gpu.closed


def test_process_counters_alone_give_no_energy():
    process = Meters(MeterName.PROCESS, Channel("process", Evidence.MEASURED, "CPU time", energy=False))
    findings = doctor.diagnose([RAPL, process])
    assert findings["evidence"] is None
    assert "will report no energy" in findings["conclusion"]


def test_what_is_known_only_after_opening_is_shown():
    opened = (Channel("cpu", Evidence.MODELLED, "a TDP of 8 W"),)
    late = Meters(MeterName.CODECARBON, Channel("cpu", Evidence.MODELLED, "not yet started"), opened=opened)
    assert doctor.diagnose([late])["meters"][0]["detail"] == "a TDP of 8 W"


def test_a_meter_that_does_not_open_is_absent():
    broken = Meters(MeterName.CODECARBON, Channel("cpu", Evidence.MODELLED, "model"), error=RuntimeError("no start"))
    (line,) = doctor.diagnose([broken])["meters"]
    assert line["evidence"] is None
    assert "no start" in line["detail"]


def test_a_meter_that_does_not_close_ends_no_report(monkeypatch):
    def close(self):
        raise PermissionError("sudo's child")

    monkeypatch.setattr(Meters, "close", close)
    meters = [Meters(MeterName.CODECARBON, Channel("cpu", Evidence.MODELLED, "a TDP")) for _ in range(2)]
    assert [line["detail"] for line in doctor.diagnose(meters)["meters"]] == ["a TDP"] * 2


@pytest.mark.parametrize(
    ("governor", "turbo", "words"),
    [
        ("powersave", True, ["cpupower", "no_turbo"]),
        ("performance", False, ["off"]),
        (None, None, ["virtual machines"]),
    ],
)
def test_governor_and_turbo_with_the_commands(governor, turbo, words):
    findings = doctor.diagnose([RAPL])
    findings["machine"] |= {"governor": governor, "turbo": turbo}
    text = doctor.report(findings)
    assert all(word in text for word in words)


def test_this_machine_as_text_and_as_json(capsys):
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    doctor.run(parser.parse_args(["--json"]))
    findings = json.loads(capsys.readouterr().out)
    assert {line["meter"] for line in findings["meters"]} == {str(name) for name in STUDY_METERS}
    doctor.run(parser.parse_args([]))
    assert re.search("A study on this machine (will measure|can only model|will report no)", capsys.readouterr().out)

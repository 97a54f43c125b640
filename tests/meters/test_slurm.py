"""SLURM's counter as a meter, with fake sstat and scontrol."""

import pytest

from baler_energy.meters.session import Session
from baler_energy.meters.slurm import SlurmMeter
from baler_energy.vocabulary import Evidence, Flag, Quantity

CONFIGURATION = """Configuration data as of 2026-11-25T12:00:00
AcctGatherEnergyType    = acct_gather_energy/ipmi
AcctGatherNodeFreq      = 0 sec
AcctGatherProfileType   = (null)
JobAcctGatherFrequency  = task=30,energy=5
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Return a function that sets the clients' output; sstat returns the next of the counts at each query."""

    def make(counts=(), configuration=CONFIGURATION):
        (tmp_path / "configuration").write_text(configuration)
        (tmp_path / "counts").write_text("".join(f"{count}\n" for count in counts))
        scontrol = f"#!/bin/sh\nexec cat {tmp_path}/configuration\n"
        sstat = (
            f'#!/bin/sh\ncd {tmp_path}\necho "$@" >> asked\nhead -n 1 counts\n'
            "tail -n +2 counts > left\nmv left counts\n"
        )
        for name, script in (("scontrol", scontrol), ("sstat", sstat)):
            (tmp_path / name).write_text(script)
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setenv("SLURM_JOB_ID", "12")
        monkeypatch.setenv("SLURM_STEP_ID", "0")
        return SlurmMeter()

    return make


@pytest.fixture(autouse=True)
def _fresh_answers(monkeypatch):
    """Assume recent values, so that windows of tenths of a second are long enough."""
    monkeypatch.setattr("baler_energy.meters.slurm._CACHE_S", 0.01)
    monkeypatch.setattr("baler_energy.meters.slurm._TICK_S", 0.01)


def window(meter, settings):
    with Session([meter], settings(min_window_s=0.4)) as session:
        outcome = session.run(lambda: None)
    (energy,) = [reading for reading in outcome.readings if reading.quantity is Quantity.ENERGY]
    return energy, outcome


def test_the_energy_is_the_difference_of_both_queries(cluster, settings, tmp_path):
    energy, _ = window(cluster([1000, 1150]), settings)
    assert (energy.value, energy.component, energy.evidence) == (150.0, "node", Evidence.MEASURED)
    assert "from ipmi: the whole node" in energy.detail
    assert 0 < energy.bound < 150
    assert (tmp_path / "asked").read_text().splitlines()[0].endswith("--jobs 12.0")


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ((1000, 1000), "did not move"),
        (("", ""), "no energy for step 12.0"),
        ((18446744073709551614, 18446744073709551614), "no energy for step 12.0"),
    ],
)
def test_an_invalid_energy_is_null_with_the_reason_but_not_a_fault_of_the_run(cluster, settings, counts, reason):
    energy, outcome = window(cluster(counts), settings)
    assert energy.value is None and reason in energy.reason
    assert Flag.MODELLED_ONLY in outcome.flags and Flag.COUNTER_FAULT not in outcome.flags


def test_a_window_shorter_than_the_age_of_a_value_has_no_energy(cluster, settings, monkeypatch):
    monkeypatch.setattr("baler_energy.meters.slurm._CACHE_S", 10.0)
    energy, _ = window(cluster([1000, 1150]), settings)
    assert energy.value is None and "raise measurement.min_window_s" in energy.reason


@pytest.mark.parametrize(
    ("kind", "component"),
    [("pm_counters", "node"), ("xcc", "node"), ("rapl", "rail-slurm-rapl"), ("gpu", "rail-slurm-gpu")],
)
def test_the_source_determines_what_the_energy_covers(cluster, kind, component):
    """RAPL's energy is not the node's, which also includes everything outside packages and DRAM."""
    (channel,) = cluster(configuration=CONFIGURATION.replace("ipmi", kind)).channels()
    assert channel.component == component and channel.evidence is Evidence.MEASURED


def test_a_mixture_of_sources_is_not_read(cluster):
    (channel,) = cluster(configuration=CONFIGURATION.replace("ipmi", "ipmi,acct_gather_energy/gpu")).channels()
    assert channel.evidence is None and "is unknown" in channel.detail


@pytest.mark.parametrize("kind", ["acct_gather_energy/none", "(null)"])
def test_a_cluster_that_records_no_energy_is_absent_with_the_remedy(cluster, kind):
    meter = cluster(configuration=CONFIGURATION.replace("acct_gather_energy/ipmi", kind))
    (channel,) = meter.channels()
    assert channel.evidence is None and "AcctGatherEnergyType is none" in channel.detail
    assert "slurm.conf" in channel.remedy


def test_outside_slurm_nothing_is_queried(cluster, monkeypatch, tmp_path):
    meter = cluster()
    monkeypatch.delenv("SLURM_JOB_ID")
    assert meter.channels()[0].evidence is None
    assert not (tmp_path / "asked").exists()


def test_without_clients_it_is_absent(cluster, monkeypatch):
    meter = cluster()
    monkeypatch.setenv("PATH", "")
    assert meter.channels()[0].detail == "scontrol was not found"
    meter.begin()
    meter.end()
    assert meter._edges[0].reason == "sstat was not found"


@pytest.mark.parametrize(
    ("changes", "age_s"),
    [
        ({}, 0.01),
        ({"= 0 sec": "= 20 sec"}, 20),
        ({"profile": "hdf5", "(null)": "acct_gather_profile/hdf5"}, 5),
        ({"ipmi": "pm_counters", "= 0 sec": "= 20 sec"}, 0.01),
    ],
)
def test_the_age_of_a_value_depends_on_the_cluster(cluster, changes, age_s):
    configuration = CONFIGURATION
    for old, new in changes.items():
        configuration = configuration.replace(old, new)
    assert f"up to {age_s:g} s old" in cluster(configuration=configuration).channels()[0].detail

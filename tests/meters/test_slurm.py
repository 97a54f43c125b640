"""SLURM's counter as a meter, asked through stand-ins of its clients."""

import pytest

from baler_energy.errors import UnavailableError
from baler_energy.meters.session import Session
from baler_energy.meters.slurm import SlurmMeter
from baler_energy.vocabulary import Evidence, Flag, Quantity

CONFIGURATION = """Configuration data as of 2026-11-25T12:00:00
AcctGatherEnergyType    = acct_gather_energy/ipmi
AcctGatherNodeFreq      = 10 sec
JobAcctGatherFrequency  = task=30,energy=5
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Return a function that sets what the clients say; sstat gives one of the counts at each question."""

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


def window(meter, settings):
    with Session([meter], settings(min_window_s=0.2)) as session:
        outcome = session.run(lambda: None)
    (energy,) = [reading for reading in outcome.readings if reading.quantity is Quantity.ENERGY]
    return energy, outcome


def test_the_energy_is_the_difference_of_both_answers(cluster, settings, tmp_path):
    energy, outcome = window(cluster([1000, 1150]), settings)
    assert (energy.value, energy.component, energy.evidence) == (150.0, "node", Evidence.MEASURED)
    assert "from ipmi" in energy.detail and "10 s" in energy.detail
    assert energy.bound > 150 * 10 / outcome.window.duration_s * 0.5
    assert (tmp_path / "asked").read_text().splitlines()[0].endswith("--jobs 12.0")


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ((1000, 1000), "did not move"),
        (("", ""), "no energy of step 12.0"),
        ((18446744073709551614, 18446744073709551614), "no energy of step 12.0"),
    ],
)
def test_what_is_no_energy_is_null_with_the_reason(cluster, settings, counts, reason):
    energy, outcome = window(cluster(counts), settings)
    assert energy.value is None and reason in energy.reason
    assert Flag.MODELLED_ONLY in outcome.flags


@pytest.mark.parametrize("kind", ["acct_gather_energy/none", "(null)"])
def test_a_cluster_that_gathers_none_is_absent_with_the_remedy(cluster, kind):
    meter = cluster(configuration=CONFIGURATION.replace("acct_gather_energy/ipmi", kind))
    (channel,) = meter.channels()
    assert channel.evidence is None and "AcctGatherEnergyType is none" in channel.detail
    assert "slurm.conf" in channel.remedy


def test_outside_of_slurm_nothing_is_asked(cluster, monkeypatch, tmp_path):
    meter = cluster()
    monkeypatch.delenv("SLURM_JOB_ID")
    assert meter.channels()[0].evidence is None
    assert not (tmp_path / "asked").exists()


def test_without_clients_it_is_absent(cluster, monkeypatch):
    meter = cluster()
    monkeypatch.setenv("PATH", "")
    assert meter.channels()[0].detail == "there is no scontrol here"
    with pytest.raises(UnavailableError, match="there is no sstat here"):
        meter.begin()


@pytest.mark.parametrize(
    ("node", "job", "interval"), [("0 sec", "30", "30 s"), ("0 sec", "task=30,energy=5", "5 s"), ("0 sec", "0", "0 s")]
)
def test_the_interval_is_the_clusters(cluster, node, job, interval):
    configuration = CONFIGURATION.replace("10 sec", node).replace("task=30,energy=5", job)
    assert f"every {interval}" in cluster(configuration=configuration).channels()[0].detail

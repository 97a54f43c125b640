"""`baler-energy doctor --slurm` with stand-ins for SLURM's clients, whose jobs run at once or never."""

import json

import pytest

from baler_energy import cli
from baler_energy.stages import doctor_slurm
from baler_energy.stages.doctor_slurm import requests

SINFO = "cpu|up|(null)\ngpu|up|(null)\ngpu|up|gpu:a100:4\nold|down|(null)\n"
PROGRAMS = {
    "sinfo": "cat {folder}/sinfo",
    # The tests provide the jobs' output; `refused` is a partition that rejects this user's jobs.
    "sbatch": 'echo "$@" >> {folder}/submitted\n'
    'case "$*" in *refused*) echo "sbatch: error: Invalid account" >&2; exit 1;; esac\n'
    "if [ -x {folder}/job ]; then {folder}/job; else sh; fi > {folder}/log 2>&1\n"
    "wc -l < {folder}/submitted",
    "squeue": "cat {folder}/queue",
    "scancel": 'echo "$@" >> {folder}/cancelled',
    "scontrol": "echo 'JobId=1 NumCPUs=2 OverSubscribe=NO'",
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    (tmp_path / "sinfo").write_text(SINFO)
    (tmp_path / "queue").write_text("")
    for name, script in PROGRAMS.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + script.format(folder=tmp_path) + "\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setattr("baler_energy.stages.doctor_slurm._LATENCY_S", 0.1)
    monkeypatch.setattr("baler_energy.stages.doctor_slurm._POLL_S", 0.1)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


def doctor(*words):
    return cli.main(["doctor", "--slurm", *words])


def test_each_partition_answers_and_is_asked_as_a_measured_job_would_be(cluster, capsys):
    assert doctor("--account", "phys") == 0
    said = capsys.readouterr().out
    assert said.count("Partition ") == 2 and "Partition old" not in said
    assert said.count("exclusive  yes") == 2
    assert said.count("modelled   cpu (codecarbon), ram (codecarbon)") == 2
    cpu, gpu = (cluster / "submitted").read_text().splitlines()
    for words in (cpu, gpu):
        assert "--exclusive" in words and "--time=1" in words and "--account=phys" in words
    assert "--gres" not in cpu and "--gres=gpu:1" in gpu
    assert list((cluster / "work").iterdir()) == []


def test_json_is_for_programs(cluster, capsys):
    assert doctor("--json", "--partition", "cpu") == 0
    answers = json.loads(capsys.readouterr().out)
    assert list(answers) == ["cpu"]
    assert answers["cpu"]["slurm"]["exclusive"] is True
    assert {line["meter"] for line in answers["cpu"]["meters"]} >= {"rapl", "nvml", "slurm", "codecarbon"}


def test_a_partition_that_refuses_or_fails_has_a_reason_and_the_others_answer(cluster, capsys):
    (cluster / "sinfo").write_text(SINFO + "refused|up|(null)\n")
    assert doctor() == 0
    said = capsys.readouterr().out
    assert "Partition refused\n  no answer: sbatch failed: sbatch: error: Invalid account" in said
    assert said.count("exclusive  yes") == 2
    (cluster / "job").write_text("#!/bin/sh\nexit 3\n")
    (cluster / "job").chmod(0o755)
    assert doctor("--partition", "cpu") == 0
    assert "its job left no answer; its log ends: empty" in capsys.readouterr().out


def test_the_log_of_a_node_may_have_any_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_slurm, "_LATENCY_S", 0.0)
    (tmp_path / "cpu.log").write_bytes(b"caf\xe9: not found\n")
    assert doctor_slurm._answer(tmp_path / "cpu.json", None)["reason"].endswith("caf\ufffd: not found")


def test_a_job_that_pends_for_too_long_is_cancelled(cluster, capsys):
    (cluster / "job").write_text("#!/bin/sh\n")
    (cluster / "job").chmod(0o755)
    (cluster / "queue").write_text("1|PENDING|Resources\n")
    assert doctor("--partition", "cpu", "--wait-s", "0.3") == 0
    assert "its job had not ended after 0.3 s (PENDING: Resources)" in capsys.readouterr().out
    assert (cluster / "cancelled").read_text().split() == ["--quiet", "1"]


def test_an_unknown_partition_and_a_machine_without_slurm_are_refused(cluster, capsys, monkeypatch):
    assert doctor("--partition", "nowhere") == 2
    assert "Available: cpu, gpu." in capsys.readouterr().err
    monkeypatch.setenv("PATH", "/nowhere")
    assert doctor() == 3
    assert "login node" in capsys.readouterr().err


def test_requests_list_what_is_missing():
    gpu = {"index": 1, "accounting": False}
    rapl = {"meter": "rapl", "detail": "not readable", "evidence": None, "remedy": "sudo chmod a+r"}
    codecarbon = {"meter": "codecarbon", "detail": "model", "evidence": "modelled", "remedy": None}
    answer = {"slurm": {"exclusive": False, "gpus": 1}, "meters": [rapl, codecarbon], "machine": {"gpus": [gpu]}}
    alone, counters, accounting = requests(answer)
    assert "was not granted" in alone
    assert counters == "rapl (not readable): sudo chmod a+r"
    assert "sudo nvidia-smi -i 1 --accounting-mode=1" in accounting
    bare = {"slurm": {"exclusive": True, "gpus": 2}, "meters": [], "machine": {"gpus": []}}
    assert requests(bare) == ["the GPU driver: the job was given a GPU, but NVML shows none"]

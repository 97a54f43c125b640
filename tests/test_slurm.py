"""Properties of a job from its environment and the controller, faked with output of several versions."""

import pytest

from baler_energy import slurm
from baler_energy.provenance import provenance

ENVIRONMENT = {
    "SLURM_JOB_ID": "20",
    "SLURMD_NODENAME": "g1",
    "SLURM_JOB_PARTITION": "gpu",
    "SLURM_CLUSTER_NAME": "ci",
    "SLURM_CPUS_ON_NODE": "4",
    "SLURM_GPUS_ON_NODE": "2",
    "SLURM_MEM_PER_NODE": "8000",
    "SLURM_RESTART_COUNT": "1",
}
#: From SLURM 22.05, where TRES does not list GPUs.
OLD = (
    "JobId=20 JobName=x NumNodes=1 NumCPUs=2 NumTasks=1 CPUs/Task=2 TRES=cpu=2,mem=1.5G,node=1,billing=2 "
    "JOB_GRES=gpu:fake:1   Nodes=g1 CPU_IDs=0-1 Mem=1536 GRES=gpu:fake:1(IDX:0) OverSubscribe=NO Comment=rule_train"
)
NEW = (
    "JobId=20 JobName=x NumNodes=1 NumCPUs=8 ReqTRES=cpu=1,mem=1M AllocTRES=cpu=8,mem=4000M,node=1,gres/gpu=3 "
    "Nodes=g1 CPU_IDs=0-7 Mem=4000 GRES=gpu:a100:2(IDX:0-1),gpu:v100:1(IDX:2) OverSubscribe=OK"
)


@pytest.fixture
def controller(tmp_path, monkeypatch):
    def make(script):
        path = tmp_path / "scontrol"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (OLD, {"cpus": 2, "gpus": 1, "memory_bytes": 1536 * 2**20, "exclusive": True}),
        (NEW, {"cpus": 8, "gpus": 3, "memory_bytes": 4000 * 2**20, "exclusive": False}),
        (NEW.split(" GRES=")[0] + " GRES= OverSubscribe=USER", {"gpus": 0, "exclusive": False}),
        # Since SLURM 26.05, OverSubscribe=NO is no longer sufficient.
        (OLD.replace("OverSubscribe=NO", "OverSubscribe=NO Exclusive=NO"), {"exclusive": False}),
        (NEW.replace("OverSubscribe=OK", "OverSubscribe=NO Exclusive=NODE"), {"exclusive": True}),
        ("JobId=20", {"cpus": 4, "gpus": 2, "memory_bytes": 8000 * 2**20, "exclusive": None}),
    ],
)
def test_the_allocation_comes_from_the_controller(controller, shown, expected):
    controller(f"echo '{shown}'")
    job = slurm.job(ENVIRONMENT)
    assert expected.items() <= job.items()
    assert {"job_id": "20", "node": "g1", "partition": "gpu", "cluster": "ci", "restarts": 1}.items() <= job.items()
    assert job["reason"] is None


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1", "Unable to contact"),
        ("sleep 5", "did not answer within"),
    ],
)
def test_without_an_answer_of_the_controller_the_environment_is_used(controller, monkeypatch, script, reason):
    monkeypatch.setattr(slurm.ask, "__kwdefaults__", slurm.ask.__kwdefaults__ | {"limit_s": 0.3})
    controller(script)
    job = slurm.job(ENVIRONMENT)
    assert job["exclusive"] is None and reason in job["reason"]
    assert (job["cpus"], job["gpus"], job["memory_bytes"]) == (4, 2, 8000 * 2**20)


def test_without_a_client_or_a_job(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert slurm.job({"SLURM_JOB_ID": "3"})["reason"] == "scontrol was not found"
    assert slurm.job({"SLURM_JOB_ID": "3"})["memory_bytes"] is None
    assert slurm.job({}) is None and slurm.step({}) is None
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert provenance("train")["slurm"] is None


@pytest.mark.parametrize(
    ("number", "name"), [("0", "7.0"), ("4294967291", "7.batch"), ("4294967290", "7.interactive"), (None, "7.batch")]
)
def test_the_step_has_a_name(number, name):
    assert slurm.step({"SLURM_JOB_ID": "7"} | ({} if number is None else {"SLURM_STEP_ID": number})) == name

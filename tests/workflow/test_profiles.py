"""The two profiles, the resources of each job on a cluster, and Snakemake's own checks."""

import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from rule_names import ALONE, DATA, DOWNSTREAM, OF_A_POINT
from snakemake.scheduling.job_scheduler import JobScheduler

#: Threads of rules that are not measured and use several.
THREADS = {"collect": "8"}


def profile(repository: Path, name: str) -> dict:
    return yaml.safe_load((repository / "profiles" / name / "config.yaml").read_text())


def jobs(said: str) -> dict[str, list[dict[str, str]]]:
    """Resources and threads of the jobs of a dry run, by rule."""
    found: dict[str, list[dict[str, str]]] = {}
    # Jobs of a group are indented.
    for _, rule, block in re.findall(
        r"^( *)(?:localrule|rule|checkpoint) (\w+):\n((?:\1    .+\n)*)", said, flags=re.MULTILINE
    ):
        threads = re.search(r"^ +threads: (\d+)", block, flags=re.MULTILINE)
        resources = re.search(r"^ +resources: (.+)$", block, flags=re.MULTILINE)
        assert resources is not None or rule == "all"
        pairs = re.findall(r"(\w+)=([^,]+)", resources[1] if resources else "")
        found.setdefault(rule, []).append(dict(pairs) | {"threads": threads[1] if threads else "1"})
    return found


def test_the_default_profile_takes_nothing_from_slurms(repository):
    default, slurm = profile(repository, "default"), profile(repository, "slurm")
    assert not set(default) & set(slurm)
    own = {"keep-going": True, "rerun-incomplete": True, "force-use-threads": True, "show-failed-logs": True}
    assert default == own


def test_slurm_resolves_the_resources_of_every_job(workspace):
    axes = {"rows": [400], "epochs": [1], "device": ["cpu", "cuda"]}
    study = workspace.study(axes=axes, profile={"points": [{}]}, peers={"tools": ["zeus"], "points": [{}]})
    done = workspace.run("snakemake", "--profile", "slurm", "--configfile", study, "--dry-run")
    assert done.returncode == 0, done.stdout
    found = jobs(done.stdout)
    assert set(found) >= ALONE | DATA | OF_A_POINT | DOWNSTREAM
    for rule, resources in ((rule, r) for rule, all_of in found.items() if rule != "all" for r in all_of):
        if rule == "study":
            continue  # a local rule
        assert int(resources["mem_mb"]) >= 1000, rule
        assert int(resources["runtime"]) >= 15, rule
        gpu = resources.get("gpu") == "1"
        assert resources["slurm_partition"] == ("gpu" if gpu else "cpu"), rule
        assert (resources.get("slurm_extra") == "--exclusive") == (rule in ALONE), rule
        assert resources["threads"] == THREADS.get(rule, "16" if rule in ALONE else "1"), rule
    assert sorted(r.get("gpu") == "1" for r in found["train"]) == [False, True]


def test_the_profiles_of_clusters_name_the_same_rules_and_settings(repository):
    slurm, htcondor = (profile(repository, name) for name in ("slurm", "htcondor"))
    assert not set(profile(repository, "default")) & set(htcondor)
    assert htcondor["executor"] == "htcondor" and (repository / "htcondor" / "config.yaml").is_file()
    for name in ("set-resources", "set-threads"):
        assert set(slurm[name]) == set(htcondor[name])
    for name in ("max-threads", "jobs", "cores", "retries", "latency-wait"):
        assert slurm[name] == htcondor[name]
    assert set(htcondor["set-resources"]) >= ALONE


def test_htcondor_resolves_the_resources_of_every_job(workspace):
    if find_spec("snakemake_executor_plugin_htcondor") is None:
        pytest.skip("snakemake-executor-plugin-htcondor is not installed: requirements/htcondor.txt")
    axes = {"rows": [400], "epochs": [1], "device": ["cpu", "cuda"]}
    study = workspace.study(axes=axes, profile={"points": [{}]}, peers={"tools": ["zeus"], "points": [{}]})
    done = workspace.run("snakemake", "--profile", "htcondor", "--configfile", study, "--dry-run")
    assert done.returncode == 0, done.stdout
    found = jobs(done.stdout)
    assert set(found) >= ALONE | DATA | OF_A_POINT | DOWNSTREAM
    for rule, resources in ((rule, r) for rule, all_of in found.items() if rule != "all" for r in all_of):
        if rule == "study":
            continue  # a local rule
        assert resources["getenv"] == "True"
        assert int(resources["htcondor_request_mem_mb"]) >= 4000, rule
        assert int(resources["classad_MaxRuntime"]) >= 3600, rule
        assert (resources.get("requirements") == "TARGET.TotalCpus == MY.RequestCpus") == (rule in ALONE), rule
        assert resources.get("request_gpus", "0") == resources.get("gpu", "0"), rule
        assert resources["threads"] == THREADS.get(rule, "16" if rule in ALONE else "1"), rule
    assert sorted(r["request_gpus"] for r in found["train"]) == ["0", "1"]


def test_plain_profile_and_local_dry_runs_work_from_the_root(workspace):
    for words in (["--cores", "all"], ["--profile", "slurm"]):
        done = workspace.run("snakemake", "--dry-run", *words)
        assert done.returncode == 0, done.stdout
        assert "jets" in done.stdout


def test_a_measured_job_claims_every_core(workspace):
    found = jobs(workspace.snakemake(workspace.study(), "--dry-run", "--cores", "2"))
    assert {r["threads"] for rule in ALONE & set(found) for r in found[rule]} == {"2"}


def test_data_are_made_before_anything_is_measured(workspace):
    said = workspace.snakemake(workspace.study(), "--dry-run")
    blocks = re.findall(r"^(?:localrule|rule|checkpoint) (\w+):\n((?:    .+\n)*)", said, flags=re.MULTILINE)
    found = {rule: re.search(r"^    priority: (\d+)", block, flags=re.MULTILINE) for rule, block in blocks}
    priorities = {rule: int(one[1]) if one else 0 for rule, one in found.items()}
    data = [priorities.pop(rule) for rule in DATA]
    assert min(data) > max(priorities.values())


@pytest.mark.parametrize("method", ["conda", "env-modules"])
def test_a_deployment_method_without_effect_is_named(workspace, method):
    words = ["--dry-run", "--cores", "1", "--software-deployment-method", method, "--configfile"]
    done = workspace.run("snakemake", *words, workspace.study())
    assert done.returncode == 0, done.stdout
    assert f"The deployment method {method} has no effect" in done.stdout


def test_the_rate_limiter_that_the_snakefile_switches_off_is_still_snakemakes():
    source = inspect.getsource(JobScheduler)
    assert "self._schedule_reevalutation(self.job_rate_limiter.timespan)" in source, (
        "Snakemake has changed its scheduler: see whether the Snakefile's remedy for its timers is still needed"
    )

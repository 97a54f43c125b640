"""The CPUs that a process may use: affinity and the quota of its container."""

import os

import pytest

from baler_energy import cores


def groups(folder, own: str, **files: str):
    """Write a process's list of groups, and files of control groups by path; return both places."""
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (folder / "own").write_text(own)
    return folder / "own", folder / "cgroup"


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "200000 100000"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {}, None),
        ("", {}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "50000 100000"}, 0.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000", "cpu.max": "max"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000"}, 3.0),
        ("0::/../../job\n", {"cpu.max": "200000 100000"}, 2.0),  # seen from another namespace
        ("0::/a\n", {"cpu.max": "garbage"}, None),
        ("0::/a\n", {"cpu.max": "100000 0"}, None),
        (
            "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n",  # its own group is the root that it sees
            {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            2.5,
        ),
        ("2:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, 3.0),
        ("2:cpuacct,cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, 3.0),
        ("2:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("2:cpuset:/\n", {"cpuset/cpu.cfs_quota_us": "100000", "cpuset/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_the_quota_is_the_smallest_of_a_process_and_the_groups_above_it(tmp_path, own, files, quota):
    assert cores.cpu_quota(*groups(tmp_path, own, **files)) == quota


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert cores.cpu_quota(tmp_path / "none", tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "cpus", "threads"), [(None, 16, 7), (4.0, 4, 3), (2.5, 2, 1), (0.5, 1, 1), (64.0, 16, 7)]
)
def test_automatic_threads_follow_the_quota(monkeypatch, quota, cpus, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.setattr(cores.psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert (cores.allowed_cpus(), cores.default_threads()) == (cpus, threads)

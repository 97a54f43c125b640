"""The doctor of a cluster, on a real one."""

import json


def test_a_node_of_each_partition_answers(make_site):
    workspace = make_site().workspace
    done = workspace.run("baler_energy.cli", "doctor", "--slurm", "--json")
    assert done.returncode == 0, done.stdout
    answers = json.loads(done.stdout)
    assert {name: answer["slurm"]["node"][0] for name, answer in answers.items()} == {"cpu": "c", "gpu": "g"}
    assert [answer["slurm"]["exclusive"] for answer in answers.values()] == [True, True]
    assert {name: answer["slurm"]["gpus"] for name, answer in answers.items()} == {"cpu": 0, "gpu": 1}
    assert not list(workspace.root.glob(".baler-energy-doctor*"))
    counters = [meter for answer in answers.values() for meter in answer["meters"] if meter["meter"] == "slurm"]
    assert [(meter["component"], meter["evidence"]) for meter in counters] == [("node", "measured")] * 2

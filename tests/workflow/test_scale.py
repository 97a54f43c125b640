"""What a large grid asks of a file system and of Snakemake: few files, folders of each job's own, short commands."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

AXES = {"rows": [400], "epochs": [1, 2, 3], "batch_size": [64, 128]}
#: Outputs and logs of a point: of train, compress, decompress and evaluate.
FILES_PER_POINT = 17


@pytest.fixture(scope="module")
def jobs(workspace):
    """Rule and files (outputs and log) of each job of a dry run."""
    said = workspace.snakemake(workspace.study(axes=AXES), "--dry-run")
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .+\n)*)", said, flags=re.MULTILINE)
    found = []
    for rule, block in blocks:
        files = [re.search(rf"^    {key}: (.+)$", block, flags=re.MULTILINE) for key in ("output", "log")]
        found.append((rule, [Path(name) for match in files if match for name in match[1].split(", ")]))
    return found


def test_a_point_makes_few_files(jobs):
    points = Counter(
        str(file).split("/toy/")[1].split("/repeat~0")[0]
        for rule, files in jobs
        if rule in ("train", "compress", "decompress", "evaluate")
        for file in files
    )
    assert len(points) == 6 and set(points.values()) == {FILES_PER_POINT}


def test_no_job_writes_into_anothers_folder(jobs):
    folders = [
        (number, file.parent)
        for number, (_, files) in enumerate(jobs)
        for file in files
        if file.parts[2] in ("runs", "profiles", "peers", "figures")
    ]
    owners: dict[Path, set[int]] = {}
    for number, folder in folders:
        owners.setdefault(folder, set()).add(number)
    # The chapters' figures are folders themselves, side by side.
    owners.pop(Path("results/tiny/figures"), None)
    assert len(owners) == 6 * 4 and all(len(numbers) == 1 for numbers in owners.values())
    assert not [(a, b) for a, b in combinations(owners, 2) if a in b.parents or b in a.parents]


def test_no_command_grows_with_the_grid(workspace):
    lengths = []
    for batch_sizes in ([64], list(range(64, 80))):
        study = workspace.study(axes=AXES | {"batch_size": batch_sizes})
        said = workspace.snakemake(study, "--dry-run", "--printshellcmds")
        lengths.append(max(map(len, re.findall(r"baler-energy (?:collect|figures|tables|report) .+", said))))
    assert lengths[0] == lengths[1] < 1000

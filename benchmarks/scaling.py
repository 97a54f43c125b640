"""Time and memory of planning, collecting and drawing against the number of points, for docs/scaling.md.

    python benchmarks/scaling.py --points 1000 3000 10000 33334 --folder /scratch

Runs one tiny point for real, and makes a study of each size from its records, with different numbers in them and links
to its other files. For each step, prints the time, the largest resident memory of its largest process, and the exponent
of the time between the last two sizes (1: linear). Needs 40 kB and 13 files per point.
"""

import argparse
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
COPIED = ("Snakefile", "workflow", "profiles", "config", "src")
OPERATIONS = ("train", "compress", "decompress")
LINKED = {
    "train": ("samples.parquet", "history.parquet", "checkpoint.pt"),
    "compress": ("samples.parquet", "table.baler"),
    "decompress": ("samples.parquet", "reconstructed.npz"),
    "evaluate": ("errors.parquet", "histograms.parquet", "summary.json"),
}
MEASUREMENT = {
    "meters": ["codecarbon", "process"],
    "min_window_s": 0.2,
    "idle_s": 0.2,
    "idle_lifetime_s": 3600,
    "sample_interval_s": 0.05,
    "calibrate_s": 1,
}
REPEATS = 3


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--folder", type=Path, help="for the studies; default: the system's temporary folder")
    args = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    sizes = []
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        template = real_point(Path(name, "template"))
        for wanted in args.points:
            folder = Path(name, str(wanted))
            sizes.append(write_study(folder, wanted))
            found.setdefault("dry run of all", []).append(measured(folder, *snakemake("--dry-run", "--quiet", "all")))
            write_records(folder, template)
            for step, words in steps(folder).items():
                found.setdefault(step, []).append(measured(folder, *words))
            found.setdefault("touch", []).append(measured(folder, *snakemake("--touch", "--quiet", "all")))
            found.setdefault("dry run, no change", []).append(
                measured(folder, *snakemake("--dry-run", "--quiet", "all"))
            )
            shutil.rmtree(folder)
    print(f"| step | {' | '.join(f'{size:,} points' for size in sizes)} | exponent |")
    print("|---" * (len(sizes) + 2) + "|")
    for step, values in found.items():
        cells = [f"{duration_s:.1f} s, {memory_b / 1e6:.0f} MB" for duration_s, memory_b in values]
        print(f"| {step} | {' | '.join(cells)} | {exponent(sizes, [value[0] for value in values])} |")


def exponent(sizes: list[int], durations_s: list[float]) -> str:
    """Return the exponent of the time between the last two sizes."""
    if len(sizes) < 2:
        return ""
    return f"{math.log(durations_s[-1] / durations_s[-2]) / math.log(sizes[-1] / sizes[-2]):.2f}"


def snakemake(*words: str) -> list[str]:
    """Return the command of a run in a study's folder."""
    return [sys.executable, "-m", "snakemake", "--cores", "1", *words, "--configfile", "study.yaml"]


def steps(folder: Path) -> dict[str, list[str]]:
    """Return the commands of the steps after the runs."""
    from baler_energy.variants import CHAPTERS

    results = Path("results", "scale")
    tool = [sys.executable, "-m", "baler_energy.cli"]
    study = ["--study", str(results / "study.yaml"), "--results", str(results)]
    dataset = str(results / "dataset")
    processes = ["--processes", str(os.cpu_count())]
    commands = {"collect": [*tool, "collect", *study, "--out", dataset, *processes]}
    for chapter in CHAPTERS:
        out = str(results / "figures" / chapter)
        commands[f"figures, {chapter}"] = [*tool, "figures", "--dataset", dataset, "--chapter", chapter, "--out", out]
    commands["tables"] = [*tool, "tables", "--dataset", dataset, "--out", str(results / "tables")]
    figures = [str(results / "figures" / chapter) for chapter in CHAPTERS]
    overview = str(results / "overview.rst")
    commands["report"] = [*tool, "report", "--dataset", dataset, "--figures", *figures, "--out", overview]
    return commands


def measured(folder: Path, *words: str) -> tuple[float, float]:
    """Run a command in a study's folder; return its time (s) and largest resident memory (B)."""
    start_s = time.perf_counter()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment(folder), stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    duration_s = time.perf_counter() - start_s
    if status != 0:
        sys.exit(f"{' '.join(words)} failed:\n{(folder / 'log').read_text()[-3000:]}")
    print(f"{folder.name}: {' '.join(words[2:5])} {duration_s:.1f} s", file=sys.stderr, flush=True)
    return duration_s, usage.ru_maxrss * 1024


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which the folder's copy of the package comes first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PYTHONPATH": str(folder / "src"), "PATH": path}


def write_study(folder: Path, wanted: int) -> int:
    """Write a workflow's folder with a study of about this number of points; return the actual number."""
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    side = max(1, round(math.sqrt(wanted / REPEATS)))
    study = {
        "name": "scale",
        "country": "CHE",
        "repeats": REPEATS,
        "data": {"toy": {"source": "toy", "shard_rows": 500}},
        "design": "factorial",
        "axes": {"rows": [400], "epochs": list(range(1, side + 1)), "batch_size": list(range(2, side + 2))},
        "measurement": MEASUREMENT,
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return REPEATS * side * side


def real_point(folder: Path) -> Path:
    """Run a study of one point, without the steps after the runs; return its results."""
    write_study(folder, 1)
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"repeats": 1}))
    subprocess.run(snakemake("--quiet", "--until", "apply"), cwd=folder, env=environment(folder), check=True)
    return folder / "results" / "scale"


def write_records(folder: Path, template: Path) -> None:
    """Write the files of every point of a folder's study, from those of the point that ran."""
    sys.path.insert(0, str(folder / "src"))
    from baler_energy.config.study import load_study

    study = load_study(folder / "study.yaml")
    results = folder / "results" / "scale"
    (ran,) = {path.parents[1] for path in template.glob("runs/**/measurement.json")}
    for name in ("data", "calibration"):
        shutil.copytree(template / name, results / name)
    study.write(results / "study.yaml")
    records = {name: json.loads((ran / name / "measurement.json").read_text()) for name in OPERATIONS}
    random = np.random.default_rng(1)
    for point, (name, files) in itertools.product(study.points, LINKED.items()):
        run = results / "runs" / point.path / name
        run.mkdir(parents=True)
        for file in files:
            os.link(ran / name / file, run / file)
        if name in records:
            record = changed(records[name], point, study.seed_of(point), random.lognormal(0, 0.05))
            (run / "measurement.json").write_text(json.dumps(record, indent=2))


def changed(record: dict, point, seed: int, noise: float) -> dict:
    """Return a record of another point: times and energies grow with the epochs, and vary a little."""
    factor = point.epochs * noise
    readings = [
        reading | {"value": reading["value"] and reading["value"] * factor}
        if reading["quantity"] in ("energy", "cpu_time")
        else reading
        for reading in record["readings"]
    ]
    window = record["window"] | {"duration_s": record["window"]["duration_s"] * factor}
    axes = {"epochs": point.epochs, "batch_size": point.batch_size, "repeat": point.repeat, "seed": seed}
    parameters = record["parameters"] | axes | {"run_id": point.path}
    return record | {"run_id": point.path, "parameters": parameters, "readings": readings, "window": window}


if __name__ == "__main__":
    main()

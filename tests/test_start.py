"""What is wrong with the files of a study is found before its first job."""

import logging
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest
import uproot

from baler_energy.config.study import load_study
from baler_energy.data import pythia8
from baler_energy.errors import InputError, UnavailableError
from baler_energy.start import BeforeFirstJob, check_inputs


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file of each format with 10 rows; return their folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    values = np.arange(20.0).reshape(10, 2) / 7
    pd.DataFrame(values, columns=["pt", "eta"]).to_parquet("a.parquet")
    np.savez("a.npz", data=values, names=np.array(["pt", "eta"]))
    with h5py.File("a.h5", "w") as file:
        file["jets"] = values
        file["jets"].attrs["names"] = ["pt", "eta"]
    jets = ak.zip({"pt": ak.unflatten(values[:, 0], [4, 0, 6]), "eta": ak.unflatten(values[:, 1], [4, 0, 6])})
    with uproot.recreate("a.root") as file:
        file.mktree("Events", {"Jet": jets, "met": np.arange(3.0)})
        file.mktree("Runs", {"run": np.arange(2)})
    Path("text.parquet").write_text("pt,eta\n1,2\n")
    return tmp_path


def study(data: dict[str, Any], rows: list[Any], **changes: Any) -> Any:
    """Make a study of files; a dataset is its path, or its keys."""
    datasets = {
        name: {"source": "file"} | (keys if isinstance(keys, dict) else {"path": keys}) for name, keys in data.items()
    }
    axes = {"rows": rows, "epochs": [1]}
    return load_study({"name": "mine", "data": datasets, "design": "factorial", "axes": axes} | changes)


def mistakes(checked: Any, **options: Any) -> list[str]:
    """Return the mistakes in the data of all tables of a study."""
    try:
        check_inputs(checked, [(point.dataset, point.rows) for point in checked.points], **options)
    except InputError as error:
        first, *lines = str(error).splitlines()
        assert first.startswith(f"Study 'mine': {len(lines)} mistake") and "nothing was run" in first
        return [line.strip() for line in lines]
    return []


def test_all_mistakes_of_all_datasets_are_found_together(files: Path) -> None:
    data = {
        "good": "a.parquet",
        "missing": "nowhere.root",
        "tree": {"path": "a.root", "tree": "Event", "columns": ["Jet_pt"]},
        "branch": {"path": "a.root", "tree": "Events", "columns": ["Jet_pt", "Jet_ptt", "Jet_etaa"]},
        "column": {"path": "a.npz", "columns": ["ptt"]},
        "unreadable": "text.parquet",
        "suffix": "a.csv",
    }
    found = mistakes(study(data, [5, 10], imports=["emissions.csv"], wattmeter={"path": "watts.csv"}))
    assert [line.partition(":")[0] for line in found] == [
        "imports.0",
        "wattmeter.path",
        *(f"data.{name}" for name in data if name != "good"),
    ]
    said = dict(line.split(": ", maxsplit=1) for line in found)
    assert said["imports.0"].startswith("emissions.csv: no such file")
    assert "nowhere.root: cannot be read: no such file" in said["data.missing"]
    assert "has no tree 'Event'. It has: Events" in said["data.tree"]
    assert "has no branch 'Jet_ptt', 'Jet_etaa'. It has: Jet_pt" in said["data.branch"]
    assert "has no column 'ptt'. It has: pt" in said["data.column"]
    assert "not a valid Parquet file" in said["data.unreadable"]
    assert "unknown suffix '.csv'" in said["data.suffix"]


@pytest.mark.parametrize(
    "keys",
    [
        {"path": "a.parquet"},
        {"path": "a.npz"},
        {"path": "a.h5"},
        {"path": "a.root", "tree": "Events", "columns": ["Jet_*"]},
    ],
    ids=lambda keys: keys["path"],
)
def test_the_largest_number_of_rows_must_be_in_the_file(files: Path, keys: dict[str, Any]) -> None:
    assert mistakes(study({"jets": keys}, [5, 10])) == []
    assert mistakes(study({"jets": keys}, ["all"])) == []
    (line,) = mistakes(study({"jets": keys}, [5, 11, "all"]))
    assert line == f"data.jets: {keys['path']}: has 10 rows, but 11 were requested."


def test_rows_of_leading_objects_are_those_of_events_that_have_them(files: Path) -> None:
    keys = {"path": "a.root", "tree": "Events", "columns": ["Jet_pt"], "layout": "leading", "leading": 5}
    (line,) = mistakes(study({"jets": keys}, [2]))
    assert "has 1 rows, but 2 were requested" in line
    assert mistakes(study({"jets": keys | {"leading": 4}}, [2])) == []


def test_columns_of_derived_quantities_and_rows_are_reported_together(files: Path) -> None:
    derived = {"m": {"sum": ["pt", "mas"]}, "r": {"ratio": ["ptt", "eta"]}}
    found = mistakes(study({"jets": {"path": "a.parquet", "derived": derived}}, [11]))
    assert found[0] == "data.jets: a.parquet: has 10 rows, but 11 were requested."
    assert found[1].startswith("data.jets.derived.m: a.parquet has no column 'mas'")
    assert found[2].startswith("data.jets.derived.r: a.parquet has no column 'ptt'. It has: pt")
    generated = load_study(
        {
            "name": "mine",
            "data": {"toy": {"source": "toy", "derived": {"m": {"sum": ["pt", "mas"]}}}},
            "design": "factorial",
            "axes": {"rows": [100], "epochs": [1]},
        }
    )
    (line,) = mistakes(generated)
    assert line.startswith("data.toy.derived.m: dataset 'toy' has no column 'mas'. It has: mass")


@pytest.mark.parametrize(
    ("changes", "key", "valid", "reason"),
    [
        ({"imports": ["{T}.csv"]}, "imports.0: {T}.csv", "", "is empty"),
        ({"imports": ["{T}.csv"]}, "imports.0: {T}.csv", "a,b\n1,2\n", "is not a result of a supported tool"),
        ({"carbon_intensity_csv": "hours.csv"}, "carbon_intensity_csv: hours.csv", "a,b\n1,2\n", "'hour'"),
        ({"carbon_intensity_csv": "hours.csv"}, "carbon_intensity_csv: hours.csv", "hour,g_per_kwh\n0,100\n", None),
        ({"wattmeter": {"path": "watts.csv"}}, "wattmeter.path: watts.csv", "", None),
    ],
)
def test_files_that_results_are_compared_with_are_read(
    files: Path, changes: dict[str, Any], key: str, valid: str, reason: str | None
) -> None:
    checked = study({"good": "a.parquet"}, [5], **changes)
    assert mistakes(checked) == [f"{key}: no such file. Correct the path, or remove it."]
    Path(key.partition(": ")[2]).write_text(valid)
    found = mistakes(checked)
    if reason is None:
        assert found == []
    else:
        assert found[0].startswith(key) and reason in found[0]


def test_only_tables_that_have_to_be_made_are_checked(files: Path) -> None:
    checked = study({"good": "a.parquet", "missing": "nowhere.root"}, [5, 11])
    check_inputs(checked, [])
    check_inputs(checked, [("good", 5)])
    with pytest.raises(InputError, match="1 mistake "):
        check_inputs(checked, [("good", 5), ("missing", 5)])


def test_a_file_that_is_downloaded_is_checked_after_that(files: Path) -> None:
    assert mistakes(study({"web": "https://example.org/a.parquet"}, [5])) == []
    (line,) = mistakes(study({"web": "https://example.org/a.csv"}, [5]))
    assert "unknown suffix" in line


def test_a_generator_that_is_missing_is_reported_if_it_has_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythia8, "_PACKAGES", ("no_such_package",))
    checked = load_study(
        {
            "name": "mine",
            "data": {"jets": {"source": "pythia8"}, "toy": {"source": "toy"}},
            "design": "factorial",
            "axes": {"rows": [100], "epochs": [1]},
        }
    )
    check_inputs(checked, [("jets", 100)], ["toy"])
    with pytest.raises(UnavailableError, match=r"data\.jets: source 'pythia8' needs no_such_package, not"):
        check_inputs(checked, [("jets", 100)], ["jets"])
    check_inputs(checked, [("jets", 100)], ["jets"], elsewhere=True)


def test_the_check_imports_no_torch(files: Path) -> None:
    code = """
import sys
from baler_energy.config.study import load_study
from baler_energy.start import check_inputs
paths = ("a.parquet", "a.npz", "a.h5")
data = {path[2:]: {"source": "file", "path": path} for path in paths}
data["root"] = {"source": "file", "path": "a.root", "tree": "Events", "columns": ["Jet_pt"]}
study = load_study({"name": "m", "data": data, "design": "factorial", "axes": {"rows": [5], "epochs": [1]}})
check_inputs(study, [(name, 5) for name in data])
print("torch" in sys.modules)
"""
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_the_check_runs_once_after_the_plan() -> None:
    calls: list[str] = []
    handler = BeforeFirstJob(lambda: calls.append("checked"))

    def log(**extra: str) -> None:
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, "", (), None)
        vars(record).update(extra)
        handler.handle(record)

    log()
    log(event="workflow_started")
    assert calls == []
    log(event="run_info")
    log(event="run_info")  # a dry run reports its plan again at its end
    assert calls == ["checked"]


def test_the_event_is_still_snakemakes() -> None:
    spec = find_spec("snakemake")
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).with_name("workflow.py").read_text("utf-8").partition("    def execute(")[2]
    before_jobs = source[: source.index("self.scheduler.schedule()")]
    assert len(re.findall(r"event=LogEvent.RUN_INFO", before_jobs)) == 2, "in a run, and in a dry run"

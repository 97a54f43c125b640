"""The whole smoke study over each real HEP file beside the repository, and over the files of the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

FILES: dict[str, dict[str, Any]] = {
    "muons": {
        "path": "cms_DoubleMuParked2012_100k_muons.root",
        "columns": ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"],
    },
    "jets": {
        "path": "cms_OpenData2015_nanoAOD_ttbar_200ev.root",
        "tree": "Events",
        "columns": ["Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_area", "Jet_nConstituents"],
    },
    "dimuon_npz": {"path": "cms_dimuon2012_20000.npz"},
    "dimuon_parquet": {"path": "cms_dimuon2012_20000.parquet"},
    "dimuon_hdf5": {"path": "cms_dimuon2012_20000.h5"},
    "lhcb": {"path": "lhcb_B2HHH_4322x26.npz"},
}


def smoke_over(workspace, data: dict[str, Any]) -> Path:
    """Write the smoke study with other data in place of the toy."""
    study = yaml.safe_load((workspace.root / "config" / "studies" / "smoke.yaml").read_text())
    (name,) = data
    study["data"] = data
    study["reference"] |= {"dataset": name, "rows": 400}
    study["axes"] = {"rows": [400, 500], "epochs": [1, 2]}
    study["profile"]["points"] = [{"rows": 400, "epochs": 2}]
    path = workspace.root / f"{name}.yaml"
    path.write_text(yaml.safe_dump(study | {"name": name}))
    return path


@pytest.mark.parametrize("name", FILES)
def test_the_smoke_study_over_a_real_file(workspace, shared, name):
    source = FILES[name] | {"path": str(shared / "data" / FILES[name]["path"]), "source": "file"}
    workspace.snakemake(smoke_over(workspace, {name: source}))
    runs = pd.read_parquet(workspace.root / "results" / name / "dataset" / "runs.parquet")
    assert set(runs["rows"]) == {400, 500}
    assert (runs["source"] == "file").all()
    assert (runs["duration_s"] > 0).all()
    assert runs["energy_j"].gt(0).all()
    assert np.isfinite(runs["mean_rms_over_range"]).all()
    assert runs["mean_rms_over_range"].between(0, 1).all()
    assert (workspace.root / "results" / name / "overview.rst").is_file()

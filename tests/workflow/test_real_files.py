"""The whole smoke study over each real HEP file next to the repository, and tables from the files of the tests."""

import functools
import hashlib
import http.server
import threading
from typing import Any

import pandas as pd
import pytest
import yaml

from baler_energy.data.table import Table

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


@pytest.mark.slow
def test_the_smoke_study_over_every_real_file(workspace, shared):
    study = yaml.safe_load((workspace.root / "config" / "studies" / "smoke.yaml").read_text())
    study["name"] = "real"
    study["data"] = {
        name: source | {"source": "file", "path": str(shared(f"data/{source['path']}"))}
        for name, source in FILES.items()
    }
    study["reference"] |= {"dataset": "muons", "rows": 400}
    study["axes"] = {"dataset": list(FILES)}
    study["profile"] |= {"points": [{"dataset": "lhcb"}], "profilers": ["cprofile", "torch"]}
    path = workspace.root / "real.yaml"
    path.write_text(yaml.safe_dump(study))
    workspace.snakemake(path)
    results = workspace.root / "results" / "real"
    runs = pd.read_parquet(results / "dataset" / "runs.parquet")
    assert set(runs["dataset"]) == set(FILES)
    assert (runs["rows"] == 400).all()
    assert (runs["source"] == "file").all()
    assert (runs["duration_s"] > 0).all()
    assert runs["energy_j"].gt(0).all()
    assert runs["mean_rms_over_range"].between(0, 1).all()
    same = runs[runs["dataset"].str.startswith("dimuon_")].groupby("operation")["mean_rms_over_range"]
    assert (same.max() - same.min() < 1e-9).all(), "one table in three formats"
    assert set(pd.read_parquet(results / "dataset" / "hotspots.parquet")["profiler"]) == {"cprofile", "torch"}


@pytest.mark.long
def test_a_file_of_each_format_becomes_a_table(workspace, repository):
    fixtures = repository / "tests" / "formats" / "fixtures"
    data = {p.suffix[1:]: {"source": "file", "path": str(p)} for p in sorted(fixtures.iterdir())}
    assert set(data) == {"root", "parquet", "h5", "npz"}
    data["root"]["columns"] = ["Jet_*"]
    study = workspace.study(name="formats", data=data, axes={"rows": [50], "epochs": [1]})
    tables = [f"results/formats/data/{name}/rows~50/table.npz" for name in data]
    done = workspace.run("snakemake", "--cores", "all", *tables, "--configfile", study)
    assert done.returncode == 0, done.stdout
    found = [Table.read(workspace.root / table) for table in tables]
    assert {table.data.shape for table in found} == {(50, 6)}


@pytest.fixture
def server(repository):
    """Serve the tests' files over HTTP on the loopback interface; yield the address."""
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=repository / "tests" / "formats" / "fixtures"
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.long
@pytest.mark.parametrize("right", [True, False])
def test_a_url_is_fetched_and_its_checksum_holds(workspace, repository, server, right):
    content = (repository / "tests" / "formats" / "fixtures" / "jets.parquet").read_bytes()
    digest = hashlib.sha256(content if right else b"other").hexdigest()
    data = {"web": {"source": "file", "path": f"{server}/jets.parquet", "sha256": digest}}
    study = workspace.study(name="web", data=data, axes={"rows": [50], "epochs": [1]})
    table = f"results/web/data/web/rows~{50 if right else 'all'}/table.npz"
    done = workspace.run("snakemake", "--cores", "1", table, "--configfile", study)
    assert (done.returncode == 0) == right, done.stdout
    assert (workspace.root / table).exists() == right
    if not right:
        said = (workspace.root / "results" / "web" / "logs" / "data" / "web" / "rows~all.log").read_text()
        assert digest in said and "Traceback" not in said

"""Every real HEP file through all stages: prepare, train, compress, decompress, evaluate."""

import pytest

from baler_energy.files import read_json
from baler_energy.records import Measurement

FILES = {
    "muons": ("cms_DoubleMuParked2012_100k_muons.root", "Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"),
    "jets": ("cms_OpenData2015_nanoAOD_ttbar_200ev.root", "Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Jet_area"),
    "dimuon_npz": ("cms_dimuon2012_20000.npz",),
    "dimuon_parquet": ("cms_dimuon2012_20000.parquet",),
    "dimuon_hdf5": ("cms_dimuon2012_20000.h5",),
    "lhcb": ("lhcb_B2HHH_4322x26.npz",),
}


@pytest.fixture(scope="module")
def errors(stage, shared, tmp_path_factory):
    """Return a function that runs all stages on a file and returns its mean error."""

    def through(name: str) -> float:
        file, *columns = FILES[name]
        out = tmp_path_factory.mktemp(name)
        table, codec = out / "table.npz", ("--checkpoint", out / "t" / "checkpoint.pt", "--epochs", 2)
        chosen = ("--columns", *columns) if columns else ()
        stage("prepare", "--input", shared(f"data/{file}"), *chosen, "--rows", 400, "--out", table)
        stage("train", "--data", table, "--out", out / "t", "--epochs", 2)
        stage("compress", "--data", table, *codec, "--out", out / "c")
        stage("decompress", "--compressed", out / "c" / "table.baler", *codec, "--out", out / "d")
        files = ("--original", table, "--reconstructed", out / "d" / "reconstructed.npz")
        stage("evaluate", *files, "--compressed", out / "c" / "table.baler", *codec[:2], "--out", out / "e")
        for operation in "tcd":
            record = Measurement.read(out / operation / "measurement.json")
            assert (record.parameters["source"], record.parameters["rows"]) == ("file", 400)
        return read_json(out / "e" / "summary.json")["mean_rms_over_range"]

    return through


@pytest.mark.parametrize("name", ["muons", "jets", "lhcb"])
def test_what_comes_back_is_within_the_range(errors, name):
    assert 0 < errors(name) < 1


def test_one_table_in_three_formats_comes_back_the_same(errors):
    found = [errors(name) for name in FILES if name.startswith("dimuon")]
    assert 0 < found[0] < 1
    assert found == pytest.approx([found[0]] * 3, abs=1e-9)

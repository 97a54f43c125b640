"""Advice for every real HEP file, and from an installed wheel outside a clone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from baler_energy.data import toy

FAST = ("--meters", "process", "--min-window-s", 0, "--idle-s", 0, "--threads", 1, "--epochs", 1)
FILES = {
    "muons": ("cms_DoubleMuParked2012_100k_muons.root", "--tree", "Events", "--columns", "Muon_*"),
    "jets": ("cms_OpenData2015_nanoAOD_ttbar_200ev.root", "--tree", "Events", "--columns", "Jet_*"),
    "dimuon_npz": ("cms_dimuon2012_20000.npz",),
    "dimuon_parquet": ("cms_dimuon2012_20000.parquet",),
    "dimuon_hdf5": ("cms_dimuon2012_20000.h5",),
    "lhcb": ("lhcb_B2HHH_4322x26.npz",),
}


def check(said: str, path: Path) -> None:
    """Check that a codec is recommended that makes the file smaller, with its commands."""
    recommended = re.search(r"^Use .+?: compression ratio ([\d.]+), (the largest|the fastest)", said, re.MULTILINE)
    assert recommended
    assert float(recommended[1]) > 1
    assert re.search(rf"^  baler-energy compress --data {re.escape(str(path))} ", said, re.MULTILINE)


@pytest.mark.long
def test_a_real_file_gets_lossless_advice(stage, shared, capsys):
    name, *words = FILES["lhcb"]
    path = shared(f"data/{name}")
    stage("advise", path, *words, "--lossless", *FAST)
    check(capsys.readouterr().out, path)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_every_real_file_gets_advice_within_an_error(stage, shared, capsys, file):
    name, *words = FILES[file]
    path = shared(f"data/{name}")
    stage("advise", path, *words, "--error", 0.01, "--sample-mb", 1, "--limit-s", 60, *FAST)
    check(capsys.readouterr().out, path)


@pytest.mark.slow
def test_a_wheel_gives_advice_in_an_empty_folder(repository, tmp_path):
    site, wheels, empty = (tmp_path / name for name in ("site", "wheels", "empty"))
    empty.mkdir()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    environment = os.environ | {"PYTHONPATH": str(site)}

    def run(*words: object) -> str:
        done = subprocess.run(
            list(map(str, words)), cwd=empty, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, repository)
    (wheel,) = wheels.glob("*.whl")
    run(*pip, "install", "--no-deps", "--no-index", "--target", site, wheel)
    loaded = run(sys.executable, "-c", "import baler_energy; print(baler_energy.__file__)")
    assert Path(loaded.strip()).is_relative_to(site)
    jets = toy.generate(1500, 1)
    path = tmp_path / "jets.npz"
    np.savez(path, data=jets.data, names=np.array(jets.names))
    said = run(site / "bin" / "baler-energy", "advise", path, "--lossless", "--html", "advice.html", *FAST)
    check(said, path)
    assert [file.name for file in empty.iterdir()] == ["advice.html"]

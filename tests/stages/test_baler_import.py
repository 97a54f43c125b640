"""Stage baler-import: a project of upstream Baler becomes our files, or one message gives the reason."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.container import Reader
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.config import Folder
from baler_energy.data.table import Table
from baler_energy.errors import InputError

INTEGERS = [12, 13, 14, 15, 16, 17, 18, 22, 23]
BALERS_TYPES = ["int" if number in INTEGERS else "float64" for number in range(24)]


def _configure(project: Folder, *lines: str) -> None:
    text = "\n".join(f"    {line}" for line in ("c.model_name = 'AE'", *lines))
    project.config.write_text(f"def set_config(c):\n{text}\n")


@pytest.fixture
def project(shared, tmp_path) -> Folder:
    """Lay out the files that upstream Baler wrote as a Baler project."""
    project = Folder(tmp_path / "workspaces" / "w" / "p")
    for path in (project.model, project.compressed, project.features, project.config):
        path.parent.mkdir(parents=True, exist_ok=True)
    for path in (project.model, project.compressed, project.features):
        shutil.copyfile(shared(f"baler_upstream/{path.name}"), path)
    data = tmp_path / "workspaces" / "w" / "data" / "jets.npz"
    data.parent.mkdir()
    shutil.copyfile(shared("baler_upstream/input.npz"), data)
    _configure(project, "c.input_path = 'workspaces/w/data/jets.npz'", f"c.type_list = {BALERS_TYPES}")
    return project


def _dtypes(out: Path) -> tuple[str, ...]:
    return Checkpoint.read(out / "checkpoint.pt").dtypes


def test_its_compressed_file_decompresses_to_its_table(stage, project, shared, tmp_path, capsys):
    out = tmp_path / "imported"
    stage("baler_import", project.path, "--out", out)
    assert "2,000 rows" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.pt", "table.baler"]
    codec = ("--compressed", out / "table.baler", "--checkpoint", out / "checkpoint.pt")
    stage("decompress", *codec, "--out", tmp_path / "d")
    ours = Table.read(tmp_path / "d" / "reconstructed.npz")
    theirs = files.read_table(shared("baler_upstream/decompressed.npz"))
    assert (ours.names, ours.dtypes) == (theirs.names, theirs.dtypes)
    assert (ours.origin["source"], ours.origin["label"]) == ("file", "p")
    ranges = files.read_features(project.features).features[1]
    difference = np.abs(ours.data - theirs.data)
    assert np.all(difference[:, ~ours.integer] <= 1e-12 * ranges[~ours.integer])
    # We round, Baler truncates.
    assert set(np.unique(difference[:, ours.integer])) == {0.0, 1.0}


def test_the_codec_compresses_a_table_that_is_prepared_from_its_input(stage, project, shared, tmp_path):
    out = tmp_path / "imported"
    stage("baler_import", project.path, "--out", out)
    stage("prepare", "--input", shared("baler_upstream/input.npz"), "--rows", "all", "--out", tmp_path / "t.npz")
    stage("compress", "--data", tmp_path / "t.npz", "--checkpoint", out / "checkpoint.pt", "--out", tmp_path / "c")
    theirs, ours = (Reader(folder / "table.baler").latents() for folder in (out, tmp_path / "c"))
    assert np.all(np.abs(ours - theirs).max(axis=0) <= 1e-12 * np.ptp(theirs, axis=0))


def test_types_come_from_the_nearest_source_that_has_them(stage, project, tmp_path, capsys):
    out = tmp_path / "imported"
    by_rule = tuple("int64" if number in INTEGERS else "float64" for number in range(24))
    stage("baler_import", project.path, "--out", out)
    assert _dtypes(out) == by_rule
    assert f"types from {project.config}" in capsys.readouterr().out
    # A value that the configuration computes is unknown; the input is used instead.
    _configure(project, "c.input_path = 'workspaces/w/data/jets.npz'", "c.type_list = ['float64'] * 24")
    stage("baler_import", project.path, "--out", out)
    assert _dtypes(out) == by_rule
    assert "types from" in (said := capsys.readouterr().out) and "jets.npz" in said
    _configure(project)
    stage("baler_import", project.path, "--out", out)
    assert set(_dtypes(out)) == {"float64"}
    assert "all assumed float64" in capsys.readouterr().out
    _configure(project, f"c.type_list = {BALERS_TYPES}")
    table = files.read_table(tmp_path / "workspaces/w/data/jets.npz")
    known = tuple("int16" if number in INTEGERS else "float32" for number in range(24))
    Table(table.data, table.names, known, {"source": "toy", "label": "toy data"}).write(tmp_path / "table.npz")
    stage("baler_import", project.path, "--out", out, "--data", tmp_path / "table.npz")
    assert _dtypes(out) == known
    assert Reader(out / "table.baler").facts.origin == {"source": "toy", "label": "toy data"}


def test_a_project_that_was_only_trained_gives_a_checkpoint(stage, project, tmp_path):
    project.compressed.unlink()
    out = tmp_path / "imported"
    stage("baler_import", project.path, "--out", out)
    assert [path.name for path in out.iterdir()] == ["checkpoint.pt"]
    assert Checkpoint.read(out / "checkpoint.pt").names[:2] == ("pt", "eta")


def test_a_project_without_normalisation(stage, project, tmp_path):
    project.features.unlink()
    _configure(project, "c.apply_normalization = False")
    with np.load(project.compressed) as arrays:
        content = dict(arrays) | {"normalization_features": np.array([])}
    np.savez(project.compressed, **content)
    stage("baler_import", project.path, "--out", tmp_path / "imported")
    normalisation = Checkpoint.read(tmp_path / "imported" / "checkpoint.pt").normalisation
    assert np.array_equal(normalisation.features, files.unscaled(24).features)


@pytest.mark.parametrize("missing", ["config", "model", "features"])
def test_a_missing_file_is_named_and_nothing_is_written(stage, project, tmp_path, missing):
    path = getattr(project, missing)
    path.unlink()
    with pytest.raises(InputError, match=str(path)):
        stage("baler_import", project.path, "--out", tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


def test_everything_that_is_missing_or_wrong_is_named_at_once(stage, project, tmp_path):
    for path in (project.model, project.features, project.compressed, tmp_path / "workspaces/w/data/jets.npz"):
        path.unlink()
    _configure(project, "c.data_dimension = 2")
    with pytest.raises(InputError) as caught:
        stage("baler_import", project.path, "--out", tmp_path / "imported")
    for word in (project.model, project.features, project.compressed, "data_dimension = 2", "--data", "from the same"):
        assert str(word) in str(caught.value)
    assert not (tmp_path / "imported").exists()


def test_a_folder_that_is_no_project_is_reported_with_the_files_it_needs(stage, tmp_path):
    with pytest.raises(InputError) as caught:
        stage("baler_import", tmp_path / "workspaces/w/none", "--data", "none.npz", "--out", tmp_path / "imported")
    none = Folder(tmp_path / "workspaces/w/none")
    for path in (none.config, none.model, none.features, "none.npz: no such file"):
        assert str(path) in str(caught.value)
    assert str(none.compressed) not in str(caught.value), "the names are in --data"
    assert not (tmp_path / "imported").exists()


def test_the_list_of_needed_files_is_only_shown_if_one_is_missing(stage, project, tmp_path):
    _configure(project, "c.data_dimension = 2")
    with pytest.raises(InputError) as caught:
        stage("baler_import", project.path, "--out", tmp_path / "imported")
    assert "data_dimension = 2" in str(caught.value) and "It needs" not in str(caught.value)


def test_names_that_cannot_be_found_are_requested(stage, project, tmp_path):
    project.compressed.unlink()
    (tmp_path / "workspaces/w/data/jets.npz").unlink()
    with pytest.raises(InputError, match=r"jets\.npz.*--data"):
        stage("baler_import", project.path, "--out", tmp_path / "imported")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("c.model_name = 'Conv_AE'", r"model_name = 'Conv_AE'.*'AE' or 'FPGA_prototype_model'"),
        ("c.data_dimension = 2", "data_dimension = 2"),
        ("c.custom_norm = True", "custom_norm"),
        ("c.separate_model_saving = True", "separate_model_saving"),
        ("c.save_error_bounded_deltas = True", "save_error_bounded_deltas"),
        ("c.type_list = ['int', 'text']", "'text'"),
        ("c.type_list = ['int', 3]", "3 among"),
        ("c.type_list = 4", "4 among"),
        ("c.type_list = ['f8,$']", r"'f8,\$' among"),
        ("c.type_list = ['int', 'float64']", "24 columns, but there are 2 types"),
    ],
)
def test_what_cannot_be_imported_is_named(stage, project, tmp_path, line, named):
    _configure(project, line)
    with pytest.raises(InputError, match=named):
        stage("baler_import", project.path, "--out", tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


def test_files_of_two_trainings_are_refused(stage, project, tmp_path):
    features = files.read_features(project.features)
    features.features[1] *= 2
    files.write_features(project.features, features)
    with pytest.raises(InputError, match=rf"{project.compressed}.*trained again"):
        stage("baler_import", project.path, "--out", tmp_path / "imported")
    assert not (tmp_path / "imported").exists()


def test_an_input_that_was_replaced_is_refused(stage, project, tmp_path):
    """Types belong to the columns of the file that was compressed, not to those of another one in its place."""
    _configure(project, "c.input_path = 'workspaces/w/data/jets.npz'", "c.type_list = ['float64'] * 24")
    path = tmp_path / "workspaces/w/data/jets.npz"
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, data=content["data"][:, ::-1], names=content["names"][::-1])
    with pytest.raises(InputError, match=r"jets\.npz: has '.*' where .*compressed\.npz has 'pt': another file"):
        stage("baler_import", project.path, "--out", tmp_path / "imported")


def test_names_that_are_no_utf8_are_one_message(stage, project, tmp_path):
    with np.load(project.compressed) as arrays:
        content = dict(arrays)
    names = [str(name).encode() for name in content["names"]]
    np.savez(project.compressed, **content | {"names": np.array([b"\xfcber", *names[1:]])})
    with pytest.raises(InputError, match=r"compressed\.npz: .*not a valid file of Baler"):
        stage("baler_import", project.path, "--out", tmp_path / "imported")


def test_a_table_with_other_columns_is_refused(stage, pipeline, project, tmp_path):
    with pytest.raises(InputError, match=r"compressed\.npz: 'names'"):
        stage("baler_import", project.path, "--out", tmp_path / "imported", "--data", pipeline.table)

"""Stage baler-export: a project that upstream Baler runs, and that is imported unchanged."""

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.container import Reader
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.config import Folder, read_config
from baler_energy.data import toy
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.stages.baler_export import baler_export

CPU = torch.device("cpu")


@pytest.fixture
def project(tmp_path) -> Folder:
    """Return the path of a folder that does not exist yet."""
    return Folder(tmp_path / "workspaces" / "w" / "p")


def test_what_is_exported_comes_back_the_same(stage, pipeline, project, tmp_path):
    files_given = ("--checkpoint", pipeline.checkpoint, "--compressed", pipeline.compressed, "--data", pipeline.table)
    stage("baler_export", *files_given, "--out", project.path)
    stage("baler_import", project.path, "--out", tmp_path / "back")
    # Including the types and the toy's label, which are not in Baler's own files.
    assert (tmp_path / "back" / "checkpoint.pt").read_bytes() == pipeline.checkpoint.read_bytes()
    assert (tmp_path / "back" / "table.baler").read_bytes() == pipeline.compressed.read_bytes()


def test_a_model_from_the_pca_start_has_the_form_of_any_other(stage, pipeline, project, tmp_path):
    stage("train", "--data", pipeline.table, "--out", tmp_path / "t", "--epochs", 1, "--start", "pca")
    form = []
    for checkpoint, folder in (
        (pipeline.checkpoint, project.path.with_name("q")),
        (tmp_path / "t/checkpoint.pt", None),
    ):
        out = folder or project.path
        stage("baler_export", "--checkpoint", checkpoint, "--data", pipeline.table, "--out", out)
        model = torch.load(Folder(out).model, weights_only=True)
        form.append([(name, tensor.shape, tensor.dtype, tensor.stride()) for name, tensor in model.items()])
    assert form[0] == form[1] and type(model).__name__ == "OrderedDict"
    stage("baler_import", project.path, "--out", tmp_path / "back")
    assert (tmp_path / "back/checkpoint.pt").read_bytes() == (tmp_path / "t/checkpoint.pt").read_bytes()


def test_baler_finds_every_folder_and_key(stage, pipeline, project, capsys):
    stage("baler_export", "--checkpoint", pipeline.checkpoint, "--data", pipeline.table, "--out", project.path)
    for path in (project.model, project.features, project.data, project.config):
        assert path.is_file()
    assert project.decompressed.parent.is_dir() and not project.compressed.exists()
    config = read_config(project.config)
    assert project.root / config["input_path"] == project.data
    assert config["save_error_bounded_deltas"] is False
    assert config["type_list"].count("int64") == 9 and config["type_list"].count("float32") == 15
    assert "--project w p --mode compress" in capsys.readouterr().out


@pytest.mark.parametrize(("rows", "constant", "custom"), [(300, False, False), (200, False, True), (300, True, True)])
def test_data_are_scaled_if_baler_would_scale_them_differently(stage, project, tmp_path, rows, constant, custom):
    table = toy.generate(300, 7)
    if constant:
        table.data[:, 3] = 3.7
    codec = Checkpoint.of(
        Autoencoder(Architecture(24, 12)), Normalisation.of(table.data, table.names), table.names, table.dtypes
    )
    codec.write(tmp_path / "c.pt")
    data = np.ascontiguousarray(table.data[:rows])
    Table(data, table.names, table.dtypes).write(tmp_path / "t.npz")
    stage("baler_export", "--checkpoint", tmp_path / "c.pt", "--data", tmp_path / "t.npz", "--out", project.path)
    assert read_config(project.config)["custom_norm"] is custom
    assert np.array_equal(files.read_table(project.data).data, codec.normalisation.normalise(data) if custom else data)
    # The import undoes what was done for Baler.
    stage("baler_import", project.path, "--out", tmp_path / "back")
    assert Checkpoint.read(tmp_path / "back" / "checkpoint.pt").content_hash == codec.content_hash


@pytest.mark.parametrize("path", ["p", "workspaces/p", "workspaces/w/p.q"])
def test_a_folder_that_baler_does_not_find_is_refused(stage, pipeline, tmp_path, path):
    with pytest.raises(InputError, match="workspaces/WORKSPACE/PROJECT"):
        stage("baler_export", "--checkpoint", pipeline.checkpoint, "--out", tmp_path / path)
    assert list(tmp_path.iterdir()) == []


def test_a_project_is_never_overwritten(stage, pipeline, project):
    project.path.mkdir(parents=True)
    with pytest.raises(InputError, match=f"{project.path}: already exists"):
        stage("baler_export", "--checkpoint", pipeline.checkpoint, "--out", project.path)


def test_files_of_another_training_are_refused(stage, pipeline, project, tmp_path):
    before = Checkpoint.read(pipeline.checkpoint)
    Checkpoint.of(Autoencoder(Architecture(24, 12)), before.normalisation, before.names, before.dtypes).write(
        tmp_path / "other.pt"
    )
    with pytest.raises(InputError, match="another checkpoint"):
        stage(
            "baler_export", "--checkpoint", tmp_path / "other.pt", "--compressed", pipeline.compressed,
            "--out", project.path,
        )  # fmt: skip
    table = Table.read(pipeline.table)
    Table(table.data, table.names[::-1], table.dtypes).write(tmp_path / "other.npz")
    with pytest.raises(InputError, match=r"other\.npz: has the columns"):
        stage(
            "baler_export", "--checkpoint", pipeline.checkpoint, "--data", tmp_path / "other.npz", "--out", project.path
        )
    assert not (tmp_path / "workspaces").exists()


@pytest.mark.parametrize(("model", "named"), [("64", "Baler has no network.*64"), ("skip-64", "Baler cannot.* a skip")])
def test_a_network_that_baler_does_not_support_is_refused(stage, pipeline, project, tmp_path, model, named):
    before = Checkpoint.read(pipeline.checkpoint)
    network = Autoencoder(Architecture.of(model, 24, 2))
    Checkpoint.of(network, before.normalisation, before.names, before.dtypes).write(tmp_path / "other.pt")
    with pytest.raises(InputError, match=named):
        stage("baler_export", "--checkpoint", tmp_path / "other.pt", "--out", project.path)
    assert not (tmp_path / "workspaces").exists()


def test_an_interrupted_export_leaves_nothing(stage, pipeline, project, monkeypatch):
    def interrupted(path: Path, table: Table) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stage("baler_export", "--checkpoint", pipeline.checkpoint, "--out", project.path)
    assert list(project.path.parent.iterdir()) == []


@pytest.fixture(scope="session")
def baler(repository):
    """Run a mode of the real program in a project."""
    python = Path(os.environ.get("BALER_UPSTREAM_PYTHON", repository / ".venv-upstream/bin/python"))
    if not python.is_file():
        pytest.skip(f"upstream Baler is not installed: no {python}")
    there = subprocess.run([python, "-c", "import baler"], capture_output=True, text=True, check=False)
    if there.returncode:
        pytest.skip(f"upstream Baler is not installed with {python}: {there.stderr.strip().rpartition(chr(10))[2]}")

    def run(project: Folder, mode: str) -> None:
        names = (project.path.parent.name, project.name)
        command = [python, "-m", "baler", "--project", *names, "--mode", mode]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr[-2000:]

    return run


@dataclass(frozen=True)
class _Case:
    """A codec that was trained on one table, and the table to which it is applied."""

    hidden: tuple[int, ...]
    slope: float
    constant: bool
    rows: int
    custom_norm: bool


@pytest.mark.long
@pytest.mark.parametrize(
    "case",
    [
        _Case((200, 100, 50), 0.01, False, 300, False),
        _Case((20, 10), 0.0, False, 300, False),
        _Case((90, 40, 21), 0.01, False, 300, False),
        _Case((200, 100, 50), 0.01, False, 200, True),
        _Case((20, 10), 0.0, True, 300, True),
    ],
    ids=["AE", "small", "narrower", "second table", "constant column"],
)
def test_baler_itself_agrees(baler, stage, project, tmp_path, case):
    whole = toy.generate(300, 7)
    dtypes = tuple("float64" if dtype == "float32" else dtype for dtype in whole.dtypes)
    if case.constant:
        whole.data[:, 3] = 3.7
    architecture = Architecture(24, 11, case.hidden, case.slope)
    torch.manual_seed(3)
    codec = Checkpoint.of(Autoencoder(architecture), Normalisation.of(whole.data, whole.names), whole.names, dtypes)
    codec.write(tmp_path / "c.pt")
    Table(np.ascontiguousarray(whole.data[: case.rows]), whole.names, dtypes).write(tmp_path / "t.npz")
    stage("baler_export", "--checkpoint", tmp_path / "c.pt", "--data", tmp_path / "t.npz", "--out", project.path)
    assert read_config(project.config)["custom_norm"] is case.custom_norm
    _assert_baler_agrees(baler, project, codec, whole.data[: case.rows])


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "precision"),
    [(("--epochs", 2, "--start", "pca"), "float64"), (("--recommended",), "float32")],
    ids=["pca", "recommended"],
)
def test_baler_itself_agrees_on_what_was_trained_here(baler, stage, project, tmp_path, options, precision):
    whole = toy.generate(300, 7)
    dtypes = tuple("float64" if dtype == "float32" else dtype for dtype in whole.dtypes)
    Table(whole.data, whole.names, dtypes).write(tmp_path / "t.npz")
    stage("train", "--data", tmp_path / "t.npz", *options, "--out", tmp_path / "t")
    given = ("--checkpoint", tmp_path / "t/checkpoint.pt", "--data", tmp_path / "t.npz")
    stage("baler_export", *given, "--out", project.path)
    trained = Checkpoint.read(tmp_path / "t/checkpoint.pt")
    assert trained.precision == precision
    # Baler computes in float64, whatever the precision of the training.
    parameters = {name: tensor.double() for name, tensor in trained.parameters.items()}
    codec = replace(trained, parameters=parameters, precision="float64")
    _assert_baler_agrees(baler, project, codec, whole.data)
    latents = files.read_latents(project.compressed, codec)
    ours, theirs = (InMemoryCodec(one, CPU, 512).decode(latents) for one in (trained, codec))
    assert np.all(np.abs(ours - theirs).max(axis=0) <= 1e-5 * codec.normalisation.features[1])


def _assert_baler_agrees(baler, project: Folder, codec: Checkpoint, data: np.ndarray) -> None:
    """Let Baler compress and decompress a project's table, and compare its latents and values with ours."""
    baler(project, "compress")
    baler(project, "decompress")
    ours = InMemoryCodec(codec, CPU, 512)
    theirs = files.read_latents(project.compressed, codec)
    assert np.all(np.abs(ours.encode(data) - theirs).max(axis=0) <= 1e-12 * np.ptp(theirs, axis=0))
    _assert_truncated_alike(ours.decode(theirs), files.read_table(project.decompressed, codec.dtypes), codec)


def _assert_truncated_alike(ours: np.ndarray, theirs: Table, codec: Checkpoint) -> None:
    """Compare what Baler decompressed, integers cut off, with ours before rounding, within 1e-12 of the range."""
    tolerance = 1e-12 * codec.normalisation.features[1]
    least, most = ours - tolerance, ours + tolerance
    for edge in (least, most):
        edge[:, theirs.integer] = np.trunc(edge[:, theirs.integer])
    assert theirs.integer.sum() == 9
    assert np.all((least <= theirs.data) & (theirs.data <= most))


def test_baler_decompresses_what_was_compressed_here(baler, stage, pipeline, project):
    stage(
        "baler_export", "--checkpoint", pipeline.checkpoint, "--compressed", pipeline.compressed, "--out", project.path
    )
    baler(project, "decompress")
    codec = Checkpoint.read(pipeline.checkpoint)
    ours = InMemoryCodec(codec, CPU, 512).decode(Reader(pipeline.compressed).latents())
    theirs = files.read_table(project.decompressed, codec.dtypes)
    floats = ~theirs.integer
    # Both as float32, whose neighbour a difference in the last bit of float64 can reach.
    difference = np.abs(ours - theirs.data) / np.maximum(np.abs(ours), codec.normalisation.features[1])
    assert np.all(difference[:, floats] <= np.finfo(np.float32).eps)
    assert np.all(np.abs(ours - theirs.data)[:, theirs.integer] < 1 + 1e-12)


def test_a_file_with_an_error_bound_is_refused(pipeline, tmp_path):
    codec, table = Checkpoint.read(pipeline.checkpoint), Table.read(pipeline.table)
    InMemoryCodec(codec, CPU, 512, "zstd+bound-0.01").compress(table, tmp_path / "b.baler")
    with pytest.raises(InputError, match="which Baler cannot"):
        baler_export(pipeline.checkpoint, tmp_path / "workspaces" / "w" / "p", tmp_path / "b.baler")
    assert not (tmp_path / "workspaces").exists() or not list((tmp_path / "workspaces").rglob("p"))

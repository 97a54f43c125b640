"""Upstream Baler's files: read as Baler wrote them, written as Baler reads them, and refused if they are wrong."""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.upstream import files
from baler_energy.errors import InputError

CPU = torch.device("cpu")
SMALL = Architecture(6, 3, (20, 10), 0.0)


@pytest.fixture
def theirs_at(shared) -> Callable[[str], Path]:
    """Return a function that finds a file that upstream Baler wrote."""
    return lambda name: shared(f"baler_upstream/{name}")


@pytest.fixture
def codec(theirs_at) -> InMemoryCodec:
    """Take the codec from its model, normalisation and input."""
    table = files.read_table(theirs_at("input.npz"))
    features = files.read_features(theirs_at("normalization_features.npy"))
    return InMemoryCodec(files.read_checkpoint(theirs_at("model.pt"), features, table.names, table.dtypes), CPU, 512)


def test_our_encoder_gives_its_latents(theirs_at, codec):
    theirs = files.read_latents(theirs_at("compressed.npz"), codec.checkpoint)
    ours = codec.encode(files.read_table(theirs_at("input.npz")).data)
    assert ours.shape == (2000, 12)
    assert np.all(np.abs(ours - theirs).max(axis=0) <= 1e-12 * np.ptp(theirs, axis=0))


def test_our_decoder_gives_its_table(theirs_at, codec):
    latents = files.read_latents(theirs_at("compressed.npz"), codec.checkpoint)
    theirs = files.read_table(theirs_at("decompressed.npz"), codec.checkpoint.dtypes)
    tolerance = 1e-12 * codec.checkpoint.normalisation.features[1]
    ours = codec.decode(latents)
    # Baler truncates integer columns; our value may be just below or just above a whole number.
    assert theirs.integer.sum() == 9
    least, most = ours - tolerance, ours + tolerance
    least[:, theirs.integer], most[:, theirs.integer] = (np.trunc(edge[:, theirs.integer]) for edge in (least, most))
    assert np.all((least <= theirs.data) & (theirs.data <= most))


def test_its_files_are_written_as_they_were(theirs_at, codec, tmp_path):
    features = codec.checkpoint.normalisation
    files.write_model(tmp_path / "model.pt", codec.checkpoint)
    files.write_features(tmp_path / "features.npy", features)
    files.write_latents(
        tmp_path / "c.npz", files.read_latents(theirs_at("compressed.npz"), codec.checkpoint), codec.checkpoint
    )
    files.write_table(tmp_path / "d.npz", files.read_table(theirs_at("decompressed.npz")))
    theirs, ours = (torch.load(path, weights_only=True) for path in (theirs_at("model.pt"), tmp_path / "model.pt"))
    assert type(ours) is OrderedDict and list(ours) == list(theirs)
    assert all(ours[name].dtype == torch.float64 and torch.equal(ours[name], theirs[name]) for name in theirs)
    assert (tmp_path / "features.npy").read_bytes() == theirs_at("normalization_features.npy").read_bytes()
    for name, other in (("compressed.npz", "c.npz"), ("decompressed.npz", "d.npz")):
        with np.load(theirs_at(name)) as before, np.load(tmp_path / other) as after:
            assert before.files == after.files
            for key in before.files:
                assert before[key].dtype == after[key].dtype and np.array_equal(before[key], after[key])


@pytest.fixture
def small(checkpoint) -> Checkpoint:
    """Make an untrained codec of Baler's small network."""
    torch.manual_seed(1)
    return Checkpoint.of(Autoencoder(SMALL), checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)


@pytest.mark.parametrize("which", ["checkpoint", "small"])
def test_a_model_comes_back_the_same(which, request, tmp_path):
    before = request.getfixturevalue(which)
    path = tmp_path / "model.pt"
    files.write_model(path, before)
    after = files.read_checkpoint(path, before.normalisation, before.names, before.dtypes)
    assert after.content_hash == before.content_hash
    last = list(torch.load(path, weights_only=True))[-1]
    assert last == {"checkpoint": "de4.bias", "small": "de3.bias"}[which]


def test_float32_is_written_as_float64(checkpoint, tmp_path):
    single = Checkpoint.of(
        Autoencoder(checkpoint.architecture, "float32"), checkpoint.normalisation, checkpoint.names, checkpoint.dtypes
    )
    files.write_model(tmp_path / "model.pt", single)
    parameters = torch.load(tmp_path / "model.pt", weights_only=True)
    assert {tensor.dtype for tensor in parameters.values()} == {torch.float64}
    assert all(torch.equal(parameters[name], single.parameters[name].double()) for name in parameters)
    files.write_latents(tmp_path / "c.npz", np.ones((2, 3), np.float32), single)
    with np.load(tmp_path / "c.npz") as arrays:
        assert arrays["data"].dtype == np.float64


def test_other_networks_are_refused(checkpoint, tmp_path):
    architecture = Architecture(6, 3, (64, 32))
    other = Checkpoint.of(Autoencoder(architecture), checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)
    with pytest.raises(InputError, match=r"64-32.*--model baler"):
        files.write_model(tmp_path / "model.pt", other)
    # The widths alone are not enough: the small network has a ReLU.
    with pytest.raises(InputError, match="20-10"):
        files.model_name(Architecture(6, 3, (20, 10)))
    assert list(tmp_path.iterdir()) == []


def _renamed(state):
    return {name.replace("de4", "decoder4"): tensor for name, tensor in state.items()}


def _without(name):
    return lambda state: {other: tensor for other, tensor in state.items() if other != name}


def _with(name, tensor):
    return lambda state: {**state, name: tensor}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_renamed, "missing parameters de4.weight, de4.bias; unknown parameters decoder4.weight, decoder4.bias"),
        (_without("en1.weight"), "missing parameters en1.weight"),
        (_without("de4.bias"), "missing parameters de4.bias"),
        (_without("en4.bias"), "missing parameters en4.bias"),
        (_with("de5.bias", torch.zeros(6)), "unknown parameters de5.bias"),
        (_with(7, torch.zeros(6)), "unknown parameters 7"),
        (_with("en2.weight", torch.zeros(100, 199)), "en2.weight"),
        (_with("en1.weight", torch.zeros(200, 7)), "en1.weight"),
        (_with("de4.bias", torch.zeros(7)), "en1.weight"),
        (_with("de4.bias", torch.tensor(1.0)), "latent columns"),
        (_with("en4.bias", torch.zeros(9)), "9 latent columns"),
        (_with("en3.bias", torch.full((50,), torch.nan)), "en3.bias contains NaN"),
        (_with("en3.bias", torch.zeros(50, dtype=torch.int64)), "en3.bias"),
        (_with("en3.bias", "text"), "state dict"),
        (lambda state: list(state.values()), "state dict"),
        (lambda state: Path("object"), "Python objects"),
        (lambda state: OrderedDict(state, object=np.float64(1)), "Python objects|state dict"),
    ],
)
def test_a_wrong_model_is_refused_by_name(spoil, named, checkpoint, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(spoil(dict(checkpoint.parameters)), path)
    with pytest.raises(InputError, match=named) as refused:
        files.read_model(path)
    assert str(path) in str(refused.value)


class _Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps(_Bomb())])
def test_no_file_is_unpickled(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model"
    path.write_bytes(content)
    for read in (files.read_model, files.read_features, files.read_table):
        with pytest.raises(InputError, match=str(path)):
            read(path)
    assert not (tmp_path / "exploded").exists()


def test_objects_in_arrays_are_refused(tmp_path, checkpoint, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([[_Bomb()]], dtype=object)
    np.save(tmp_path / "f.npy", objects)
    np.savez(tmp_path / "c.npz", data=np.ones((1, 3)), names=objects, normalization_features=np.ones((2, 6)))
    with pytest.raises(InputError, match=r"f\.npy.*object"):
        files.read_features(tmp_path / "f.npy")
    with pytest.raises(InputError, match=r"c\.npz.*[Oo]bject"):
        files.read_latents(tmp_path / "c.npz", checkpoint)
    assert not (tmp_path / "exploded").exists()


def test_a_missing_file_is_named(tmp_path, checkpoint):
    path = tmp_path / "nowhere"
    for read in (files.read_model, files.read_features, files.read_table):
        with pytest.raises(InputError, match=str(path)):
            read(path)
    with pytest.raises(InputError, match=str(path)):
        files.read_latents(path, checkpoint)


def _features(values) -> dict:
    return {"normalization_features": values}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"data": np.ones((5, 4))}, r"\(5, 4\)"),
        ({"data": np.ones(3)}, r"\(3,\)"),
        ({"data": np.ones((5, 3), dtype=np.int64)}, "int64"),
        ({"data": np.array([[0.0, 1.0, 2.0], [0.0, np.nan, 1.0]])}, "row 1, latent 1"),
        ({"names": np.array(["a"])}, "'names'"),
        (_features(np.ones((2, 6))), "trained again"),
        (_features(np.empty(0)), "trained again"),
        (_features(np.full((2, 6), np.nan)), "cannot be scaled"),
    ],
)
def test_wrong_latents_are_refused(change, named, checkpoint, tmp_path):
    good = {
        "data": np.ones((5, 3)),
        "names": np.array(checkpoint.names),
        "normalization_features": checkpoint.normalisation.features,
    }
    path = tmp_path / "compressed.npz"
    np.savez(path, **good)
    assert len(files.read_latents(path, checkpoint))
    np.savez(path, **(good | change))
    with pytest.raises(InputError, match=named) as refused:
        files.read_latents(path, checkpoint)
    assert str(path) in str(refused.value)


def test_a_project_without_normalisation_is_read_unscaled(checkpoint, tmp_path):
    raw = replace(checkpoint, normalisation=files.unscaled(6))
    rows = np.random.default_rng(2).normal(size=(9, 6)) * 1e5
    assert np.array_equal(raw.normalisation.normalise(rows), rows)
    assert np.array_equal(raw.normalisation.restore(rows), rows)
    np.savez(tmp_path / "c.npz", data=np.ones((5, 3)), names=np.array(raw.names), normalization_features=[])
    assert len(files.read_latents(tmp_path / "c.npz", raw)) == 5


@pytest.mark.parametrize("what", ["features", "names", "types"])
def test_counts_that_differ_are_refused(what, checkpoint, tmp_path):
    path = tmp_path / "model.pt"
    files.write_model(path, checkpoint)
    features, names, dtypes = checkpoint.normalisation, checkpoint.names, checkpoint.dtypes
    if what == "features":
        features = Normalisation(np.ones((2, 5)))
    names, dtypes = names[: 5 if what == "names" else 6], dtypes[: 5 if what == "types" else 6]
    with pytest.raises(InputError, match=f"6 columns, but there are 5 {what}"):
        files.read_checkpoint(path, features, names, dtypes)


def test_a_table_keeps_its_values_and_is_given_types(table, tmp_path):
    path = tmp_path / "decompressed.npz"
    files.write_table(path, table)
    after = files.read_table(path, table.dtypes, table.origin)
    assert np.array_equal(after.data, table.data)
    assert (after.names, after.dtypes, after.origin) == (table.names, table.dtypes, table.origin)
    assert files.read_table(path).dtypes == ("float64", "float64", "int64", "float64", "int64", "float64")
    with pytest.raises(InputError, match="6 columns, but 2 types"):
        files.read_table(path, ("int64", "int64"))

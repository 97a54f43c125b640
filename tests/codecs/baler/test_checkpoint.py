"""The checkpoint file."""

from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import FORMAT, VERSION, Checkpoint
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.errors import InputError


def _rewrite(path, **changes):
    content = torch.load(path, weights_only=True)
    torch.save({**content, **changes}, path)


def test_a_checkpoint_comes_back(checkpoint, tmp_path):
    checkpoint.write(tmp_path / "c.pt")
    back = Checkpoint.read(tmp_path / "c.pt")
    assert back.content_hash == checkpoint.content_hash
    assert (back.names, back.dtypes, back.precision) == (checkpoint.names, checkpoint.dtypes, "float64")
    assert back.architecture == Architecture(6, 3)
    assert (back.normalisation.features == checkpoint.normalisation.features).all()
    assert all(torch.equal(back.parameters[name], tensor) for name, tensor in checkpoint.parameters.items())


def test_the_same_content_is_the_same_bytes_under_any_name(checkpoint, tmp_path):
    checkpoint.write(tmp_path / "one.pt")
    checkpoint.write(tmp_path / "another.pt")
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another.pt").read_bytes()


def test_a_snapshot_does_not_follow_the_network(checkpoint):
    model = Autoencoder(Architecture(6, 3))
    snapshot = Checkpoint.of(model, checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)
    before = snapshot.parameters["en1.bias"].clone()
    with torch.no_grad():
        model.get_parameter("en1.bias").add_(1)
    assert torch.equal(snapshot.parameters["en1.bias"], before)


def test_the_hash_covers_everything(checkpoint):
    changed = {name: tensor.clone() for name, tensor in checkpoint.parameters.items()}
    changed["de4.bias"][0] += 1e-9
    hashes = {
        checkpoint.content_hash,
        replace(checkpoint, parameters=changed).content_hash,
        replace(checkpoint, names=("a", *checkpoint.names[1:])).content_hash,
        replace(checkpoint, dtypes=("float64", *checkpoint.dtypes[1:])).content_hash,
        replace(
            checkpoint, normalisation=type(checkpoint.normalisation)(checkpoint.normalisation.features * 2)
        ).content_hash,
    }
    assert len(hashes) == 5


def test_another_file_is_refused(tmp_path):
    torch.save({"en1.weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="not a checkpoint"):
        Checkpoint.read(tmp_path / "model.pt")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.pt: cannot be read"):
        Checkpoint.read(tmp_path / "absent.pt")


def test_networks_without_a_skip_are_written_as_before_there_were_skips(checkpoint, tmp_path):
    checkpoint.write(tmp_path / "c.pt")
    written = torch.load(tmp_path / "c.pt", weights_only=True)
    assert written["architecture"].keys() == {"columns", "latent", "hidden", "negative_slope"}
    skipping = Architecture(checkpoint.architecture.columns, checkpoint.latent, (8,), skip=True)
    other = Checkpoint.of(Autoencoder(skipping), checkpoint.normalisation, checkpoint.names, checkpoint.dtypes)
    other.write(tmp_path / "skip.pt")
    assert Checkpoint.read(tmp_path / "skip.pt").architecture == skipping


def test_a_newer_version_is_refused(checkpoint, tmp_path):
    checkpoint.write(tmp_path / "c.pt")
    _rewrite(tmp_path / "c.pt", version=VERSION + 1)
    with pytest.raises(InputError, match=rf"version {VERSION + 1}.*Update"):
        Checkpoint.read(tmp_path / "c.pt")


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ["a"]},
        {"names": None},
        {"dtypes": ["float64"] * 5 + ["nonsense"]},
        {"precision": "float16"},
        {"precision": "float32"},
        {"architecture": {"columns": 6, "latent": 2}},
        {"state_dict": {}},
        {"state_dict": [1]},
        {"normalization_features": torch.zeros(2, 6)},
        {"sha256": "0" * 64},
    ],
)
def test_contents_that_disagree_are_refused(checkpoint, tmp_path, changes):
    checkpoint.write(tmp_path / "c.pt")
    _rewrite(tmp_path / "c.pt", **changes)
    with pytest.raises(InputError):
        Checkpoint.read(tmp_path / "c.pt")


def test_objects_are_not_unpickled(tmp_path):
    torch.save({"format": FORMAT, "path": tmp_path}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="damaged or not a valid checkpoint"):
        Checkpoint.read(tmp_path / "c.pt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(data=st.data())
def test_a_flipped_byte_is_refused_or_harmless(checkpoint, tmp_path, data):
    path = tmp_path / "c.pt"
    checkpoint.write(path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with suppress(InputError):
        assert Checkpoint.read(path).content_hash == checkpoint.content_hash


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(checkpoint, tmp_path, kept):
    path = tmp_path / "c.pt"
    checkpoint.write(path)
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(InputError, match="damaged"):
        Checkpoint.read(path)

"""The network, and parameters from other sources."""

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.errors import InputError

SMALL = Architecture(4, 2)


def test_parameters_are_counted_and_named_as_balers():
    model = Autoencoder(Architecture(24, 12))
    assert sum(p.numel() for p in model.parameters()) == Architecture(24, 12).parameters == 61_536
    assert list(model.state_dict()) == [
        f"{half}{number}.{kind}" for half in ("en", "de") for number in (1, 2, 3, 4) for kind in ("weight", "bias")
    ]


def _by_hand(parameters: dict[str, torch.Tensor], half: str, values: np.ndarray) -> np.ndarray:
    for number in (1, 2, 3, 4):
        weight, bias = (parameters[f"{half}{number}.{kind}"].numpy() for kind in ("weight", "bias"))
        values = values @ weight.T + bias
        if number < 4:
            values = np.where(values > 0, values, 0.01 * values)
    return values


def test_hidden_layers_are_leaky_and_the_others_are_linear():
    model = Autoencoder(SMALL)
    rows = np.random.default_rng(1).normal(size=(7, 4))
    latents = model.encode(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(latents, _by_hand(model.state_dict(), "en", rows), rtol=1e-12, atol=1e-14)
    restored = model(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(restored, _by_hand(model.state_dict(), "de", latents), rtol=1e-12, atol=1e-14)


def test_one_seed_starts_both_precisions_from_the_same_network():
    torch.manual_seed(2)
    double = Autoencoder(SMALL, "float64").state_dict()
    torch.manual_seed(2)
    single = Autoencoder(SMALL, "float32").state_dict()
    assert all(torch.equal(double[name].float(), single[name]) for name in double)


def test_foreign_parameters_are_copied():
    source, target = Autoencoder(SMALL), Autoencoder(SMALL)
    target.load_parameters(source.state_dict(), "here")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def _renamed(parameters):
    return {name.replace("en1", "encoder1"): tensor for name, tensor in parameters.items()}


def _shortened(parameters):
    return {name: tensor for name, tensor in parameters.items() if name != "de4.bias"}


def _extended(parameters):
    return {**parameters, "de5.bias": torch.zeros(4)}


def _reshaped(parameters):
    return {**parameters, "en4.weight": torch.zeros(3, 50)}


def _integers(parameters):
    return {**parameters, "en4.bias": torch.zeros(2, dtype=torch.int64)}


def _not_finite(parameters):
    return {**parameters, "en4.bias": torch.tensor([0.0, float("nan")])}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_renamed, "encoder1.weight"),
        (_shortened, "de4.bias"),
        (_extended, "de5.bias"),
        (_reshaped, "en4.weight"),
        (_integers, "en4.bias"),
        (_not_finite, "NaN"),
    ],
)
def test_wrong_parameters_are_refused_and_leave_the_network_alone(spoil, named):
    model = Autoencoder(SMALL)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(InputError, match=named):
        model.load_parameters(spoil(Autoencoder(SMALL).state_dict()), "model.pt")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.fixture
def upstream(shared):
    parameters = torch.load(shared("baler_upstream/model.pt"), weights_only=True)
    arrays = {
        name: np.load(shared(f"baler_upstream/{name}.npz"), allow_pickle=False)
        for name in ("input", "compressed", "decompressed")
    }
    return parameters, np.load(shared("baler_upstream/normalization_features.npy"), allow_pickle=False), arrays


def test_upstream_balers_model_encodes_and_decodes_as_baler_did(upstream):
    parameters, features, arrays = upstream
    model = Autoencoder(Architecture(24, 12))
    model.load_parameters(parameters, "model.pt")
    normalisation = Normalisation(features)
    rows, latents = arrays["input"]["data"], arrays["compressed"]["data"]
    with torch.no_grad():
        ours = model.encode(torch.from_numpy(normalisation.normalise(rows))).numpy()
        restored = normalisation.restore(model.decode(torch.from_numpy(latents)).numpy())
    np.testing.assert_allclose(ours, latents, rtol=0, atol=1e-12)
    floats = (rows % 1 != 0).any(axis=0)
    assert floats.sum() == 15
    difference = np.abs(restored - arrays["decompressed"]["data"])[:, floats] / features[1, floats]
    assert difference.max() < 1e-12
    # Baler truncates integer columns.
    truncated = np.trunc(restored[:, ~floats])
    assert np.mean(truncated == arrays["decompressed"]["data"][:, ~floats]) > 0.999


def test_upstream_balers_features_are_ours(upstream):
    _, features, arrays = upstream
    assert np.array_equal(Normalisation.of(arrays["input"]["data"], [""] * 24).features, features)

"""Pruning: what is removed, what stays, and that the network is fine-tuned."""

import math
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture, Network
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.pruning import costly_neurons, neurons, weights
from baler_energy.codecs.baler.pruning.base import Pruning, fine_tuning_epochs
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.errors import InputError
from baler_energy.variants import PRUNINGS

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(epochs=12, batch_size=64, seed=11)


@st.composite
def networks_with_idle_neurons(draw):
    """Draw a network, and how many neurons of each hidden layer have no outgoing weights."""
    hidden = tuple(draw(st.lists(st.integers(2, 9), min_size=1, max_size=3)))
    columns, latent = draw(st.integers(2, 5)), draw(st.integers(1, 2))
    idle = [draw(st.integers(0, width - min(width, latent))) for width in hidden]
    torch.manual_seed(draw(st.integers(0, 2**31)))
    slope, skip = draw(st.sampled_from([0.01, 0.0, 0.3])), draw(st.booleans())
    model = Autoencoder(Architecture(columns, latent, hidden, slope, skip))
    parameters = dict(model.named_parameters())
    for half, order in ((model.architecture.encoder, 1), (model.architecture.decoder, -1)):
        for following, count, width in zip(list(half)[1:], idle[::order], hidden[::order], strict=True):
            weight = parameters[f"{following}.weight"]
            with torch.no_grad():
                weight[:, torch.randperm(width)[:count]] = 0
    return model, idle


@settings(max_examples=60)
@given(networks_with_idle_neurons())
def test_neurons_without_outgoing_weights_go_first_and_change_nothing(drawn):
    model, idle = drawn
    hidden = model.architecture.hidden
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    smaller = neurons.without_smallest(model, sum(idle) / sum(hidden), [1.0] * len(hidden))
    assert smaller.architecture.hidden == tuple(width - gone for width, gone in zip(hidden, idle, strict=True))
    assert [layer.weight.shape for layer in smaller.children()] == [
        layer.weight.shape for layer in Autoencoder(smaller.architecture).children()
    ]
    rows = torch.rand(7, model.architecture.columns, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(smaller(rows), model(rows), rtol=1e-12, atol=1e-12)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def two_layers() -> Autoencoder:
    """Make a network whose neurons have products of norms 1 and 3 in the first layer, and 2 and 3 in the second."""
    model = Autoencoder(Architecture(2, 1, (2, 2)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.en1.weight.copy_(torch.tensor([[1.0, 0], [3, 0]]))
        model.en2.weight.copy_(torch.eye(2))
        model.en3.weight.copy_(torch.tensor([[2.0, 3]]))
        model.de1.weight.copy_(torch.tensor([[2.0], [3]]))
        model.de2.weight.copy_(torch.eye(2))
        model.de3.weight.copy_(torch.tensor([[1.0, 3], [0, 0]]))
    return model


def test_magnitudes_are_products_of_norms_relative_to_their_layer():
    encoder, decoder = neurons.magnitudes(two_layers())
    assert [one.tolist() for one in encoder] == [[0.5, 1.5], [0.8, 1.2]]
    assert [one.tolist() for one in decoder] == [[0.8, 1.2], [0.5, 1.5]]


def test_what_a_neuron_costs_comes_before_what_it_weighs(monkeypatch):
    """One of four neurons, by hand: 0.5 < 0.8 by magnitude; with costs of 6 and 16, 0.5 / 6 > 0.8 / 16."""
    times_s = {"en1": 1.0, "en2": 5.0, "en3": 11.0, "de1": 11.0, "de2": 5.0, "de3": 1.0}
    model = two_layers()
    assert costly_neurons.costs_of_neurons(model.architecture, times_s) == [6.0, 16.0]
    monkeypatch.setattr(costly_neurons, "layer_times_s", lambda *_: times_s)
    with neurons.pruned(model, 0.25, SETTINGS) as light, costly_neurons.pruned(model, 0.25, SETTINGS) as cheap:
        assert light.architecture.hidden == (1, 2) and cheap.architecture.hidden == (2, 1)
        assert light.en1.weight.tolist() == [[3, 0]] and light.de3.weight.tolist() == [[3], [0]]
        assert cheap.en3.weight.tolist() == [[3]] and cheap.de1.weight.tolist() == [[3]]
    with neurons.pruned(model, 0.99, SETTINGS) as least:
        assert least.architecture.hidden == (1, 1), "as many as latent columns stay"


def test_each_training_measures_the_layers_and_all_remove_the_same_neurons(table, monkeypatch):
    """Otherwise the warm-up, which is outside of the measured window, would pay for the measurement."""
    measured = []

    def measure(architecture, *_):
        measured.append(architecture.hidden)
        # The second training finds other layers costly.
        half = [1.0, 1.0, 1e6, 1e6] if len(measured) == 1 else [1e6, 1e6, 1.0, 1.0]
        return dict(zip([*architecture.encoder, *architecture.decoder], [*half, *reversed(half)], strict=True))

    monkeypatch.setattr(costly_neurons, "_FIRST_S", {})
    monkeypatch.setattr(costly_neurons, "_measured_s", measure)
    how = SETTINGS.changed(epochs=2, pruning="costly-neurons-0.5")
    found = [_train(training, table, how).model.architecture.hidden for _ in range(2)]
    assert measured == [(200, 100, 50)] * 2 and found[0] == found[1]


def test_times_of_layers_are_those_measured_first():
    architecture = Architecture(2, 1, (1500, 1500))
    times_s = costly_neurons.layer_times_s(architecture, 32, torch.float64, CPU)
    assert list(times_s) == ["en1", "en2", "en3", "de1", "de2", "de3"]
    assert times_s["en2"] > times_s["en1"] > 0 and times_s["de2"] > times_s["de3"]
    assert costly_neurons.layer_times_s(architecture, 32, torch.float64, CPU) is times_s


def test_pruned_weights_keep_every_matrix_its_size_and_stay_zero_in_training(table):
    found = _train(training, table, SETTINGS.changed(pruning="weights-0.5"))
    assert found.model.architecture == Architecture(6, 3), "so every product has as many operations as before"
    assert found.pruned_after == 9
    layers = list(found.model.children())
    zeros = sum(int((layer.weight == 0).sum()) for layer in layers)
    assert zeros == round(0.5 * sum(layer.weight.numel() for layer in layers))
    assert all(layer.weight.layout is torch.strided for layer in layers)
    assert list(found.model.state_dict()) == list(Autoencoder(Architecture(6, 3)).state_dict())


def _train(engine, table, settings, **options):
    return engine.train(table.data, table.names, Architecture(6, 3), settings, CPU, **options)


@pytest.mark.parametrize("engine", [training, fast], ids=["reference", "fast"])
@pytest.mark.parametrize("name", [name for name, kind in PRUNINGS.items() if kind.structured])
def test_the_network_is_pruned_before_the_last_epochs_and_fine_tuned(engine, name, table):
    seen = []
    found = _train(engine, table, SETTINGS.changed(pruning=f"{name}-0.5"), on_epoch=seen.append)
    hidden = found.model.architecture.hidden
    assert sum(hidden) == 175 and all(map(int.__lt__, hidden, (200, 100, 50)))
    assert tuple(seen) == found.epochs and [epoch.epoch for epoch in seen] == list(range(1, 13))
    losses = [epoch.loss for epoch in found.epochs]
    assert found.pruned_after == 9 and losses[9] > losses[8] and losses[11] < losses[9]
    plain = _train(engine, table, SETTINGS)
    assert losses[:9] == [epoch.loss for epoch in plain.epochs[:9]]
    again = _train(engine, table, SETTINGS.changed(pruning=f"{name}-0.5"))
    assert all(map(torch.equal, again.model.parameters(), found.model.parameters()))


def test_the_engines_agree(table):
    ours, theirs = (_train(one, table, SETTINGS.changed(pruning="neurons-0.3")).model for one in (training, fast))
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_fine_tuning_goes_on_until_the_target_is_reached_again(table):
    losses = [epoch.loss for epoch in _train(training, table, SETTINGS.changed(epochs=40)).epochs]
    settings = SETTINGS.changed(epochs=40, stop_at_loss=losses[9], pruning="neurons-0.2")
    found = _train(training, table, settings)
    assert found.pruned_after == 10
    tuned = [epoch.loss for epoch in found.epochs[10:]]
    assert tuned[-1] <= losses[9] < min(tuned[:-1]) and len(found.epochs) < 40


@given(st.integers(1, 1000), st.floats(0, 0.99))
def test_fine_tuning_has_its_share_of_the_epochs(epochs, share):
    count = fine_tuning_epochs(SETTINGS.changed(epochs=epochs, fine_tuning=share))
    assert 0 <= count < epochs
    assert count == min(epochs - 1, math.ceil(share * epochs - 1e-9))


def test_without_fine_tuning_the_network_is_pruned_last(table):
    for changes in ({"epochs": 4, "fine_tuning": 0.0, "stop_at_loss": 1e6}, {"epochs": 1}):
        found = _train(training, table, SETTINGS.changed(pruning="neurons-0.5", **changes))
        assert found.pruned_after == len(found.epochs) == 1 and sum(found.model.architecture.hidden) == 175


@pytest.mark.parametrize(
    "text", ["neurons", "neurons-0", "neurons-1", "neurons-1.5", "heads-0.5", "0.5", "", "none-0.1"]
)
def test_other_values_are_refused(text):
    with pytest.raises(InputError, match=r"use none, or one of neurons, costly-neurons, weights"):
        Pruning.parse(text)


@pytest.mark.parametrize(
    ("pruning", "hidden", "allowed"),
    [
        ("neurons-0.5", (100, 50, 25), True),
        ("neurons-0.5", (150, 13, 12), True),
        ("neurons-0.5", (100, 50, 26), False),
        ("neurons-0.5", (50, 25, 100), False),
        ("neurons-0.5", (150, 25), False),
        ("neurons-0.99", (12, 12, 12), True),
        ("weights-0.5", (200, 100, 50), True),
        ("weights-0.5", (100, 50, 25), False),
    ],
)
def test_a_network_shows_whether_it_was_pruned_so(pruning, hidden, allowed):
    assert Pruning.parse(pruning).allows(Network(hidden), Network(), 12) is allowed
    assert not Pruning.parse(pruning).allows(Network(hidden, 0.5), Network(), 12)
    assert not Pruning.parse(pruning).allows(Network(hidden, skip=True), Network(), 12)


def test_weights_are_masked_only_inside_the_context():
    model = two_layers()
    with weights.pruned(model, 0.5, SETTINGS) as same, nullcontext(dict(model.named_parameters())) as masked:
        assert same is model and "en1.weight_orig" in masked
    assert "en1.weight" in dict(model.named_parameters())

"""Optimizers of the reference and the fast engine."""

import inspect

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.fast import Step
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import Trained, new_model, new_optimizer
from baler_energy.config.parameters import Training
from baler_energy.config.study import Point
from baler_energy.data import toy
from baler_energy.variants import OPTIMIZERS, load

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(epochs=6, batch_size=64, seed=11)
#: SOAP amplifies rounding: its first bases contain eigenvectors of the eigenvalue 0, which are arbitrary.
REPRODUCIBLE = [name for name in OPTIMIZERS if name != "soap"]


def trained(engine, table, name: str, **changes) -> Trained:
    rate = load(OPTIMIZERS[name]).LEARNING_RATE
    how = SETTINGS.changed(optimizer=name, learning_rate=rate, **changes)
    return engine.train(table.data, table.names, Architecture(6, 3), how, CPU)


def point(**changes) -> Point:
    base = {"dataset": "toy", "rows": 100, "epochs": 1, "repeat": 0}
    return Point(**base | changes)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_rerun_gives_the_same_bits_and_a_lower_loss(table, name, precision):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = trained(training, table, name, precision=precision)
    assert torch.equal(torch.rand(3), expected), "the caller's random state does not change"
    second = trained(training, table, name, precision=precision)
    assert [e.loss for e in first.epochs] == [e.loss for e in second.epochs]
    assert first.epochs[-1].loss < first.epochs[0].loss
    assert {p.dtype for p in first.model.parameters()} == {getattr(torch, precision)}


@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
@pytest.mark.parametrize("name", REPRODUCIBLE)
def test_the_fast_engine_takes_the_references_steps(table, name, schedule):
    first, second = (trained(engine, table, name, schedule=schedule) for engine in (training, fast))
    assert [e.loss for e in second.epochs] == pytest.approx([e.loss for e in first.epochs], rel=1e-12)
    for theirs, ours in zip(first.model.parameters(), second.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_soap_takes_the_same_steps_on_views_of_a_vector():
    model, viewed = (new_model(Architecture(6, 3), SETTINGS) for _ in range(2))
    settings = SETTINGS.changed(optimizer="soap", learning_rate=0.01)
    optimizer, step = new_optimizer(list(model.parameters()), settings), Step(viewed, settings)
    generator = torch.Generator().manual_seed(1)
    sizes = [one.numel() for one in model.parameters()]
    for _ in range(25):
        step.gradient.normal_(generator=generator)
        # Products round differently where memory begins at another address modulo the width of a vector register; the
        # first gradient leaves eigenvectors undetermined, so that the rounding decides which ones SOAP takes.
        for one, part in zip(model.parameters(), step.gradient.clone().split(sizes), strict=True):
            one.grad = part.view_as(one)
        optimizer.step()
        step.optimizer.step()
    assert torch.equal(parameters_to_vector(model.parameters()), step.parameters)
    assert not torch.equal(step.parameters, parameters_to_vector(new_model(Architecture(6, 3), SETTINGS).parameters()))


def test_soap_learns_as_much_in_the_fast_engine(table):
    first, second = (trained(engine, table, "soap", epochs=10) for engine in (training, fast))
    assert second.epochs[0].loss == pytest.approx(first.epochs[0].loss, rel=0.05)
    assert second.epochs[-1].loss == pytest.approx(first.epochs[-1].loss, rel=0.3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_steps_on_the_whole_vector_are_captured_in_a_graph(name):
    step = Step(new_model(Architecture(6, 3), SETTINGS), SETTINGS.changed(optimizer=name))
    assert step.is_one_vector == (name not in {"sophia", "muon", "soap"})


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_default_rate_is_used_unless_one_is_given(name):
    module = load(OPTIMIZERS[name])
    assert TrainingSettings.of(point(optimizer=name), 1, Training()).learning_rate == module.LEARNING_RATE
    assert TrainingSettings.of(point(optimizer=name, learning_rate=0.02), 1, Training()).learning_rate == 0.02
    assert TrainingSettings(epochs=1, batch_size=1, seed=1, optimizer=name).learning_rate == module.LEARNING_RATE
    with_rate = TrainingSettings(epochs=1, batch_size=1, seed=1, optimizer=name, learning_rate=0.02)
    assert with_rate.changed(epochs=2).learning_rate == 0.02
    assert list(inspect.signature(module.make).parameters) == ["parameters", "learning_rate", "vector"]


def test_the_momentum_of_sgd_is_nine_tenths():
    weight = torch.zeros(2, requires_grad=True)
    optimizer = new_optimizer([weight], SETTINGS.changed(optimizer="sgd", learning_rate=0.1))
    for _ in range(2):
        weight.grad = torch.ones(2)
        optimizer.step()
    assert weight.tolist() == pytest.approx([-0.1 - 0.1 * 1.9] * 2)


def test_muon_updates_matrices_and_adam_the_biases():
    """Muon's step has equal singular values; Adam's first step is the rate in each component."""
    generator = torch.Generator().manual_seed(1)
    weight, bias = torch.zeros(6, 4, requires_grad=True), torch.zeros(4, requires_grad=True)
    optimizer = new_optimizer([weight, bias], SETTINGS.changed(optimizer="muon", learning_rate=0.01))
    weight.grad, bias.grad = torch.randn(6, 4, generator=generator), torch.randn(4, generator=generator)
    before = np.linalg.svd(weight.grad.numpy(), compute_uv=False)
    optimizer.step()
    after = np.linalg.svd(weight.detach().numpy(), compute_uv=False)
    assert after.max() / after.min() < 2 < before.max() / before.min()
    assert bias.detach().abs().tolist() == pytest.approx([0.01] * 4, rel=1e-4)


def test_a_schedule_changes_both_of_muons_rates():
    table = toy.generate(200, 1)
    how = SETTINGS.changed(optimizer="muon", learning_rate=0.01, schedule="one-cycle", epochs=2)
    parameters = [torch.zeros(3, 2, requires_grad=True), torch.zeros(2, requires_grad=True)]
    optimizer = new_optimizer(parameters, how)
    learner = training.new_learner(None, optimizer, torch.Generator(), how, 4)
    rates = set()
    for _ in range(8):
        for one in parameters:
            one.grad = torch.ones_like(one)
        optimizer.step()
        learner.after_step()
        own = {group["lr"] for both in optimizer._both for group in both.param_groups}
        assert len(own) == 1
        rates |= own
    assert len(rates) == 8
    losses = [e.loss for e in training.train(table.data, table.names, Architecture(24, 12), how, CPU).epochs]
    assert losses[1] < losses[0]

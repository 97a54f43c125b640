"""The reference engine."""

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.training import Trained, batch_loss, train
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.config.parameters import AXIS_DEFAULTS, Training
from baler_energy.config.study import Point
from baler_energy.errors import InputError

CPU = torch.device("cpu")
ARCHITECTURE = Architecture(6, 3)
SETTINGS = TrainingSettings(epochs=3, batch_size=64, seed=11)


def _train(table, settings=SETTINGS, **options) -> Trained:
    return train(table.data, table.names, ARCHITECTURE, settings, CPU, **options)


def _same(first: Trained, second: Trained) -> bool:
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_loss_is_the_summed_squared_error_over_columns():
    rows, restored = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    assert batch_loss(restored, rows).item() == (4 + 9 + 16) / 2


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_rerun_gives_the_same_bits(table, shuffle, precision):
    settings = SETTINGS.changed(shuffle=shuffle, precision=precision)
    first = _train(table, settings)
    torch.rand(10)
    second = _train(table, settings)
    assert _same(first, second)
    assert [e.loss for e in first.epochs] == [e.loss for e in second.epochs]
    assert next(first.model.parameters()).dtype == getattr(torch, precision)


def test_another_seed_and_shuffling_give_other_networks(table):
    base = _train(table)
    assert not _same(base, _train(table, SETTINGS.changed(seed=12)))
    assert not _same(base, _train(table, SETTINGS.changed(shuffle=True)))


def test_training_leaves_the_callers_random_state_alone(table):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    _train(table)
    assert torch.equal(torch.rand(3), expected)


def test_the_steps_are_those_of_adam_on_the_batches_in_order(table):
    """Baler's loop by hand: slices in order, the last one smaller, Adam at 1e-3, mean of the batches' losses."""
    trained = _train(table)
    torch.manual_seed(SETTINGS.seed)
    model = Autoencoder(ARCHITECTURE)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    rows = torch.from_numpy(Normalisation.of(table.data, table.names).normalise(table.data))
    losses = []
    for _ in range(SETTINGS.epochs):
        batches = []
        for batch in rows.split(SETTINGS.batch_size):
            adam.zero_grad()
            loss = ((model(batch) - batch) ** 2).sum() / 6
            loss.backward()
            adam.step()
            batches.append(loss.item())
        losses.append(sum(batches) / len(batches))
    assert len(batches) == 5
    np.testing.assert_allclose([e.loss for e in trained.epochs], losses, rtol=1e-12)
    for ours, theirs in zip(trained.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-13)


def test_epochs_are_reported_as_they_end(table):
    seen = []
    trained = _train(table, on_epoch=seen.append)
    assert tuple(seen) == trained.epochs
    assert [e.epoch for e in seen] == [1, 2, 3]
    assert all(e.duration_s > 0 for e in seen)
    assert seen[-1].loss < seen[0].loss


def test_early_stopping_waits_for_its_patience(table):
    # At this rate the loss jumps up and down.
    losses = [epoch.loss for epoch in _train(table, SETTINGS.changed(epochs=60, learning_rate=1.0)).epochs]
    settings = SETTINGS.changed(epochs=60, early_stopping_patience=3, learning_rate=1.0)
    stopped = [epoch.loss for epoch in _train(table, settings).epochs]
    assert stopped == losses[: len(stopped)] and len(stopped) < 60
    best = stopped.index(min(stopped))
    assert len(stopped) == best + 1 + 3, "three epochs after the lowest loss so far"
    assert all(min(losses[:n]) < min(losses[: n - 3]) for n in range(4, best + 1))
    assert len(_train(table, SETTINGS.changed(epochs=5, early_stopping_patience=3)).epochs) == 5


def test_training_stops_at_the_first_loss_that_is_low_enough(table):
    losses = [epoch.loss for epoch in _train(table, SETTINGS.changed(epochs=20)).epochs]
    assert losses == sorted(losses, reverse=True)
    for target, count in ((losses[7], 8), ((losses[7] + losses[8]) / 2, 9), (losses[0] * 2, 1), (losses[-1] / 2, 20)):
        stopped = _train(table, SETTINGS.changed(epochs=20, stop_at_loss=target))
        assert [epoch.loss for epoch in stopped.epochs] == losses[:count]


@pytest.fixture
def rates(monkeypatch) -> list[float]:
    """Record the learning rate of each step."""
    rates = []
    original = torch.optim.Adam.step

    def step(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    return rates


def test_one_cycle_is_over_all_steps(table, rates):
    """PyTorch's default shape: from 1/25 of the rate to the rate at 3/10 of the steps, then to almost zero."""
    settings = SETTINGS.changed(epochs=20, learning_rate=0.02, schedule="one-cycle")
    _train(table, settings)
    rates = np.array(rates)
    assert len(rates) == 20 * 5
    assert rates[0] == pytest.approx(0.02 / 25) and rates.max() == pytest.approx(0.02)
    assert rates.argmax() == 0.3 * 100 - 1 and rates[-1] == pytest.approx(0.02 / 25 / 1e4)
    assert (np.diff(rates[:30]) > 0).all() and (np.diff(rates[29:]) < 0).all()


def test_a_plateau_lowers_the_rate(table, rates):
    # At this rate the loss stays constant, so that every epoch from the second on is part of the plateau.
    settings = SETTINGS.changed(
        epochs=5, learning_rate=1e-12, schedule="plateau", plateau_patience=1, plateau_factor=0.1
    )
    _train(table, settings)
    batches = 5
    assert rates[::batches] == pytest.approx([1e-12, 1e-12, 1e-12, 1e-13, 1e-13])


def test_divergence_is_one_message(table):
    with pytest.raises(InputError, match=r"diverged.*--learning-rate"):
        _train(table, SETTINGS.model_copy(update={"learning_rate": 1e200, "epochs": 5}))


def test_a_column_that_cannot_be_scaled_is_named(table):
    table.data[5, 2] = np.nan
    with pytest.raises(InputError, match="'charge'"):
        _train(table)


def test_upstream_balers_loss_is_of_the_same_order(shared):
    data = np.load(shared("baler_upstream/input.npz"), allow_pickle=False)["data"]
    theirs = np.load(shared("baler_upstream/loss_data.npy"), allow_pickle=False)[0]
    settings = TrainingSettings(epochs=20, batch_size=512, seed=1)
    trained = train(data, [str(n) for n in range(24)], Architecture(24, 12), settings, CPU)
    ours = np.array([e.loss for e in trained.epochs])
    assert len(ours) == len(theirs) == 20
    assert (ours / theirs).min() > 0.5 and (ours / theirs).max() < 2


def test_settings_have_the_defaults_of_the_parameters():
    given = TrainingSettings(epochs=1, batch_size=1, seed=1)
    shared = TrainingSettings.model_fields.keys() & AXIS_DEFAULTS.keys() - {"batch_size", "learning_rate"}
    assert shared == {"precision", "start", "schedule", "optimizer", "pruning"}
    assert {name: getattr(given, name) for name in shared} == {name: AXIS_DEFAULTS[name] for name in shared}


def test_settings_of_a_point_have_its_values_and_those_that_all_points_share():
    point = Point(
        **{"dataset": "toy", "rows": 100, "epochs": 7, "repeat": 2, "batch_size": 32, "precision": "float32"},
        **{"start": "pca", "schedule": "one-cycle", "optimizer": "adamw", "pruning": "neurons-0.5"},
    )
    found = TrainingSettings.of(point, 5, Training(shuffle=True, fine_tuning=0.5))
    assert found.model_dump(exclude_defaults=True) == {
        **{"epochs": 7, "batch_size": 32, "seed": 5, "precision": "float32", "start": "pca"},
        **{"optimizer": "adamw", "learning_rate": 3e-3, "schedule": "one-cycle", "pruning": "neurons-0.5"},
        **{"shuffle": True, "fine_tuning": 0.5},
    }

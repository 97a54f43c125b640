"""A resumed training gives the same bits as one that was never interrupted."""

import io

import numpy as np
import pytest
import torch

from baler_energy.codecs.baler import fast, training
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.variants import OPTIMIZERS

pytestmark = pytest.mark.long

NAMES = [f"x{n}" for n in range(6)]
SETTINGS = TrainingSettings(epochs=12, batch_size=32, seed=3)


class InterruptedTrainingError(Exception):
    pass


class Keeper:
    """Saves the state after an epoch as a file would, and interrupts the training there."""

    def __init__(self, stop: int | None, state=None) -> None:
        self.stop, self.state, self.offered = stop, state, 0

    def restore(self):
        return self.state

    def offer(self, capture) -> None:
        self.offered += 1
        if self.offered == self.stop:
            file = io.BytesIO()
            torch.save(capture(), file)
            file.seek(0)
            self.state = torch.load(file, weights_only=True)
            raise InterruptedTrainingError


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(5).normal(size=(150, 6)) * [1, 2, 3, 4, 5, 6]


def trained(engine, data, settings, keeper=None):
    return engine.train(data, NAMES, Architecture(6, 3), settings, torch.device("cpu"), keeper=keeper)


@pytest.mark.parametrize("engine", [training, fast], ids=["reference", "fast"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shuffle": True},
        {"precision": "float32", "shuffle": True},
        {"learning_rate": 0.3, "schedule": "plateau", "plateau_patience": 1, "plateau_factor": 0.3},
        {"learning_rate": 0.03, "schedule": "one-cycle", "start": "pca"},
        {"learning_rate": 0.1, "epochs": 60, "early_stopping_patience": 4, "shuffle": True},
        {"pruning": "neurons-0.5", "schedule": "one-cycle", "shuffle": True},
    ],
    ids=["plain", "shuffled", "float32", "plateau", "one cycle", "early stopping", "pruning"],
)
def test_an_interrupted_training_gives_the_same_bits(engine, changes, data):
    settings = SETTINGS.changed(**changes)
    whole = trained(engine, data, settings)
    first = Keeper(3)
    with pytest.raises(InterruptedTrainingError):
        trained(engine, data, settings, first)
    second = Keeper(4, first.state)
    with pytest.raises(InterruptedTrainingError):
        trained(engine, data, settings, second)
    resumed = trained(engine, data, settings, Keeper(None, second.state))

    assert [(epoch.epoch, epoch.loss) for epoch in resumed.epochs] == [(e.epoch, e.loss) for e in whole.epochs]
    assert [epoch.duration_s for epoch in resumed.epochs[:3]] == [e["duration_s"] for e in first.state["epochs"]]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    if "early_stopping_patience" in changes:
        assert 7 < len(whole.epochs) < settings.epochs


@pytest.mark.parametrize(
    ("engine", "name"),
    [*((training, name) for name in OPTIMIZERS), (fast, "sophia"), (fast, "muon"), (fast, "soap")],
)
def test_an_interrupted_training_with_another_optimizer_gives_the_same_bits(engine, name, data):
    settings = SETTINGS.changed(optimizer=name, learning_rate=1e-3, schedule="one-cycle")
    first = Keeper(5)
    with pytest.raises(InterruptedTrainingError):
        trained(engine, data, settings, first)
    resumed, whole = trained(engine, data, settings, Keeper(None, first.state)), trained(engine, data, settings)
    assert all(map(torch.equal, whole.model.state_dict().values(), resumed.model.state_dict().values()))


def test_an_interrupted_bfloat16_training_gives_the_same_bits(data):
    settings = SETTINGS.changed(precision="bfloat16")
    first = Keeper(5)
    with pytest.raises(InterruptedTrainingError):
        trained(fast, data, settings, first)
    resumed, whole = trained(fast, data, settings, Keeper(None, first.state)), trained(fast, data, settings)
    assert all(map(torch.equal, whole.model.state_dict().values(), resumed.model.state_dict().values()))


def test_no_state_is_offered_after_the_last_epoch(data):
    keeper = Keeper(None)
    trained(training, data, SETTINGS, keeper)
    assert keeper.offered == SETTINGS.epochs - 1

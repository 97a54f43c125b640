"""The engine ``reference``: Baler's training in plain PyTorch, as a Baler user runs it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.model import DTYPES, Autoencoder
from baler_energy.codecs.baler.pruning.base import Pruning, fine_tuning_epochs
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.state import Epoch, Keeper, Learner, Patience
from baler_energy.codecs.engines.base import Asked, Learned, Work
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.progress import announce, progress
from baler_energy.variants import OPTIMIZERS, SCHEDULES, STARTS, load

__all__ = [
    "Epoch",
    "Trained",
    "batch_loss",
    "fit_and_prune",
    "loader",
    "new_learner",
    "new_model",
    "new_optimizer",
    "pass_over",
    "started_model",
    "train",
    "train_epochs",
    "training",
    "training_work",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """The result of training: the network (on its device), its table's normalisation, and its epochs.

    `pruned_after` is the number of epochs before the pruning; None: the network was not pruned.
    """

    model: Autoencoder
    normalisation: Normalisation
    epochs: tuple[Epoch, ...]
    pruned_after: int | None = None


def batch_loss(reconstructed: Tensor, rows: Tensor) -> Tensor:
    """Baler's loss of a batch: the sum of squared errors over rows and columns, divided by the number of columns."""
    return (reconstructed - rows).square().sum() / rows.shape[1]


def train(
    data: Floats,
    names: Sequence[str],
    architecture: Architecture,
    settings: TrainingSettings,
    device: torch.device,
    on_epoch: Callable[[Epoch], bool | None] = lambda epoch: False,
    keeper: Keeper | None = None,
) -> Trained:
    """Scale a table (rows, columns) and train a new network on it.

    On a CPU with the same number of threads, the same settings give the same bits, even if the training resumes from a
    state of `keeper`. `names` are the column names, for messages. Table and network are put on `device`. `on_epoch` is
    called at each epoch's end; if it returns True, training ends.

    Raises
    ------
    InputError
        A column cannot be scaled, or the loss is no longer finite.
    """
    normalisation = Normalisation.of(data, names)
    scaled = normalisation.normalise(data)
    batches = loader(scaled, settings, device)

    def fit(model: Autoencoder, settings: TrainingSettings, keeper: Keeper | None, before: int) -> tuple[Epoch, ...]:
        optimizer = new_optimizer(list(model.parameters()), settings)
        learner = new_learner(model, optimizer, batches.generator, settings, len(batches))
        epoch = partial(pass_over, model, batches, optimizer, learner.after_step)
        return train_epochs(epoch, learner, settings, on_epoch, keeper, before)

    return fit_and_prune(fit, started_model(architecture, settings, scaled).to(device), normalisation, settings, keeper)


def fit_and_prune(
    fit: Callable[[Autoencoder, TrainingSettings, Keeper | None, int], tuple[Epoch, ...]],
    model: Autoencoder,
    normalisation: Normalisation,
    settings: TrainingSettings,
    keeper: Keeper | None,
) -> Trained:
    """Train a network with `fit`; if the settings say so, prune it and train it again for the epochs that are left.

    `fit` takes a network, the settings of its epochs, a keeper, and the number of epochs before. Fine-tuning has a new
    optimizer and schedule; no state is saved in it, so that a training which is interrupted there resumes before it.
    """
    pruning = Pruning.parse(settings.pruning)
    if pruning is None:
        return Trained(model, normalisation, fit(model, settings, keeper, 0))
    first = fit(model, settings.changed(epochs=settings.epochs - fine_tuning_epochs(settings)), keeper, 0)
    left = settings.epochs - len(first) if settings.fine_tuning else 0
    with load(pruning.kind.module).pruned(model, pruning.share, settings) as smaller:
        further = fit(smaller, settings.changed(epochs=left), None, len(first)) if left else ()
    return Trained(smaller, normalisation, (*first, *further), len(first))


@contextmanager
def training(asked: Asked) -> Iterator[Work]:
    """Set up training with the reference engine."""
    yield training_work(asked, train)


def training_work(asked: Asked, train_network: Callable[..., Trained]) -> Work:
    """Set up training on a table in memory with a function like `train`."""
    table, point = asked.read_table(), asked.point
    settings = TrainingSettings.of(point, asked.seed, asked.training)
    architecture = Architecture.of(point.model, table.data.shape[1], point.compression_ratio)
    few = table.first(asked.warm_up_rows)
    for module in STARTS[settings.start].modules:
        if note := load(module).notice(architecture):
            announce(note)

    def finish(trained: Trained) -> Learned:
        checkpoint = Checkpoint.of(trained.model, trained.normalisation, table.names, table.dtypes)
        results = _results(trained, architecture, len(table.data))
        return Learned(checkpoint, trained.epochs, results | {"learning_rate": settings.learning_rate})

    def warm_up() -> Trained:
        return train_network(few.data, few.names, architecture, settings.changed(epochs=1), asked.device)

    return Work(
        operation=partial(train_network, table.data, table.names, architecture, settings, asked.device),
        warm_up=warm_up,
        finish=finish,
        origin=table.origin,
        saves_state=True,
    )


def _results(trained: Trained, architecture: Architecture, rows: int) -> dict[str, str | int | float | bool | None]:
    """Give the record's entries; epochs before the pruning count with the widths that training began with."""
    losses = [epoch.loss for epoch in trained.epochs]
    left, before = trained.model.architecture, trained.pruned_after
    results = left.training_results(losses, rows)
    if before is None:
        return results
    macs = rows * (before * architecture.training_macs + (len(losses) - before) * left.training_macs)
    widths = "-".join(map(str, left.hidden))
    return results | {"macs": macs, "flops": 2 * macs, "pruned_after_epoch": before, "hidden_widths": widths}


def new_learner(
    model: Autoencoder,
    optimizer: torch.optim.Optimizer,
    order: torch.Generator,
    settings: TrainingSettings,
    batches: int,
) -> Learner:
    """Collect what a training changes, with the schedule and the patience of the settings.

    `batches` is the number of batches of an epoch.
    """
    schedule = None
    for module in SCHEDULES[settings.schedule].modules:
        schedule = load(module).schedule(optimizer, settings, batches)
    patience = Patience(settings.early_stopping_patience)
    return Learner(model, optimizer, order, schedule, patience)


def train_epochs(
    epoch: Callable[[], float],
    learner: Learner,
    settings: TrainingSettings,
    on_epoch: Callable[[Epoch], bool | None],
    keeper: Keeper | None = None,
    before: int = 0,
) -> tuple[Epoch, ...]:
    """Run `epoch`, which trains on the table once and returns the loss, until the last epoch or an early stop.

    Epochs are numbered from `before` + 1.

    Raises
    ------
    InputError
        The loss is no longer finite.
    """
    state = keeper.restore() if keeper else None
    epochs = learner.restore(state) if state else []
    numbers = range(len(epochs) + 1, settings.epochs + 1)
    for number in progress(numbers, total=len(numbers), label="train", unit="epochs"):
        start = time.perf_counter()
        loss = epoch()
        epochs.append(Epoch(before + number, settings.checked(loss, before + number), time.perf_counter() - start))
        stop = on_epoch(epochs[-1])
        learner.after_epoch(loss)
        low_enough = settings.stop_at_loss is not None and loss <= settings.stop_at_loss
        if learner.patience.exhausted_by(loss) or low_enough or stop:
            break
        if keeper and number < settings.epochs:
            keeper.offer(partial(learner.capture, epochs))
    return tuple(epochs)


def loader(scaled: Floats, settings: TrainingSettings, device: torch.device) -> "DataLoader[tuple[Tensor, ...]]":
    """Put scaled rows (rows, columns) on the device, in a loader that draws batches."""
    rows = torch.as_tensor(scaled, dtype=DTYPES[settings.precision], device=device)
    return DataLoader(
        TensorDataset(rows),
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        generator=torch.Generator().manual_seed(settings.seed),
    )


def new_model(architecture: Architecture, settings: TrainingSettings) -> Autoencoder:
    """Draw the starting parameters from the seed alone; the caller's random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return Autoencoder(architecture, settings.precision)


def started_model(architecture: Architecture, settings: TrainingSettings, scaled: Floats) -> Autoencoder:
    """Make the network that training starts from, on the CPU; some starts need the scaled table (rows, columns)."""
    model = new_model(architecture, settings)
    for module in STARTS[settings.start].modules:
        load(module).start(model, scaled)
    return model


def new_optimizer(
    parameters: Sequence[Tensor], settings: TrainingSettings, *, vector: Tensor | None = None
) -> torch.optim.Optimizer:
    """Make the optimizer of the settings; arguments as for `OptimizerModule`."""
    made: torch.optim.Optimizer = load(OPTIMIZERS[settings.optimizer]).make(
        parameters, settings.learning_rate, vector=vector
    )
    return made


def pass_over(
    model: Autoencoder,
    batches: "DataLoader[tuple[Tensor, ...]] | Sequence[tuple[Tensor, ...]]",
    optimizer: torch.optim.Optimizer,
    after_step: Callable[[], None] = lambda: None,
) -> float:
    """Train on each batch once; return the mean of the batches' losses, fetched batch by batch as Baler does.

    `after_step` is called after each step.
    """
    # Some optimizers need more than the gradients.
    differentiate: Callable[[Tensor], None] = getattr(optimizer, "differentiate", Tensor.backward)
    total = 0.0
    model.train()
    for (rows,) in batches:
        optimizer.zero_grad()
        loss = batch_loss(model(rows), rows)
        differentiate(loss)
        optimizer.step()
        after_step()
        total += loss.item()
    return total / len(batches)

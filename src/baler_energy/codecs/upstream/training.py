"""Training by upstream Baler."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.baler.state import Epoch
from baler_energy.codecs.engines.base import Asked, Learned, Work
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.codecs.upstream import files
from baler_energy.codecs.upstream.project import new_project
from baler_energy.codecs.upstream.work import Process, baler_config, refuse_constants, workplace

__all__ = ["training"]


@contextmanager
def training(asked: Asked) -> Iterator[Work]:
    """Set up training by Baler; it reports the epochs' losses but not their durations.

    Raises
    ------
    InputError
        Baler does not support the table, or a column cannot be scaled; or, when training has finished, a loss is not
        finite.
    """
    table, point = asked.read_table(), asked.point
    how = TrainingSettings.of(point, asked.seed, asked.training)
    refuse_constants(table, asked.data)
    # Refuses values that cannot be scaled, as the other engines do; with these, Baler's loss would be NaN.
    Normalisation.of(table.data, table.names)
    architecture = Architecture.of(point.model, table.data.shape[1], point.compression_ratio)
    config = replace(
        baler_config(point, architecture, table.dtypes),
        epochs=how.epochs,
        learning_rate=how.learning_rate,
        early_stopping_patience=how.early_stopping_patience,
    )
    with workplace(asked.out) as root:
        full, few = new_project(root, "full", config), new_project(root, "few", replace(config, epochs=1))
        files.write_table(full.data, table)
        files.write_table(few.data, table.first(asked.warm_up_rows))
        process = Process(root, asked)

        def finish(result: Any) -> Learned:
            losses = [float(loss) for loss in np.load(full.losses, allow_pickle=False)[0]]
            epochs = tuple(Epoch(n, how.checked(loss, n), nan) for n, loss in enumerate(losses, start=1))
            features = files.read_features(full.features)
            checkpoint = files.read_checkpoint(full.model, features, table.names, table.dtypes)
            results = architecture.training_results(losses, len(table.data))
            return Learned(checkpoint, epochs, results | {"learning_rate": how.learning_rate})

        yield Work(
            operation=lambda on_epoch, keeper: process.perform(full, "train"),
            warm_up=lambda: process.perform(few, "train"),
            finish=finish,
            origin=table.origin,
            elsewhere=True,
            synchronise=process.synchronise,
            running=process.running,
            facts=lambda result: process.facts(result) | {"upstream_model_bytes": full.model.stat().st_size},
        )

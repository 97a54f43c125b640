"""A project for upstream Baler: which of a point's settings it supports, and its folder."""

from dataclasses import replace
from pathlib import Path

from baler_energy.codecs.baler.architecture import network
from baler_energy.codecs.upstream.config import Config, Folder, config_text
from baler_energy.codecs.upstream.networks import MODELS
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import InputError
from baler_energy.files import write_text

__all__ = ["new_project", "refuse_unsupported"]

WORKSPACE = "measured"


def refuse_unsupported(point: Parameters, training: Training) -> None:
    """Refuse what upstream Baler does not support: the record would name settings that were not measured.

    Parameters that it does not have at all are refused by `codecs.engines.check_values`.

    Raises
    ------
    InputError
        Baler does not have the network, does not shuffle, or does not stop at a loss or a gain.
    """
    model, wrong = point.model, None
    if network(model).skip:
        wrong = f"model {model!r} (Baler cannot read a network with a skip)"
    elif network(model) not in MODELS.values():
        wrong = f"model {model!r} (only {' and '.join(one.name for one in MODELS.values())})"
    elif training.shuffle:
        wrong = "shuffle (it reads the rows in order)"
    elif training.stop_at_loss is not None:
        wrong = "stop_at_loss (it only stops early by a patience)"
    elif training.stop_at_gain is not None:
        wrong = "stop_at_gain (it only stops early by a patience)"
    if wrong:
        raise InputError(f"engine 'upstream' does not support {wrong}. Remove it, or use another engine.")


def new_project(root: Path, name: str, config: Config) -> Folder:
    """Make a project's folders and its configuration; the caller writes the data files.

    Parameters
    ----------
    root
        The folder that Baler will run in.
    name
        Name of the project.
    config
        Its configuration; ``input_path`` is replaced by the path of the project's own input.
    """
    project = Folder(root / "workspaces" / WORKSPACE / name)
    for file in (project.data, project.model, project.features, project.decompressed):
        file.parent.mkdir(parents=True)
    write_text(project.config, config_text(replace(config, input_path=str(project.data.relative_to(root)))))
    return project

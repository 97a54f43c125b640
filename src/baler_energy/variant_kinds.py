"""What is declared about a variant, in addition to its name (`variants`)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["FileFormat", "GeneratorKind", "MeterKind", "ProfilerKind", "PruningKind", "RuntimeKind", "TrainingKind"]


class GeneratorKind(NamedTuple):
    """A source of generated events.

    Parameters
    ----------
    module
        Generates them, and says what is missing to do so on this machine.
    meaning
        What they are, in words.
    notice
        What the report says about them if they are not physics.
    options
        Numbers that it takes besides rows and seed: names and meanings. Its module has their ranges and defaults.
    """

    module: str
    meaning: str
    notice: str = ""
    options: Mapping[str, str] = MappingProxyType({})


class FileFormat(NamedTuple):
    """A file format for tables.

    Parameters
    ----------
    module
        Defines a source, which reads rows in blocks, and a sink, which writes them.
    kind
        Name of such files in messages.
    suffixes
        Suffixes of file names in lower case, the usual one first.
    by_suffix
        Whether the suffix determines the format.
    has_events
        Whether a row of the file may contain several objects, so that a layout has to be chosen.
    has_trees
        Whether it may contain several tables, one of which has to be chosen by name.
    is_remote
        Whether it can also be read from URLs.
    packed_with
        Modules that the compressed file of such a file also uses, whatever its packing.
    """

    module: str
    kind: str
    suffixes: tuple[str, ...]
    by_suffix: bool = True
    has_events: bool = False
    has_trees: bool = False
    is_remote: bool = False
    packed_with: tuple[str, ...] = ()


class MeterKind(NamedTuple):
    """A meter of a study, or another tool that measures energy.

    Parameters
    ----------
    module
        Defines the meter.
    meaning
        Source of its readings.
    totals
        Kinds of components (cpu, dram, gpu, ram, node) whose total energy comes from this meter, unless an earlier one
        in the list has a value.
    """

    module: str
    meaning: str
    totals: tuple[str, ...] = ()


class PruningKind(NamedTuple):
    """A kind of pruning.

    Parameters
    ----------
    module
        Prunes a network.
    meaning
        What ``NAME-0.5`` prunes, in words.
    structured
        Whether it removes whole neurons, so that the matrices become smaller.
    """

    module: str
    meaning: str
    structured: bool = False


class TrainingKind(NamedTuple):
    """A start or a schedule of Baler's training.

    Parameters
    ----------
    meaning
        What it is, in words.
    modules
        Modules that change the training.
    patient
        Whether it waits for a plateau (``training.plateau_patience``).
    """

    meaning: str
    modules: tuple[str, ...] = ()
    patient: bool = False


class ProfilerKind(NamedTuple):
    """A profiler.

    Parameters
    ----------
    module
        Defines the profiler.
    writes
        Its files and their contents.
    stage
        Stage that runs it.
    extra_operations
        What it measures in addition to the operations of a point; each has a folder of results.
    tool
        Its name in figures.
    shows
        Subjects of figures and tables that are drawn from its rows; each subject has one profiler.
    environment
        Variables that its package reads when it is imported.
    """

    module: str
    writes: str
    stage: str = "profile"
    extra_operations: tuple[str, ...] = ()
    tool: str = ""
    shows: tuple[str, ...] = ()
    environment: Mapping[str, str] = MappingProxyType({})


class RuntimeKind(NamedTuple):
    """A runtime, which computes a trained network.

    Parameters
    ----------
    module
        Prepares and runs it (``RUNTIME``); None: PyTorch itself.
    refused
        Values of the axis ``precision`` that it does not support, each with the reason.
    deprecated
        Whether its makers advise against it.
    meaning
        What it is, if the name does not say so.
    """

    module: str | None = None
    refused: Mapping[str, str] = MappingProxyType({})
    deprecated: bool = False
    meaning: str = ""

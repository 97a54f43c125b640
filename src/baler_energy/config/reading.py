"""The files of a study, one of which may change another."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from baler_energy.config.extent import check_config
from baler_energy.damage import check_regular, naming
from baler_energy.errors import InputError

__all__ = ["changed", "read_config", "read_files"]

#: Most bytes of a file; the studies that are shipped have a few thousand.
_MOST_BYTES = 500_000


def read_config(config: Mapping[str, Any] | Path | Sequence[Path]) -> tuple[Mapping[str, Any], str]:
    """Return a configuration, and what messages about it begin with: the names of its files, if it has not been read.

    Raises
    ------
    InputError
        As for `read_files`.
    """
    if isinstance(config, Mapping):
        check_config(config)
        return config, ""
    paths = [config] if isinstance(config, Path) else config
    return read_files(paths), f"{', '.join(map(str, paths))}: "


def read_files(paths: Sequence[Path]) -> Mapping[str, Any]:
    """Read YAML files, each of which changes and adds keys of those before it.

    Raises
    ------
    InputError
        A file cannot be read, is not a mapping, has a key twice, or is far larger than a study (`extent.check_config`).
    """
    return functools.reduce(changed, map(_read, paths))


class _Loader(yaml.SafeLoader):
    """Refuses keys that occur twice in a mapping, and aliases that expand to more than a study can have."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the document, before its aliases are merged."""
        node: yaml.Node | None = super().get_single_node()
        check_config(node)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping; YAML would silently take the last of equal keys, such as the second dataset."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        times = Counter((key.tag, key.value) for key in keys)
        for key in keys:
            if times[key.tag, key.value] > 1:
                raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} occurs more than once", key.start_mark)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> Mapping[str, Any]:
    check_regular(path)
    try:
        with naming(path), path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise InputError(f"is larger than {_MOST_BYTES / 1e3:.0f} kB, so it is not a study.")
            config = yaml.load(content.decode("utf-8"), _Loader)
            check_config(config)
            if not isinstance(config, Mapping):
                raise InputError(f"a study must be a mapping of keys to values, not {type(config).__name__}.")
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply for a study.") from error
    except Exception as error:  # PyYAML also raises ValueError, AttributeError and others, as for the date 2026-13-45
        raise InputError(f"{path}: is not a YAML file: {error}") from error
    return config


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change and add keys, also of nested mappings, as Snakemake does with several files."""
    return {
        **config,
        **{
            key: changed(config[key], value)
            if isinstance(value, Mapping) and isinstance(config.get(key), Mapping)
            else value
            for key, value in changes.items()
        },
    }

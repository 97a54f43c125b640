"""The files of a study, one of which may change another, and its mistakes in words."""

import functools
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from baler_energy.errors import InputError

__all__ = ["changed", "explain", "read_files"]


def read_files(paths: Sequence[Path]) -> Mapping[str, Any]:
    """Read YAML files, each of which changes and adds keys of those before it.

    Raises
    ------
    InputError
        A file cannot be read, is not a mapping, or has a key twice.
    """
    return functools.reduce(changed, map(_read, paths))


class _Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice in a mapping; YAML would silently take the last, such as the second dataset."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Make a mapping."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        times = Counter((key.tag, key.value) for key in keys)
        for key in keys:
            if times[key.tag, key.value] > 1:
                raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} occurs more than once", key.start_mark)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: is not a YAML file: {error}") from error
    if not isinstance(config, Mapping):
        raise InputError(f"{path}: a study must be a mapping of keys to values, not {type(config).__name__}.")
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


def explain(error: Any) -> str:
    """Describe a mistake in one line: key, value, what is allowed."""
    # Pydantic's location includes members of unions, which are not keys in the file.
    place = [part for part in error["loc"] if isinstance(part, int) or not re.search(r"\[|-(int|float|str)$", part)]
    key = ".".join(map(str, place)) or "study"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key (a typo?)"
    if error["type"] == "missing":
        return f"{key}: is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    value = error["input"]
    shown = "" if isinstance(value, dict) else f" is {json.dumps(value, default=str)};"
    return f"{key}:{shown} {message}"

"""Each package opens with a map of its modules, which names all of them and no others."""

import ast
import pkgutil
import re
from pathlib import Path

import pytest

import baler_energy

ROOT = Path(baler_energy.__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))


def map_of(text: str) -> set[str]:
    """Names that a map explains: those in backquotes before a colon, in items such as ``- `a`, `b`: ...; `c`: ...``."""
    items = re.findall(r"^- (.*?)(?=^- |^$|\Z)", text + "\n", re.MULTILINE | re.DOTALL)
    heads = [part.split(":")[0] for item in items for part in item.split(";") if ":" in part]
    return {name for head in heads for name in re.findall(r"`(\w+)`", head)}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_the_map_of_a_package_names_its_modules(package: Path):
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    assert map_of(text) == {module.name for module in pkgutil.iter_modules([str(package)])}


def test_a_map_is_read_item_by_item():
    text = "Title.\n\n- `a`, `b` (with `c`): one\n  thing, see `x`; `d`: another\n- `e`: last\n\n`f`: is no item\n"
    assert map_of(text) == {*"abcde"}

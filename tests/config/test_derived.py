"""The declaration of derived quantities."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from baler_energy import commands
from baler_energy.config.derived import Derived, read_derived
from baler_energy.config.sections import FileData
from baler_energy.config.study import load_study
from baler_energy.errors import InputError

MUONS = [["pt_1", "eta_1", "phi_1", "mass_1"], ["pt_2", "eta_2", "phi_2", 0.106]]
MASS = {"invariant_mass": MUONS, "windows": {"J/psi": [2.9, 3.3]}}


def study(derived: Any) -> dict[str, Any]:
    data = {"toy": {"source": "toy", "derived": derived}}
    return {"name": "s", "data": data, "design": "factorial", "axes": {"rows": [100], "epochs": [1]}}


def test_columns_definition_and_unit() -> None:
    mass = Derived.model_validate(MASS)
    assert mass.columns == ("pt_1", "eta_1", "phi_1", "mass_1", "pt_2", "eta_2", "phi_2")
    assert mass.definition == "invariant mass of (pt_1, eta_1, phi_1, mass_1) and (pt_2, eta_2, phi_2, 0.106)"
    assert mass.unit_name == "GeV" and mass.changed(unit="MeV").unit_name == "MeV"
    ratio, total = Derived(ratio=("a", "b")), Derived(sum=("a", "b", "a"))
    assert (ratio.definition, ratio.unit_name) == ("a / b", None)
    assert (total.definition, total.columns) == ("a + b + a", ("a", "b"))


def test_a_rule_passes_on_what_the_study_declares() -> None:
    read = load_study(study({"m": MASS}))
    (option, text) = commands.derive_options(read, "toy")
    assert option == "--derived" and read_derived(text) == read.data["toy"].derived
    assert json.loads(commands.needed_columns(read, "toy")) == {"data.toy.derived.m": list(Derived(**MASS).columns)}
    assert commands.needed_columns(load_study(study(None)), "toy") == "{}"


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        ({"m": {}}, "derived.m: set exactly one of invariant_mass, ratio, sum, not none of them"),
        ({"m": {"ratio": ["a", "b"], "sum": ["a", "b"]}}, "derived.m: set exactly one of .*, not ratio and sum"),
        ({"m": {"invariant_mass": MUONS[:1]}}, "derived.m.invariant_mass: .* at least 2 items"),
        ({"m": {"invariant_mass": [MUONS[0], MUONS[1][:3]]}}, "derived.m.invariant_mass.1: .* at least 4 items"),
        (
            {"m": {"invariant_mass": [MUONS[0], ["pt", 1, "phi", 0]]}},
            r"invariant_mass\[1\]: pt, eta and phi must be columns",
        ),
        ({"m": {"invariant_mass": [MUONS[0], ["pt", "eta", "phi", -1]]}}, r"\[1\]: the mass -1 is negative"),
        ({"m": MASS | {"windows": {"Z": [100, 80]}}}, "windows.Z: the lower edge 100 is not below the upper edge 80"),
        ({"m": MASS | {"windows": {"all": [-1e308, 1e308]}}}, "windows.all: from -1e\\+308 to 1e\\+308 is too wide"),
        ({"m": MASS | {"windows": {"Z": [80]}}}, "derived.m.windows.Z: "),
        ({"m": MASS | {"window": {}}}, "derived.m.window: unknown key"),
        ({"m m": MASS}, "derived.m m: "),
        ({}, "derived: "),
    ],
)
def test_a_mistake_names_its_key(derived: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_study(study(derived))


def test_the_example_of_the_documentation_is_valid(repository: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (repository / "docs/physics.md").read_text("utf-8"), flags=re.DOTALL)
    dataset = yaml.safe_load(block)["data"]["dimuons"]
    checked = FileData.model_validate(dataset | {"sha256": "0" * 64})
    assert checked.derived is not None and set(checked.derived["m_mumu"].windows or {}) == {"J/psi", "Z"}


def test_a_declaration_is_checked_without_a_study() -> None:
    with pytest.raises(ValidationError):
        Derived(ratio=("a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"m": {"ratio": ["a", "b"]}, "m": {"sum": ["a", "b"]}}', "the key 'm' occurs more than once"),
        ('{"m": {"sum": ["a", "b"], "sum": ["a", "c"]}}', "the key 'sum' occurs more than once"),
        ("{", "derived: is not valid JSON"),
        ('{"m": {}}', "derived: m: set exactly one of"),
    ],
)
def test_a_declaration_of_the_command_line_is_checked(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_derived(text)

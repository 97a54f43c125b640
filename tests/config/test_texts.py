"""Lists of variants in texts: they follow the registries."""

import re
import subprocess
import sys

import pytest

from baler_energy.analysis.schema import TABLES
from baler_energy.cli import main
from baler_energy.codecs.engines import engines
from baler_energy.codecs.packing import usages
from baler_energy.config.parameters import AXES, engines_with
from baler_energy.config.texts import filled, one_of, several
from baler_energy.stages.schema import documentation, json_schema
from baler_energy.variant_kinds import PruningKind, RuntimeKind, TrainingKind
from baler_energy.variants import CODERS, ENGINES, PRUNINGS, RUNTIMES, SCHEDULES, STARTS, TRANSFORMS
from baler_energy.vocabulary import NODE_METERS


def test_lists():
    assert (one_of(""), one_of("a"), one_of("ab"), one_of("abc", "and")) == ("", "a", "a or b", "a, b and c")
    assert several("ab") == "``a`` and ``b``"


def test_a_text_without_lists_is_not_changed():
    assert filled("a | b, {least: 3} and ``x``") == "a | b, {least: 3} and ``x``"


def test_an_unknown_list_is_an_error():
    with pytest.raises(KeyError):
        filled("|nothing|")


def test_the_documentation_names_every_variant_with_its_meaning():
    text = documentation()
    (packing,) = re.findall(r"^\| `packing` .*", text, re.MULTILINE)[:1]
    assert usages() in packing
    for names, key in (
        (ENGINES, "engine"),
        (TRANSFORMS, "transform"),
        (RUNTIMES, "runtime"),
        (STARTS, "start"),
        (SCHEDULES, "schedule"),
    ):
        (line,) = re.findall(rf"^\| `{key}` \| list .*", text, re.MULTILINE)
        assert all(f"``{name}``" in line for name in names)
    assert "``upstream``: Baler itself, in a separate process and environment (`make upstream`)." in text
    assert "``baler``: see ``engine``. ``pca``: Principal components, in closed form. ``identity``: No tr" in text
    limited = [engine for engine in engines() if engine.profilers is not None]
    assert limited and all(f"``{one.name}`` ({one_of(one.profilers or ['none'], 'and')})" in text for one in limited)
    assert not re.search(r"\|\w+\|", text + json_schema()), "a list that is not filled in"


@pytest.mark.parametrize("axis", AXES)
def test_a_parameter_names_the_engines_that_have_it(axis):
    (line,) = re.findall(rf"^\| `{axis}` \| list .*", documentation(), re.MULTILINE)
    known = engines_with(axis)
    assert (f"Engines other than {several(known)} only support the default." in line) == (len(known) < len(ENGINES))


def test_new_variants_appear_by_themselves(monkeypatch):
    monkeypatch.setitem(RUNTIMES, "new", RuntimeKind("module", meaning="a new runtime"))
    monkeypatch.setitem(PRUNINGS, "rows", PruningKind("module", "half of the rows"))
    monkeypatch.setitem(STARTS, "zero", TrainingKind("all zero"))
    text = documentation()
    assert "``tensorrt`` (NVIDIA GPUs), ``new`` (a new runtime)" in text
    assert "``rows-0.5`` (half of the rows)" in text
    assert "``zero`` (all zero)" in text


def test_help_has_names_only(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"joined by +: {', '.join(CODERS)}." in text
    assert "neurons-0.5 (the half of the hidden neurons with the smallest magnitude)" in text
    assert "engines other than reference only support the default" in text.lower()


def test_help_imports_no_variant():
    code = (
        "import sys; from baler_energy import cli\n"
        "try: cli.main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "from baler_energy.variants import CODERS, ENGINES, RUNTIMES\n"
        "coders = {name for names in CODERS.values() for name in names}\n"
        "modules = {*coders, *(one['about'][0] for one in ENGINES.values())}\n"
        "print(sorted((modules | {one.module for one in RUNTIMES.values()}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['baler_energy.codecs.coders.bound']", "which every packing needs"


def test_columns_name_the_variants():
    meanings = {column.name: column.meaning for table in ("runs", "hotspots") for column in TABLES[table][1]}
    assert meanings["node_meter"] == f"meter of node_energy_j: {one_of(NODE_METERS)}"
    assert meanings["source"] == "source of the dataset: pythia8, toy or file"
    assert meanings["engine"].endswith(": reference, upstream or fast")
    assert meanings["pruning"].endswith(": neurons, costly-neurons or weights; none")
    assert meanings["profiler"].startswith("cprofile, torch, ")

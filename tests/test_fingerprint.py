"""The fingerprint of a stage's source: what an edit changes and what it does not."""

import ast
import inspect
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest

from baler_energy import fingerprint as module
from baler_energy import sources, variants, vocabulary
from baler_energy.cli import STAGES, stage_modules
from baler_energy.variants import ENGINES, METERS, PROFILERS, variant_modules


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace our package by a small one: stage imports helper, other is separate."""
    files = {
        "__init__.py": "",
        "stage.py": "def work():\n    from baler_energy.sub.helper import aid\n    return aid()\n",
        "other.py": "x = 1\n",
        "kinds/__init__.py": "",
        "kinds/plain.py": "kind = 1\n",
        "kinds/fancy.py": "from baler_energy.kinds import plain\n",
        "chooser.py": "def choose(name):\n    from baler_energy.kinds import fancy, plain\n    return fancy, plain\n",
        "always.py": "from baler_energy.kinds import plain\n",
        "sub/__init__.py": "",
        "sub/helper.py": "def aid():\n    return 1\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    kinds = frozenset({"baler_energy.kinds.plain", "baler_energy.kinds.fancy"})
    monkeypatch.setattr(module, "variant_modules", lambda: kinds)
    return tmp_path


def of_stage() -> str:
    forget()
    return module.fingerprint("baler_energy.stage")


def forget() -> None:
    """Clear the caches of modules and versions."""
    for cached in (
        module._read,
        module._version,
        module.fingerprint,
        module.ingredients,
        module.modules_behind,
        module.package_versions,
        module.source_hash,
    ):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_cache():
    yield
    forget()


def test_comments_docstrings_and_layout_change_nothing(package: Path):
    before = of_stage()
    helper = package / "sub" / "helper.py"
    helper.write_text('"""Says more."""\n\n\ndef aid():\n    """Say why."""\n    # because\n    return (1)\n')
    assert of_stage() == before


def test_code_of_what_it_imports_changes_it(package: Path):
    before = of_stage()
    (package / "sub" / "helper.py").write_text("def aid():\n    return 2\n")
    assert of_stage() != before


@pytest.mark.parametrize(
    "code",
    ["return True", "return 1.0", "return '1'", "return b'1'", "return -1", "return [1]", "return (1,)", "yield 1"],
)
def test_every_detail_of_the_code_changes_it(package: Path, code: str):
    before = of_stage()
    (package / "sub" / "helper.py").write_text(f"def aid():\n    {code}\n")
    assert of_stage() != before


def test_facts_about_variants_change_what_depends_on_them(monkeypatch: pytest.MonkeyPatch):
    def fingerprints() -> list[str]:
        forget()
        return [module.fingerprint(sources.stage(name)) for name in ("collect", "figures", "generate", "train")]

    before = fingerprints()
    monkeypatch.setattr(vocabulary, "PRIMARY_METERS", vocabulary.PRIMARY_METERS | {"cpu": ()})
    after = fingerprints()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, True, False]
    monkeypatch.setattr(variants, "NOTICES", {})
    before, after = after, fingerprints()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True, True]
    monkeypatch.setattr(variants, "TIMED_ENGINE", "reference")
    before, after = after, fingerprints()
    # The sentence on the calibration names it.
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, True, False]


def test_what_is_said_about_every_variant_changes_what_reads_results_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    def fingerprints() -> list[str]:
        forget()
        rules = (sources.drawn("savings"), (sources.stage("collect"),), sources.measured("train", codec("reference")))
        return [module.fingerprint(*modules) for modules in rules]

    before = fingerprints()
    monkeypatch.setattr(variants, "RUNTIMES", dict(reversed(variants.RUNTIMES.items())))
    after = fingerprints()
    # The descriptions of columns list the values of each axis.
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True]
    monkeypatch.setattr(variants, "PROFILERS", dict(reversed(variants.PROFILERS.items())))
    before, after = after, fingerprints()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True]


def test_code_of_an_enclosing_package_changes_it(package: Path):
    before = of_stage()
    (package / "sub" / "__init__.py").write_text("y = 1\n")
    assert of_stage() != before


def test_code_that_it_does_not_import_changes_nothing(package: Path):
    before = of_stage()
    (package / "other.py").write_text("x = 2\n")
    assert of_stage() == before


def test_several_modules_are_hashed_together(package: Path):
    both = module.fingerprint("baler_energy.stage", "baler_energy.other")
    assert both != of_stage()


def test_an_unknown_module_is_refused(package: Path):
    with pytest.raises(ValueError, match="nowhere"):
        module.fingerprint("baler_energy.nowhere")


def test_code_of_the_root_package_changes_it(package: Path):
    before = of_stage()
    (package / "__init__.py").write_text("import sys\n")
    assert of_stage() != before


def test_what_only_a_type_checker_imports_changes_nothing(package: Path):
    typed = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from baler_energy import other\n"
    (package / "stage.py").write_text(typed)
    before = of_stage()
    (package / "other.py").write_text("x = 2\n")
    assert of_stage() == before


def test_what_is_imported_instead_of_types_changes_it(package: Path):
    typed = (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    pass\nelse:\n    from baler_energy import other\n"
    )
    (package / "stage.py").write_text(typed)
    before = of_stage()
    (package / "other.py").write_text("x = 2\n")
    assert of_stage() != before


def test_a_variant_counts_if_it_is_named_or_imported_by_a_variant_that_counts(package: Path):
    def behind(*names: str) -> set[str]:
        found = module.modules_behind(*(f"baler_energy.{name}" for name in names))
        return {name.removeprefix("baler_energy.") for name in found if ".kinds." in name}

    assert behind("chooser") == set()
    assert behind("chooser", "kinds.plain") == {"kinds.plain"}
    assert behind("chooser", "kinds.fancy") == {"kinds.fancy", "kinds.plain"}
    assert behind("always") == {"kinds.plain"}, "loaded with the module, whichever variant runs"


def test_versions_of_the_packages_that_it_imports_change_it(package: Path, monkeypatch: pytest.MonkeyPatch):
    helper = package / "sub" / "helper.py"
    helper.write_text("def aid():\n    import numpy\n    import tqdm\n    import nowhere_to_be_found\n")
    of_stage()
    assert module.package_versions("baler_energy.stage").keys() == {"numpy"}
    helper.write_text("def aid():\n    import numpy\n    import tqdm\n")
    before, source = of_stage(), module.source_hash("baler_energy.stage")
    monkeypatch.setattr(module.metadata, "version", lambda name: "99")
    assert of_stage() != before
    assert module.source_hash("baler_energy.stage") == source
    helper.write_text("def aid():\n    import tqdm\n")
    before = of_stage()
    monkeypatch.setattr(module.metadata, "version", lambda name: "100")
    assert of_stage() == before


def test_a_package_that_is_looked_up_counts(package: Path):
    text = 'from importlib.util import find_spec\n\n\ndef aid():\n    return find_spec("codecarbon")\n'
    (package / "sub" / "helper.py").write_text(text)
    of_stage()
    assert "codecarbon" in module.package_versions("baler_energy.stage")


@pytest.mark.parametrize(("function", "name"), [("program", "py-spy"), ("require_module", "codecarbon")])
def test_a_program_or_module_that_is_looked_up_counts(package: Path, function: str, name: str):
    (package / "sub" / "helper.py").write_text(f'def aid():\n    return {function}("{name}", "install it")\n')
    of_stage()
    assert name in module.package_versions("baler_energy.stage")


def test_ingredients_name_what_changed(package: Path):
    of_stage()
    before = module.ingredients("baler_energy.stage")
    assert before.keys() == {"python", *(f"baler_energy{name}" for name in ("", ".stage", ".sub", ".sub.helper"))}
    (package / "sub" / "helper.py").write_text("def aid():\n    return 2\n")
    of_stage()
    after = module.ingredients("baler_energy.stage")
    assert {name for name in before if before[name] != after[name]} == {"baler_energy.sub.helper"}


def codec(engine: str) -> SimpleNamespace:
    return SimpleNamespace(
        transform="baler",
        engine=engine,
        packing="none",
        start="random",
        schedule="constant",
        optimizer="adam",
        pruning="none",
        runtime="eager",
    )


#: Modules that only read results.
AFTERWARDS = {
    "baler_energy.figures",
    "baler_energy.analysis.schema",
    "baler_energy.analysis.carbon",
    "baler_energy.config.study",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_measured_stages_do_not_depend_on_what_is_downstream(engine: str):
    measured = (*sources.measured("train", codec(engine), METERS), *sources.applied(codec(engine), METERS))
    profiled = sources.profiled(codec(engine), "cprofile")
    assert not module.modules_behind(*measured, *profiled) & AFTERWARDS


def test_data_stages_do_not_depend_on_what_is_downstream():
    behind = module.modules_behind(*sources.prepared("root"), *sources.generated("pythia8"))
    assert not behind & (AFTERWARDS | {"baler_energy.meters"})


def test_an_edit_of_an_engine_measures_no_other_engine_again():
    own = {engine: module.modules_behind(*sources.measured("train", codec(engine))) for engine in ENGINES}
    assert "baler_energy.codecs.baler.fast" in own["fast"] - own["reference"] - own["upstream"]
    assert "baler_energy.codecs.baler.training" in own["reference"] - own["upstream"]
    assert "baler_energy.codecs.upstream.runner" in own["upstream"] - own["reference"] - own["fast"]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_edit_of_what_figures_say_about_an_engine_only_redraws(engine: str):
    (said,) = ENGINES[engine]["figures"]
    one = codec(engine)
    measured = (*sources.measured("train", one), *sources.applied(one, ()), *sources.separate_parts(one, ()))
    others = (*sources.profiled(one, "cprofile"), *sources.analysed("collect", [one]))
    assert said not in module.modules_behind(*measured, *others)
    for shown in (sources.drawn("savings", [one]), sources.tabulated(), sources.reported()):
        assert said in module.modules_behind(*shown)


def test_another_version_of_scalene_only_repeats_its_own_profiles():
    def packages(profiler: str) -> set[str]:
        behind = module.modules_behind(*sources.profiled(codec("reference"), profiler))
        return {package for name in behind for package in module._read(name).packages}

    assert {name for name in PROFILERS if "scalene" in packages(name)} == {"scalene"}


def test_an_edit_of_file_formats_that_fast_uses_in_the_window_measures_it_again():
    fast, reference = (module.modules_behind(*sources.applied(codec(engine), ())) for engine in ("fast", "reference"))
    assert {"baler_energy.formats.npz", "baler_energy.formats.npy"} <= fast - reference


def test_the_lists_of_modules_name_no_variant():
    families = [
        family
        for name, family in vars(variants).items()
        if name in variants.__all__ and isinstance(family, Mapping) and family is not variants.CHAPTERS
    ]
    names = {name for family in families for name in family}
    assert {"fast", "adam", "zstd", "torch"} <= names
    nodes = ast.walk(ast.parse(inspect.getsource(sources)))
    written = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert "train" in written and written & names <= {*STAGES}


def test_distributions_are_called_as_assumed() -> None:
    behind = module.modules_behind(*stage_modules(), *variant_modules())
    used = {package for name in behind for package in module._read(name).packages}
    found = packages_distributions()
    assert {package: {module._DISTRIBUTIONS.get(package, package)} for package in used & found.keys()} == {
        package: set(found[package]) for package in used & found.keys()
    }

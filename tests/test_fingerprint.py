"""The fingerprint of a stage's source: what an edit changes and what it does not."""

from pathlib import Path

import pytest

from baler_energy import fingerprint as module


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a small package in place of ours: stage -> helper, other apart."""
    files = {
        "__init__.py": "",
        "stage.py": "def work():\n    from baler_energy.sub.helper import aid\n    return aid()\n",
        "other.py": "x = 1\n",
        "sub/__init__.py": "",
        "sub/helper.py": "def aid():\n    return 1\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def of_stage() -> str:
    for cached in (module._read, module.fingerprint):
        cached.cache_clear()
    return module.fingerprint("baler_energy.stage")


@pytest.fixture(autouse=True)
def _fresh_cache():
    yield
    for cached in (module._read, module.fingerprint):
        cached.cache_clear()


def test_comments_docstrings_and_layout_change_nothing(package: Path):
    before = of_stage()
    helper = package / "sub" / "helper.py"
    helper.write_text('"""Says more."""\n\n\ndef aid():\n    """Say why."""\n    # because\n    return (1)\n')
    assert of_stage() == before


def test_code_of_what_it_imports_changes_it(package: Path):
    before = of_stage()
    (package / "sub" / "helper.py").write_text("def aid():\n    return 2\n")
    assert of_stage() != before


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


def closure(name: str) -> set[str]:
    seen, pending = set(), [name]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending.extend(module.imported_modules(name))
    return seen


@pytest.mark.parametrize("engine", ["reference", "upstream"])
@pytest.mark.parametrize("stage", ["train", "compress", "decompress", "profile"])
def test_measured_stages_do_not_depend_on_what_is_downstream(stage: str, engine: str):
    check_downstream(module.stage_module(stage, engine))


@pytest.mark.parametrize("stage", ["prepare", "generate"])
def test_stages_of_data_do_not_depend_on_what_is_downstream(stage: str):
    check_downstream(f"baler_energy.stages.{stage}")


def check_downstream(name: str) -> None:
    forbidden = {
        "baler_energy.figures",
        "baler_energy.analysis.schema",
        "baler_energy.analysis.carbon",
        "baler_energy.study",
    }
    assert not closure(name) & forbidden


@pytest.mark.parametrize("stage", ["train", "compress", "decompress", "profile"])
def test_what_runs_baler_itself_reruns_its_own_points_only(stage: str):
    runs_baler = "baler_energy.codecs.upstream.runner"
    assert runs_baler not in closure(module.stage_module(stage, "reference"))
    assert runs_baler in closure(module.stage_module(stage, "upstream"))

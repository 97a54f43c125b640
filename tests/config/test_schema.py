"""The schema of studies and its documentation, which are generated from the types of the configuration."""

import json
from pathlib import Path

import pytest
import yaml

from baler_energy.cli import main
from baler_energy.stages.schema import BEGIN, END, documentation, json_schema


def test_schema_and_documentation_are_those_of_the_types(repository: Path):
    written = (repository / "workflow" / "schemas" / "study.schema.json").read_text()
    assert written == json_schema(), "run `baler-energy schema` as described in config/README.md"
    readme = (repository / "config" / "README.md").read_text()
    assert readme.split(BEGIN)[1].split(END)[0].strip() == documentation().strip()


def test_the_stage_writes_the_files_of_the_repository(repository: Path, tmp_path: Path, capsys):
    written = {
        "schema": repository / "workflow" / "schemas" / "study.schema.json",
        "readme": repository / "config" / "README.md",
        "glossary": repository / "docs" / "glossary.md",
    }
    (tmp_path / "readme").write_text(written["readme"].read_text())
    options = [part for name in written for part in (f"--{name}", str(tmp_path / name))]
    assert main(["schema", *options]) == 0
    assert capsys.readouterr().out == f"written: {', '.join(str(tmp_path / name) for name in written)}\n"
    for name, path in written.items():
        assert (tmp_path / name).read_text() == path.read_text(), f"run `baler-energy schema` for {path.name}"


@pytest.mark.parametrize("text", ["no marks", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_readme_without_the_marks_changes_nothing(tmp_path: Path, capsys, text: str):
    (tmp_path / "readme").write_text(text)
    options = [part for name in ("schema", "readme") for part in (f"--{name}", str(tmp_path / name))]
    assert main(["schema", *options]) == 2
    assert f"{tmp_path / 'readme'}: needs the lines" in capsys.readouterr().err
    assert (tmp_path / "readme").read_text() == text and not (tmp_path / "schema").exists()


def test_the_schema_accepts_the_shipped_studies(repository: Path):
    import jsonschema

    schema = json.loads(json_schema())
    for path in [repository / "config" / "config.yaml", *(repository / "config" / "studies").glob("*.yaml")]:
        given = yaml.safe_load(path.read_text())
        jsonschema.validate(given, schema)
        with pytest.raises(jsonschema.ValidationError, match="unknown_key"):
            jsonschema.validate(given | {"unknown_key": 1}, schema)

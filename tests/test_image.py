"""The check of the container image before a run, with a fake Apptainer."""

import re

import pytest

from baler_energy.cli import STAGES
from baler_energy.errors import UnavailableError
from baler_energy.image import refuse_other_image, source
from baler_energy.variants import CODERS, load


@pytest.fixture
def image(tmp_path, monkeypatch):
    """Return a function that makes an image in which any command returns this answer."""

    def make(answer: str):
        binary = tmp_path / "bin" / "apptainer"
        binary.parent.mkdir()
        binary.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{answer}\n')
        binary.chmod(0o755)
        monkeypatch.setenv("PATH", str(binary.parent), prepend=":")
        path = tmp_path / "an image.sif"
        path.touch()
        return path

    return make


def test_the_same_source_is_accepted_after_other_output(image, tmp_path):
    refuse_other_image(image(f"echo a greeting; echo {source()}"), "--nv --bind '/a b'")
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("exec --home ") and "--nv --bind /a b" in asked
    assert asked.endswith("an image.sif python -m baler_energy.image\n")


@pytest.mark.parametrize("answer", ["echo 0123456789abcdef", "true"])
def test_a_different_or_missing_source_is_refused_with_both_solutions(image, answer):
    with pytest.raises(UnavailableError, match=r"(?s)another version.*apptainer build.*PYTHONPATH=/"):
        refuse_other_image(image(answer))


def test_an_image_that_fails_is_refused_with_its_output(image):
    with pytest.raises(UnavailableError, match="no such python"):
        refuse_other_image(image("echo no such python >&2; exit 255"))


def test_a_missing_image_or_apptainer_is_reported(tmp_path, monkeypatch):
    with pytest.raises(UnavailableError, match=r"no such image.*apptainer build"):
        refuse_other_image(tmp_path / "none.sif")
    (tmp_path / "some.sif").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="No such file"):
        refuse_other_image(tmp_path / "some.sif")


def test_the_source_covers_every_stage_and_variant(monkeypatch):
    asked = []
    monkeypatch.setattr("baler_energy.image.source_hash", lambda *modules: asked.extend(modules) or "x")
    source()
    assert {"baler_energy.stages.import_files", "baler_energy.codecs.baler.fast"} <= set(asked)
    assert len({name for name in asked if name.startswith("baler_energy.stages.")}) == len(STAGES)


def test_the_image_has_the_packages_of_every_packing(repository):
    recipe = (repository / "Dockerfile").read_text()
    files = ["requirements/study.txt", *re.findall(r"-r (requirements/\S+)", recipe)]
    installed = "\n".join((repository / name).read_text() for name in files)
    for word, modules in CODERS.items():
        package = load(modules[0]).WORD.package
        assert package is None or re.search(rf"^{package}==", installed, re.MULTILINE), word

"""The part of a study that this machine can run."""

from dataclasses import replace

import pytest

from baler_energy.codecs.baler.runtimes.base import Runtime
from baler_energy.codecs.coders.sz3 import Sz3
from baler_energy.codecs.engines import pca
from baler_energy.config.study import load_study
from baler_energy.errors import UnavailableError
from baler_energy.runnable import LeftOut, runnable

STUDY = {
    "name": "tiny",
    "data": {"toy": {"source": "toy"}},
    "design": "one-at-a-time",
    "reference": {"dataset": "toy", "rows": 100, "epochs": 1},
    "axes": {"epochs": [2]},
    "also": [{"transform": "identity", "packing": packing} for packing in ("sz3-0.01", "sz3-0.1", "pcodec")],
    "repeats": 2,
}


@pytest.fixture
def without_sz3(monkeypatch):
    monkeypatch.setattr(Sz3, "missing", classmethod(lambda cls: "The package pysz is not installed."))


def test_a_study_that_can_run_is_unchanged():
    study = load_study(STUDY)
    assert runnable(study) == (study, ())


def test_a_transform_that_is_missing_is_left_out_with_the_reason(monkeypatch):
    monkeypatch.setattr(pca, "ENGINE", replace(pca.ENGINE, missing=lambda: "The package eigen is not installed."))
    study, left_out = runnable(load_study(STUDY | {"also": [{"transform": "pca"}, {"transform": "identity"}]}))
    assert {point.transform for point in study.points} == {"baler", "identity"}
    assert left_out == (LeftOut("transform", "pca", 2, 8, "The package eigen is not installed."),)


def test_packings_that_are_missing_are_left_out_with_the_reason(without_sz3):
    study, left_out = runnable(load_study(STUDY))
    assert {point.packing for point in study.points} == {"none", "pcodec"}
    assert len(study.points) == 6
    assert [(one.axis, one.value, one.runs, one.of_runs) for one in left_out] == [
        ("packing", "sz3-0.01", 2, 10),
        ("packing", "sz3-0.1", 2, 10),
    ]
    assert str(left_out[0]) == (
        "Skipped 2 of the study's 10 runs, with packing 'sz3-0.01'. The package pysz is not installed."
    )


def test_an_axis_of_packings_keeps_the_others(without_sz3):
    study, left_out = runnable(load_study(STUDY | {"axes": {"packing": ["none", "sz3-0.01"]}, "also": []}))
    assert study.axes.packing == ("none",)
    assert len(left_out) == 1


def test_a_centre_that_is_missing_is_refused(without_sz3):
    reference = STUDY["reference"] | {"packing": "sz3-0.01"}
    with pytest.raises(UnavailableError, match=r"requires packing 'sz3-0.01', which cannot run here"):
        runnable(load_study(STUDY | {"reference": reference, "also": []}))


def test_jobs_in_the_image_have_every_packing(without_sz3):
    study = load_study(STUDY)
    assert runnable(study, in_image=True) == (study, ())


@pytest.mark.parametrize("in_image", [False, True])
def test_runtimes_that_are_missing_are_left_out_with_the_reason(monkeypatch, in_image):
    monkeypatch.setattr(Runtime, "missing", lambda self: "It is not installed." if self.packages else None)
    config = STUDY | {"axes": {"runtime": ["onnx-runtime", "torchscript"]}, "also": []}
    study, left_out = runnable(load_study(config), in_image=in_image)
    assert {point.runtime for point in study.points} == {"eager", "torchscript"}
    (one,) = left_out
    assert (one.axis, one.value, one.runs, one.of_runs) == ("runtime", "onnx-runtime", 2, 6)
    assert one.reason == ("The container image does not have what it requires." if in_image else "It is not installed.")

"""What the engines of Baler's autoencoder support."""

import pytest

from baler_energy.codecs.engines import check_values, engines
from baler_energy.config.parameters import AXES, AXIS_DEFAULTS, Parameters, engines_with
from baler_energy.errors import InputError
from baler_energy.variants import ENGINES

#: A value other than the default of each parameter that not every engine has.
OTHERS = {
    "packing": "zstd",
    "start": "pca",
    "schedule": "one-cycle",
    "optimizer": "sgd",
    "runtime": "torchscript",
    "pruning": "neurons-0.5",
}


def point(**changes) -> Parameters:
    return Parameters(**{"dataset": "toy", "rows": 100, "epochs": 1} | changes)


def test_parameters_that_not_every_engine_has():
    assert {name for name in AXES if len(engines_with(name)) < len(ENGINES)} == OTHERS.keys()
    assert engines_with("runtime") == ("reference",)
    assert engines_with("batch_size") == tuple(ENGINES)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OTHERS)
def test_an_engine_without_a_parameter_keeps_the_default_and_refuses_other_values(name, engine):
    assert getattr(point(engine=engine).changed(), name) == AXIS_DEFAULTS[name]
    check_values(point(engine=engine))
    other = point(engine=engine, **{name: OTHERS[name]})
    if engine in engines_with(name):
        check_values(other)
        return
    named = " and ".join(map(repr, engines_with(name)))
    with pytest.raises(
        InputError, match=f"{name} '{OTHERS[name]}' is not supported by engine '{engine}', only by {named}"
    ):
        check_values(other)


def test_an_engine_gives_reasons_for_the_parameters_that_it_does_not_have():
    for engine in engines():
        absent = {name for name in OTHERS if engine.name not in engines_with(name)}
        # An engine other than the one with runtimes is itself what computes the network.
        assert set(engine.reasons) == absent - {"runtime"}


def test_a_codec_without_engines_has_no_values_to_check():
    check_values(point(transform="identity", packing="zstd").changed())

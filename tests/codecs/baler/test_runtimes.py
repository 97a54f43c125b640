"""Runtimes: every one gives eager's results, and a wrong result does not count."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from baler_energy.analysis.tidy import flags_of
from baler_energy.cli import main
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.baler.runtimes.base import TOLERANCES, Runtime, in_full_batches, on_tensors
from baler_energy.codecs.baler.runtimes.running import Network, deviation_facts, largest_deviation
from baler_energy.codecs.normalisation import Normalisation
from baler_energy.config.study import load_study
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.records import Measurement
from baler_energy.variant_kinds import RuntimeKind
from baler_energy.variants import RUNTIMES
from baler_energy.vocabulary import Flag

CPU = torch.device("cpu")
OTHERS = [name for name in RUNTIMES if runtime_of(name) is not None]
QUICK = ["--meters", "process", "--min-window-s", "0", "--idle-s", "0", "--threads", "1", "--device", "cpu"]


#: Baler's, with ReLU, and with a skip.
NETWORKS = (Architecture(6, 3, (20, 10)), Architecture(6, 3, (20, 10), 0.0), Architecture(6, 3, (20,), skip=True))


def codec_of(table: Table, precision: str, network: Architecture = NETWORKS[0]) -> Checkpoint:
    torch.manual_seed(5)
    model = Autoencoder(network, precision)
    return Checkpoint.of(model, Normalisation.of(table.data, table.names), table.names, table.dtypes)


def started(checkpoint: Checkpoint, name: str, threads: int = 1) -> InMemoryCodec:
    codec = InMemoryCodec(checkpoint, CPU, 64)
    asked = SimpleNamespace(point=SimpleNamespace(runtime=name), threads=threads)
    codec.start(asked, [codec.encoder, codec.decoder])
    return codec


def cases() -> list:
    return [
        pytest.param(name, precision, network, marks=[pytest.mark.slow] * runtime_of(name).compiles)
        for name in OTHERS
        for precision in TOLERANCES
        if precision not in RUNTIMES[name].refused
        for network in NETWORKS
    ]


@pytest.mark.parametrize(("name", "precision", "network"), cases())
def test_a_runtime_gives_eagers_results(table, tmp_path, name, precision, network):
    runtime = runtime_of(name)
    if reason := runtime.missing():
        pytest.skip(reason)
    codec = codec_of(table, precision, network)
    eager, other = InMemoryCodec(codec, CPU, 64), started(codec, name)
    allowed = runtime.tolerance or TOLERANCES[precision]
    latents = eager.encode(table.data)
    theirs = other.encode(table.data)
    assert theirs.dtype == precision
    assert np.abs(theirs - latents).max() <= allowed * np.ptp(latents)
    scaled = np.divide(1, codec.normalisation.features[1], where=codec.normalisation.features[1] > 0, out=np.zeros(6))
    differences = np.abs(other.decode(latents) - eager.decode(latents)) * scaled
    assert differences.max() <= 4 * allowed
    other.compress(table, tmp_path / "t.baler")
    facts = other.encoding_facts(table) | other.decoding_facts(tmp_path / "t.baler")
    assert facts["startup_s"] > 0 and 0 <= facts["runtime_deviation"] <= allowed


def test_eager_has_no_facts(table, checkpoint):
    assert InMemoryCodec(checkpoint, CPU, 64).encoding_facts(table) == {}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_half_shares_the_parameters_and_computes_the_same_bits(network):
    model = Autoencoder(network)
    rows = torch.rand(5, 6, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(Network(model, "en")(rows), model.encode(rows))
        assert torch.equal(Network(model, "de")(rows[:, :3]), model.decode(rows[:, :3]))
    assert next(Network(model, "de").parameters()) is next(model.de1.parameters())


def test_a_smaller_batch_is_padded():
    seen = []
    padded = in_full_batches(lambda values: seen.append(len(values)) or values * 2, 4)
    for rows in (4, 3):
        values = np.arange(2.0 * rows).reshape(rows, 2)
        np.testing.assert_array_equal(padded(values), values * 2)
    assert seen == [4, 4]


@pytest.fixture
def registered(monkeypatch):
    """Return a function that replaces a runtime's module by another one."""

    def register(change):
        module = ModuleType("new_runtime")

        def load(layers):
            if isinstance(change, Exception):
                raise change
            return on_tensors(lambda rows: layers.network(rows) + change, layers)

        module.RUNTIME = Runtime(load=load)
        monkeypatch.setitem(sys.modules, "new_runtime", module)
        monkeypatch.setitem(RUNTIMES, "torchscript", RuntimeKind("new_runtime"))

    return register


def applied(table, precision, folder, *options):
    """Compress and decompress a table; return both records."""
    folder.mkdir(exist_ok=True)
    table.write(folder / "table.npz")
    codec_of(table, precision).write(folder / "codec.pt")
    files = ["--data", str(folder / "table.npz"), "--checkpoint", str(folder / "codec.pt")]
    model = ["--model", "20-10", "--precision", precision, "--batch-size", "64"]
    assert main(["apply", *files, *model, *options, *QUICK, "--out", str(folder / "run")]) == 0
    return [Measurement.read(folder / "run" / name / "measurement.json") for name in ("compress", "decompress")]


def test_a_new_runtime_is_one_module_and_one_line(registered, table, tmp_path):
    registered(1e-15)
    for record in applied(table, "float64", tmp_path, "--runtime", "torchscript"):
        assert record.parameters["runtime"] == "torchscript"
        assert record.results["startup_s"] > 0 and 0 < record.results["runtime_deviation"] < 1e-12
        assert record.results["runtime_reason"] is None and Flag.RUNTIME_FAULT not in record.flags


@pytest.mark.parametrize(("precision", "least", "most"), [("float64", 0, 1e-12), ("float32", 1e-9, 1e-5)])
def test_the_fast_engine_records_its_deviation_from_eager(table, tmp_path, precision, least, most):
    for record in applied(table, precision, tmp_path, "--engine", "fast"):
        assert least <= record.results["runtime_deviation"] <= most and "startup_s" not in record.results


def test_a_deviation_is_over_the_range_of_the_expected_results():
    expected = np.array([[1.0, 3.0], [5.0, 2.0]])
    assert largest_deviation([(expected + np.array([[0, 0.5], [0, -1]]), expected)]) == 0.25
    assert largest_deviation([]) == 0
    assert np.isnan(largest_deviation([(expected * np.nan, expected)]))


@pytest.mark.parametrize(
    ("change", "reason", "known"),
    [
        (1e-6, "differs from PyTorch by ", True),
        (float("nan"), "could not compute, so that PyTorch did: its results are not finite", False),
        (RuntimeError("no header\nat line 3"), "could not compute, so that PyTorch did: no header", False),
        (RuntimeError(), "could not compute, so that PyTorch did: RuntimeError", False),
    ],
)
def test_a_runtime_with_a_fault_is_recorded_with_the_reason(registered, table, tmp_path, capsys, change, reason, known):
    registered(change)
    for record in applied(table, "float64", tmp_path, "--runtime", "torchscript"):
        assert record.results["runtime_reason"].startswith(reason)
        assert (record.results["runtime_deviation"] is not None) is known
        assert (record.results["startup_s"] is not None) is known
        assert Flag.RUNTIME_FAULT in record.flags and Flag.RUNTIME_FAULT in flags_of(record)[0]
    said = capsys.readouterr().err
    assert said.count(f"Warning: Runtime 'torchscript' {reason}") == 2 and "Traceback" not in said
    if not known:  # PyTorch computed
        applied(table, "float64", tmp_path / "eager")
        found, expected = (
            Table.read(folder / "run/decompress/reconstructed.npz").data for folder in (tmp_path, tmp_path / "eager")
        )
        np.testing.assert_array_equal(found, expected)


def test_a_deviation_that_is_not_finite_is_null(capsys):
    within = deviation_facts(1e-13, 1e-12, "Runtime 'new'", "Use another.")
    assert within == {"runtime_deviation": 1e-13, "runtime_reason": None} and not capsys.readouterr().err
    beyond = deviation_facts(2e-12, 1e-12, "Runtime 'new'", "Use another.")
    assert beyond["runtime_deviation"] == 2e-12
    assert beyond["runtime_reason"] == "differs from PyTorch by 2e-12 of the results' range: the tolerance is 1e-12"
    for deviation in (float("nan"), float("inf")):
        facts = deviation_facts(deviation, 1e-12, "Runtime 'new'", "Use another.")
        assert facts["runtime_deviation"] is None and facts["runtime_reason"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runtime", "openvino"], "runtime 'openvino' does not support precision 'float64': it computes in float32"),
        (["--runtime", "torchscript", "--engine", "fast"], "'torchscript' is not supported by engine 'fast', only by"),
    ],
)
def test_what_a_runtime_does_not_support_is_refused_in_one_message(tmp_path, capsys, options, message):
    assert main(["apply", "--data", "none", *options, *QUICK, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_missing_runtime_is_refused_in_one_message(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Runtime, "missing", lambda self: "It is not installed.")
    assert main(["apply", "--data", "none", "--runtime", "torchscript", *QUICK, "--out", str(tmp_path)]) == 3
    assert "--runtime torchscript: It is not installed." in capsys.readouterr().err


def test_only_pytorch_itself_is_profiled(tmp_path, capsys):
    study = {
        "name": "tiny",
        "data": {"toy": {"source": "toy"}},
        "design": "one-at-a-time",
        "reference": {"dataset": "toy", "rows": 100, "epochs": 1},
        "axes": {"runtime": ["torchscript"]},
        "profile": {"points": [{"rows": 100}]},
    }
    assert {point.runtime for point, _ in load_study(study).profiles} == {"eager"}
    for words in (["profile", "--profiler", "cprofile", "--operation", "compress"], ["parts"], ["forward"]):
        meters = [] if words[0] == "profile" else QUICK[:6]
        arguments = [*words, "--data", "none", "--runtime", "torchscript", *meters, "--out", str(tmp_path)]
        assert main(arguments) == InputError.exit_code
        assert "is only available without another runtime" in capsys.readouterr().err


def test_a_study_refuses_a_precision_that_a_runtime_does_not_support():
    study = {
        "name": "tiny",
        "data": {"toy": {"source": "toy"}},
        "design": "one-at-a-time",
        "reference": {"dataset": "toy", "rows": 100, "epochs": 1},
        "axes": {"runtime": ["openvino"]},
    }
    with pytest.raises(InputError, match="does not support precision 'float64'"):
        load_study(study)

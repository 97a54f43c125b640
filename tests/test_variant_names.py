"""No name of a variant is outside of its module and the registry, except where it means something else."""

import ast
from collections import defaultdict
from pathlib import Path

import baler_energy
from baler_energy import variants

ROOT = Path(baler_energy.__file__).parent
KINDS = (
    *("CODERS", "ENGINES", "FORMATS", "GENERATORS", "METERS", "OPTIMIZERS", "PEERS", "PROFILERS", "PRUNINGS"),
    *("RUNTIMES", "SCHEDULES", "STARTS", "TRANSFORMS"),
)
#: Names that are also words of the vocabulary, of NumPy or of English, which other code needs for that.
WORDS = {
    *("baler", "bound", "constant", "copies", "float16", "float32", "float64", "neurons", "parts", "process"),
    *("random", "root", "table", "torch", "weights"),
}
#: Where a name means something else than one of several variants.
EXCEPTIONS = {
    # The package that contains a table of carbon intensities; and a metric that is codecarbon's by definition.
    "analysis/carbon.py": {"codecarbon"},
    "analysis/cost_metrics.py": {"codecarbon"},
    # The format of our own tables, and their compression by pyarrow.
    "analysis/datapackage.py": {"parquet"},
    "analysis/writing.py": {"zstd"},
    "stages/import_files.py": {"zstd"},
    # Compressors of publications, next to the words that use them; a test compares them with the registry.
    "analysis/published.py": {"sz2", "sz3", "zfp", "zlib"},
    # The job of a record's provenance, not the meter.
    "analysis/tidy.py": {"slurm"},
    "provenance.py": {"slurm"},
    "stages/doctor.py": {"slurm"},
    "stages/doctor_slurm.py": {"slurm"},
    "stages/measured.py": {"slurm"},
    # Shared code of the modules of one engine, and the format of Baler's files.
    "codecs/upstream/files.py": {"npz"},
    "codecs/upstream/work.py": {"upstream"},
    # Declared defaults, what they apply to, and the recommended setting.
    "config/parameters.py": {"adam", "eager", "pca", "reference"},
    "config/recommended.py": {"fast", "one-cycle", "pca"},
    # The key of the study.
    "config/study.py": {"reference"},
    # The particle.
    "data/columns.py": {"muon"},
    # Readers of other tools' files, each in its own module.
    "foreign/carbontracker.py": {"carbontracker"},
    "foreign/codecarbon.py": {"codecarbon"},
    "foreign/pyjoules.py": {"pyjoules"},
    "foreign/zeus.py": {"zeus"},
}


def names_outside_of_variants() -> dict[str, set[str]]:
    """Find the texts of our code that are the name of a variant, by file; not in variants' own modules."""
    names = {name for kind in KINDS for name in getattr(variants, kind)} - WORDS
    own = {ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py") for module in variants.variant_modules()}
    found = defaultdict(set)
    for path in {*ROOT.rglob("*.py")} - own - {ROOT / "variants.py"}:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
                found[path.relative_to(ROOT).as_posix()].add(node.value)
    return dict(found)


def test_no_name_of_a_variant_is_outside_of_its_module_and_the_registry():
    assert names_outside_of_variants() == EXCEPTIONS

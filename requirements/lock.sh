# Write the lock files anew; needs uv. torch's CUDA libraries stay out: pyproject.toml, [tool.uv], says why.
set -eu
compile() { uv pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header pyproject.toml "$@"; }
compile --group build --output-file requirements/study.txt
compile --group build --extra pythia --constraint requirements/study.txt --output-file requirements/pythia.txt
compile --extra peers --constraint requirements/study.txt --output-file requirements/peers.txt
compile --extra blosc2 --constraint requirements/study.txt --output-file requirements/blosc2.txt
compile --extra sz2 --constraint requirements/study.txt --output-file requirements/sz2.txt
compile --extra htcondor --constraint requirements/study.txt --output-file requirements/htcondor.txt
compile --extra runtimes --constraint requirements/study.txt --output-file requirements/runtimes.txt
compile --group test --extra blosc2 --extra htcondor --extra runtimes --extra sz2 --constraint requirements/study.txt \
    --output-file requirements/test.txt
# Baler's NumPy has no wheel for a newer Python than 3.11.
uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --group upstream \
    --output-file requirements/upstream.txt

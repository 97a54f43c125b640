"""Jobs in a container image: what Snakemake passes to Apptainer, by a stand-in that runs the command itself."""

import inspect
import re
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakemake_executor_plugin_slurm.submit_string import get_submit_command

from baler_energy.image import IMAGE

pytestmark = pytest.mark.long

NOTES_ITS_ARGUMENTS = """\
#!/bin/sh
# Records its arguments, a line per call, and runs the command after the image.
test "$1" = --version && { echo apptainer version 1.4.5; exit; }
echo "$@" | tr '\\n' ' ' >> "$NOTES"; echo >> "$NOTES"
while test "$1" != baler-energy.sif; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def in_container(workspace, tmp_path):
    """Run Snakemake with the stand-in; return its exit code, its output, and the stand-in's calls."""
    binary, notes = tmp_path / "bin" / "apptainer", tmp_path / "notes"
    binary.parent.mkdir()
    binary.write_text(NOTES_ITS_ARGUMENTS)
    binary.chmod(0o755)

    def run(study, *words):
        notes.write_text("")
        variables = {"PATH": f"{binary.parent}:{workspace.environment['PATH']}", "NOTES": str(notes)}
        done = workspace.run("snakemake", "--cores", "2", "--configfile", study, *words, variables=variables)
        return done.returncode, done.stdout, notes.read_text().splitlines()

    yield run
    (workspace.root / IMAGE).unlink(missing_ok=True)


APPTAINER = ("--software-deployment-method", "apptainer", "--apptainer-args=--nv")


def test_every_command_runs_in_the_image_and_in_no_image_without_it(workspace, in_container):
    (workspace.root / IMAGE).touch()
    study = workspace.study()
    table = "results/tiny/data/toy/rows~400/table.npz"
    code, said, calls = in_container(study, *APPTAINER, table)
    assert code == 0, said
    assert (workspace.root / table).is_file()
    jobs = [call for call in calls if "baler-energy generate" in call or "baler-energy prepare" in call]
    assert len(jobs) == 2
    for call in jobs:
        assert call.startswith(f"exec --home {workspace.root} --nv")
        assert call.index(f" {IMAGE} ") < call.index("baler-energy ")
    code, said, calls = in_container(study, "--forceall", table)
    assert code == 0 and calls == [], said
    code, said, calls = in_container(study, "--dry-run", table)
    assert "Nothing to be done" in said, "a plain run made something again"


def test_the_names_of_the_image_and_of_its_definition_are_those_of_the_instructions(repository):
    text = (repository / "apptainer.def").read_text()
    assert f"apptainer build {IMAGE} apptainer.def" in text
    assert IMAGE in (repository / "docs" / "slurm.md").read_text()


def test_both_images_are_made_by_the_same_steps(repository):
    one, other = ((repository / name).read_text() for name in ("apptainer.def", "Dockerfile"))
    for step in (
        r"^from: (\S+)",
        r"apt-get install (.+?)(?: \\)?$",
        r"(\S*make \.venv/installed)",
        r"(\.venv/bin/python -m pip install .+?)(?: \\)?$",
        r"(\.venv/bin/python -m compileall .+)$",
    ):
        steps = [re.findall(step, text.replace("FROM ", "From: "), re.M | re.I) for text in (one, other)]
        assert steps[0] == steps[1] and len(steps[0]) == 1, step
    files = re.findall(r"^    (\S+) /opt/baler-energy", one[one.index("%files") : one.index("%post")], re.M)
    copied = [word for words in re.findall(r"^COPY (.+) \S+$", other, re.M) for word in words.split()]
    assert sorted(files) == sorted(copied)


def test_a_missing_image_is_reported_before_any_job(workspace, in_container):
    code, said, calls = in_container(workspace.study(name="absent"), *APPTAINER)
    assert code != 0 and calls == []
    assert f"{IMAGE}: no such image" in said and "apptainer build" in said
    assert "Traceback" not in said and "rule generate" not in said


def with_dependencies(names: set[str]) -> set[str]:
    """Return these packages with all their requirements on this system."""
    found, pending = set(), set(names)
    while pending:
        name = pending.pop()
        found.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # only required on another system
            continue
        needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
        pending |= {canonicalize_name(one.name) for one in needed} - found
    return found


REFUSES = """\
import sys


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {modules!r}:
            raise ModuleNotFoundError(f"{{name}} is not on the login node", name=name)


sys.meta_path.insert(0, Refuse())
"""


def test_the_login_node_only_needs_what_the_instructions_install(workspace, repository, tmp_path):
    """Plan, also for SLURM, and start `baler-energy study`, when the packages of the image cannot be imported."""
    (command,) = re.findall(
        r"pip install --constraint \S+ ((?:.+\\\n)*.+)\n", (repository / "docs/slurm.md").read_text()
    )
    # Snakemake imports every plugin that is installed.
    owners = {canonicalize_name(name) for names in packages_distributions().values() for name in names}
    plugins = {name for name in owners if name.startswith("snakemake-")}
    here = with_dependencies({canonicalize_name(name) for name in command.replace("\\", " ").split()} | plugins)
    refused = {
        module for module, owners in packages_distributions().items() if not here & {*map(canonicalize_name, owners)}
    }
    assert {"torch", "scipy", "matplotlib", "uproot"} <= refused
    (tmp_path / "sitecustomize.py").write_text(REFUSES.format(modules=refused - {"baler_energy"}))
    variables = {"PYTHONPATH": f"{tmp_path}:{workspace.environment['PYTHONPATH']}"}
    for words in (
        ["snakemake", "--dry-run", "--cores", "all"],
        ["snakemake", "--dry-run", "--profile", "slurm", "--configfile", "config/studies/gpu.yaml"],
        ["baler_energy.cli", "study", "--help"],
    ):
        done = workspace.run(*words, variables=variables)
        assert done.returncode == 0, done.stdout
    assert "not on the login node" in workspace.run("torch", variables=variables).stdout


def test_jobs_of_slurm_are_submitted_with_the_environment_that_the_instructions_say():
    assert '"--export=ALL "' in inspect.getsource(get_submit_command)

"""Jobs in a container image: what Snakemake passes to Apptainer, by a stand-in that runs the command itself."""

import pytest

from baler_energy.image import IMAGE

NOTES_ITS_ARGUMENTS = """\
#!/bin/sh
# Notes its arguments, a line a call, and runs what stands behind the image.
test "$1" = --version && { echo apptainer version 1.4.5; exit; }
echo "$@" | tr '\\n' ' ' >> "$NOTES"; echo >> "$NOTES"
while test "$1" != baler-energy.sif; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def in_container(workspace, tmp_path):
    """Run Snakemake with the stand-in; return its exit code, what it said, and the stand-in's calls."""
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


def test_every_command_goes_through_the_image_and_a_plain_run_through_none(workspace, in_container):
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


def test_a_missing_image_is_told_before_any_job(workspace, in_container):
    code, said, calls = in_container(workspace.study(name="absent"), *APPTAINER)
    assert code != 0 and calls == []
    assert f"{IMAGE}: there is no such image" in said and "apptainer build" in said
    assert "Traceback" not in said and "rule generate" not in said

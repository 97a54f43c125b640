"""The container image in which jobs run with ``--software-deployment-method apptainer``."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from baler_energy.cli import stage_modules
from baler_energy.errors import UnavailableError
from baler_energy.fingerprint import source_hash
from baler_energy.variants import variant_modules

__all__ = ["IMAGE", "refuse_other_image", "source"]

#: A file or link in the working directory; the Snakefile's `container:`.
IMAGE = "baler-energy.sif"
#: Time limit for the image's answer (s): a large image on a busy file system takes a while to open.
_ANSWER_LIMIT_S = 300


def source() -> str:
    """Hash the source of all stages and variants of the running package."""
    return source_hash(*stage_modules(), *variant_modules())


def refuse_other_image(image: Path, options: str = "") -> None:
    """Refuse an image whose source differs from the one that plans the workflow.

    Snakemake decides from the local source what has to rerun, but jobs would run the source in the image.

    Parameters
    ----------
    image
        A file, or a link to one.
    options
        Options of ``apptainer exec`` for the jobs, as one string.

    Raises
    ------
    UnavailableError
        The image is missing, cannot be run, or has a different source.
    """
    build = f"`apptainer build {image} apptainer.def` makes one (docs/slurm.md)."
    if not image.exists():
        raise UnavailableError(f"{image}: no such image in {Path.cwd()}; link one to this name, or {build}")
    binary = shutil.which("apptainer") or shutil.which("singularity")
    command = [binary or "apptainer", "exec", "--home", str(Path.cwd()), *shlex.split(options), str(image)]
    command += ["python", "-m", __name__]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{image}: cannot be run with `{' '.join(command)}`: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise UnavailableError(f"{image}: `{' '.join(command)}` fails in it: {said}\nBuild it again: {build}")
    if done.stdout.split()[-1:] != [source()]:
        here = Path(__file__).parent.parent
        raise UnavailableError(
            f"{image}: contains another version of baler-energy than {here}, from which Snakemake plans the runs. "
            f"Build it again: {build} Or `export PYTHONPATH={here}` to make the image run that source instead of its "
            "own."
        )


if __name__ == "__main__":
    sys.stdout.write(f"{source()}\n")

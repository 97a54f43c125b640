"""The program that Scalene watches: ``python -m baler_energy.profilers.scalene_program JOB``."""

import sys

from baler_energy.profilers.running import repeat
from baler_energy.stages.profiled import PROFILED_WARM_UP_BATCHES, Job

__all__ = ["watch"]


def watch(job: Job) -> None:
    """Let Scalene watch only the operation, repeated until there are enough samples."""
    from scalene import scalene_profiler

    operation = job.of_batches(job.max_batches)
    job.of_batches(PROFILED_WARM_UP_BATCHES)()
    scalene_profiler.start()
    count = repeat(operation)
    scalene_profiler.stop()
    job.repetitions.write_text(str(count), encoding="ascii")


if __name__ == "__main__":
    watch(Job.loads(sys.argv[1]))

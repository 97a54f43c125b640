"""baler-energy: what it costs, in energy and CO2e, to compress HEP data with Baler.

snakemake --cores all                                        the laptop study, config/config.yaml
snakemake --cores all --configfile config/studies/NAME.yaml  another study, which replaces it
snakemake --profile slurm                                    on a cluster
"""

import re
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

from baler_energy import commands
from baler_energy.figures import catalogue
from baler_energy.analysis.schema import TABLES
from baler_energy.devices import refuse_missing_gpu
from baler_energy.engines import runnable
from baler_energy.errors import BalerEnergyError
from baler_energy.fingerprint import fingerprint, stage_module
from baler_energy.sections import FileData
from baler_energy.study import load_study

# A study file stands for itself: the default is read only where none is given.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


try:
    STUDY, LEFT_OUT = runnable(load_study(config))
except BalerEnergyError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
if LEFT_OUT and workflow.is_main_process:
    print(LEFT_OUT, file=sys.stderr)

RESULTS = f"results/{STUDY.name}"


wildcard_constraints:
    point=r".+/repeat~\d+",
    dataset="|".join(map(re.escape, STUDY.data)),
    rows=r"\d+|all",
    seed=r"\d+",
    profiler="cprofile|torch|scalene|pyspy|copies|perf",
    device="auto|cpu|cuda",
    tool=r"\w+",
    run=r"\d+",


report: f"{Path.cwd()}/{RESULTS}/overview.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/profile.smk"
include: "workflow/rules/beside.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/report.smk"


onstart:
    # On a cluster the jobs find their own GPU; here, one message comes before any job.
    if workflow.local_exec:
        try:
            refuse_missing_gpu(STUDY)
        except BalerEnergyError as error:
            sys.exit(str(error))
        # Snakemake 9.27 limits the rate of jobs by a timer that each finished job leaves behind and that wakes the
        # scheduler every second from then on: after 60 jobs, 10 % of two cores, beside what is being measured.
        workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.tables.output,
        expand(rules.figures.output, chapter=catalogue.CHAPTERS),

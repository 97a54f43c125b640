"""Names and lookups that the rules share: from a job's wildcards to its point in the study."""

DATA = f"{RESULTS}/data/{{dataset}}"
RUN = f"{RESULTS}/runs/{{point}}"
PROFILE = f"{RESULTS}/profiles/{{point}}/{{profiler}}"
LOGS = f"{RESULTS}/logs"
PEER = f"{RESULTS}/peers/{{point}}/{{tool}}/run~{{run}}"
SESSION = commands.session_options(STUDY, Path(RESULTS, "idle"))
METERS = STUDY.measurement.meters
# A resource of measured jobs, so that changing it triggers no rerun; the dataset applies it to all records.
CONTAMINATION_LIMIT = str(STUDY.measurement.contamination_limit)
CODECS = list(
    {(point.transform, point.engine): point for point in STUDY.points}.values()
)

# A measured job claims every core, so that no other job of this workflow runs; Snakemake limits this number to the
# available cores. torch uses the point's `threads`.
ALL_CORES = 1024

# Priority of the data, above that of every measured job, so that what is wrong with a file shows first.
DATA_FIRST = 1_000_000

# First estimate of a job's duration (s), until one of its kind has ended: a few seconds to start, plus its windows.
START_S, WINDOW_S = 4, STUDY.measurement.min_window_s
GUESS_S = {
    "calibrate": START_S + 2 * STUDY.measurement.calibrate_s,
    "train": START_S + 1.5 * WINDOW_S,
    "apply": START_S + 2 * WINDOW_S,
    "forward": START_S + WINDOW_S,
    "parts": START_S + 45 * WINDOW_S,
}


def steps_left():
    """Number of jobs left, by rule."""
    return Counter(job.rule.name for job in workflow.dag.needrun_jobs())


def source_of(wildcards):
    """Shards with the rows, or a file that is downloaded; a local file and root:// are read in place."""
    data = STUDY.data[wildcards.dataset]
    if isinstance(data, FileData):
        if data.is_downloaded:
            return storage.http(commands.quoted_url(data.path), keep_local=True)
        return []
    seeds = STUDY.shard_seeds(wildcards.dataset, wildcards.rows)
    return expand(rules.generate.output, dataset=wildcards.dataset, seed=seeds)


def input_of(wildcards, input):
    """The option with the input of `prepare`."""
    return commands.input_options(STUDY, wildcards.dataset, input)


def state_of_source(wildcards):
    """The user's file with its state; it is read in place, see `commands.file_states`."""
    description = rules.prepare.output.record.format(
        dataset=wildcards.dataset, rows=wildcards.rows
    )
    return commands.source_states(STUDY, wildcards.dataset, Path(description))


def check_planned_jobs():
    """Refuse the study if a table cannot be made that this run needs, before the first job."""
    made = {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}
    tables, generated = [], []
    for dataset, rows in dict.fromkeys(
        (point.dataset, point.rows) for point in STUDY.by_path.values()
    ):
        if rules.prepare.output.table.format(dataset=dataset, rows=rows) in made:
            tables.append((dataset, rows))
        seeds = STUDY.shard_seeds(dataset, rows)
        shards = expand(rules.generate.output, dataset=dataset, seed=seeds)
        if dataset not in generated and not made.isdisjoint(shards):
            generated.append(dataset)
    # Packages only have to be installed where jobs run.
    elsewhere = IN_IMAGE or workflow.dryrun or not workflow.local_exec
    try:
        check_inputs(STUDY, tables, generated, elsewhere=elsewhere)
    except BalerEnergyError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def table_of(wildcards):
    """The prepared table of a point."""
    point = STUDY.by_path[wildcards.point]
    return rules.prepare.output.table.format(dataset=point.dataset, rows=point.rows)


def held_out_of(wildcards):
    """The table of a point's held-out rows."""
    point = STUDY.by_path[wildcards.point]
    return rules.prepare.output.held_out.format(dataset=point.dataset, rows=point.rows)


@cache
def outdated_ingredients(calibration):
    """Modules and packages that have changed since a calibration was made."""
    made_with = ingredients_of(Path(calibration))
    present = ingredients(*sources.calibrated(METERS))
    return {name for name in present if made_with.get(name) != present[name]}


def calibration_of(wildcards, modules):
    """The calibration for a point's device, for a job that depends on these modules.

    A new calibration describes what the machine resolves now and does not invalidate earlier measurements, so it is
    `ancient`. But if Snakemake 9.27 reruns the calibration, it does not look for other reasons to rerun the jobs that
    depend on it. So the calibration is a normal input if a module that both depend on has changed. It is a checkpoint,
    so that Snakemake looks for other changes after it. If the file was deleted and is made again, for example for a new
    point, Snakemake 9.27 runs all jobs again that depend on it, `ancient` or not.
    """
    device = STUDY.by_path[wildcards.point].device
    calibration = rules.calibrate.output[0].format(device=device)
    both = outdated_ingredients(calibration) & ingredients(*modules).keys()
    return calibration if both else ancient(calibration)


def point_options(wildcards):
    """Options that describe a point."""
    return commands.point_options(STUDY, STUDY.by_path[wildcards.point])


def fingerprint_of(wildcards, modules):
    """Fingerprint of a point's job, with the versions of what its engine runs outside this Python environment."""
    versions = engine_of(STUDY.by_path[wildcards.point]).versions()
    return " ".join(
        [fingerprint(*modules), *(f"{name}={one}" for name, one in versions.items())]
    )


def train_sources(wildcards):
    """Modules that a training depends on."""
    return sources.measured("train", STUDY.by_path[wildcards.point], METERS)


def apply_sources(wildcards):
    """Modules that compression, decompression and evaluation depend on."""
    return sources.applied(STUDY.by_path[wildcards.point], METERS)


def forward_sources(wildcards):
    """Modules that a forward pass depends on."""
    return sources.measured("forward", STUDY.by_path[wildcards.point], METERS)


def profile_sources(wildcards):
    """Modules that a profile depends on."""
    return sources.profiled(STUDY.by_path[wildcards.point], wildcards.profiler)


def parts_sources(wildcards):
    """Modules that the costs of layers and data movements depend on."""
    return sources.separate_parts(STUDY.by_path[wildcards.point], METERS)


def peer_sources(wildcards):
    """Modules that the training of a peer run depends on."""
    return sources.peer(STUDY.by_path[wildcards.point], wildcards.tool, METERS)


def checkpoint_of(wildcards):
    """The checkpoint of a point; empty if its codec is not trained."""
    trained = wildcards.point in STUDY.trained
    return (
        rules.train.output.checkpoint.format(point=wildcards.point) if trained else []
    )


def checkpoint_option(wildcards, input):
    """The option that names the checkpoint of a point, if its codec is trained."""
    return [f"--checkpoint={input.checkpoint}"] if input.checkpoint else []


def operations_of_point(wildcards):
    """The operations of a point's codec."""
    return list(operations_of(STUDY.by_path[wildcards.point]))


def format_of_data(wildcards):
    """The format of a dataset's file; None if the dataset is generated."""
    data = STUDY.data[wildcards.dataset]
    return data.format_name if isinstance(data, FileData) else None


def threads_of_profile(wildcards):
    """Threads of a point, so that profilers run in parallel if there are more cores than that.

    They run one at a time if they might share a GPU. On a cluster, the workflow profile requests all cores.
    """
    point = STUDY.by_path[wildcards.point]
    if point.device != "cpu" and count_gpus():
        return ALL_CORES
    return default_threads() if point.threads == "auto" else point.threads


def gpus(wildcards):
    """GPUs that a point requests on a cluster."""
    return 1 if STUDY.by_path[wildcards.point].device == "cuda" else 0


def priority_of(wildcards):
    """Random priority of a point's jobs, which shuffles the runs; Snakemake starts higher priorities first."""
    return STUDY.order[wildcards.point]


def folder_of_output(wildcards, output):
    """The folder that a stage writes to."""
    return Path(output[0]).parent


def folder_of_input(wildcards, input):
    """The folder that a stage reads from."""
    return Path(input[0]).parent


def points_of_rounds(before=None):
    """Points of the grid with the repeats that rounds have added, and the files of these rounds.

    Snakemake calls this again after each round. The files must also be inputs, so that it notices an outdated round.
    """
    files = []

    def file_of_round(number):
        files.append(checkpoints.repeats.get(round=number).output[0])
        return Path(files[-1])

    return points_so_far(STUDY, file_of_round, before=before), files


def records_of(points):
    """Records of points: training, if they are trained, and application of the codec."""
    applied = rules.apply.output
    records = [applied.compress, applied.decompress, applied.evaluate]
    trained = [point for point in points if point.path in STUDY.trained]
    return [
        *(rules.train.output.record.format(point=point.path) for point in trained),
        *(record.format(point=point.path) for point in points for record in records),
    ]


def files_before_round(wildcards):
    """Records on which a round is based, and the rounds before it."""
    points, rounds = points_of_rounds(before=int(wildcards.round))
    return [*records_of(points), *rounds]


def files_of_runs(wildcards):
    """Records of every point, and the extra outputs of some points.

    This is a function because Snakemake 9.27 takes time quadratic in the length of a list written in a rule.
    """
    (points, rounds), sized = points_of_rounds(), set(STUDY.sized)
    derived = [p.path for p in points if STUDY.data[p.dataset].derived]
    return [
        *records_of(points),
        *rounds,
        *expand(rules.derive.output, point=derived),
        *expand(
            rules.forward.output.record, point=[p.path for p in points if p in sized]
        ),
        *(PROFILE.format(point=p.path, profiler=name) for p, name in STUDY.profiles),
        *expand(
            rules.peer.output.record,
            point=[p.path for p in STUDY.peer_points],
            tool=STUDY.peers.tools,
            run=range(STUDY.peers.repeats),
        ),
    ]


def memory_of_dataset(wildcards, attempt):
    """Memory (MB) of a job that reads the whole dataset: docs/scaling.md."""
    return (2000 + len(STUDY.by_path) // 5) * attempt

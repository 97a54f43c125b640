"""Names and lookups that the rules share: from a job's wildcards to its point in the study."""

DATA = f"{RESULTS}/data/{{dataset}}"
RUN = f"{RESULTS}/runs/{{point}}"
PROFILE = f"{RESULTS}/profiles/{{point}}/{{profiler}}"
LOGS = f"{RESULTS}/logs"
OPERATIONS = ["train", "compress", "decompress"]
DEVICES = sorted({point.device for point in STUDY.points})
PEER = f"{RESULTS}/peers/{{point}}/{{tool}}/run~{{run}}"
SESSION = commands.session_options(STUDY, Path(RESULTS, "idle"))
METERS = STUDY.measurement.meters
CODECS = list(
    {(point.transform, point.engine): point for point in STUDY.points}.values()
)

# A measured job claims every core, so that nothing else of this workflow runs; Snakemake clamps the number to
# what there is. What torch uses is the point's `threads`.
ALL_CORES = 1024

# First guesses of how long a job takes (s), until one of its kind has ended: a start of some seconds, and its windows.
START_S, WINDOW_S = 4, STUDY.measurement.min_window_s
GUESS_S = {
    "calibrate": START_S + 2 * STUDY.measurement.calibrate_s,
    "train": START_S + 1.5 * WINDOW_S,
    "apply": START_S + 2 * WINDOW_S,
    "forward": START_S + WINDOW_S,
    "parts": START_S + 45 * WINDOW_S,
}


def steps_left():
    """Jobs that have not ended, by rule."""
    return Counter(job.rule.name for job in workflow.dag.needrun_jobs())


def source_of(wildcards):
    """Shards that the rows come from, or the user's file; root:// is read in place, http(s) is fetched.

    A file that is not there is left to `prepare` to report: as an input it would stop the other datasets, too.
    """
    data = STUDY.data[wildcards.dataset]
    if isinstance(data, FileData):
        if data.path.startswith("root://"):
            return []
        if data.path.startswith(("http://", "https://")):
            return storage.http(data.path, keep_local=True)
        return data.path if Path(data.path).exists() else []
    seeds = STUDY.shard_seeds(wildcards.dataset, wildcards.rows)
    return expand(rules.generate.output, dataset=wildcards.dataset, seed=seeds)


def remote_source_of(wildcards, input):
    """What is not a file here: a URL, or a path where nothing is."""
    return [] if input else [STUDY.data[wildcards.dataset].path]


def table_of(wildcards):
    """The prepared table of a point."""
    point = STUDY.by_path[wildcards.point]
    return rules.prepare.output.table.format(dataset=point.dataset, rows=point.rows)


@cache
def outdated_ingredients(calibration):
    """Modules and packages that have changed since a calibration was made."""
    made_with = ingredients_of(Path(calibration))
    present = ingredients(*sources.calibrated(METERS))
    return {name for name in present if made_with.get(name) != present[name]}


def calibration_of(wildcards, modules):
    """The calibration of a point's kind of machine, for a job that these modules are behind.

    One that is made anew says what the machine resolves now; it does not unmake what was measured. But where Snakemake
    9.27 makes it anew, it does not look for other reasons to run the jobs after it, so that a change of what is behind
    both has to be one here. Whatever else has changed is seen after the calibration, which therefore is a checkpoint.
    """
    device = STUDY.by_path[wildcards.point].device
    calibration = rules.calibrate.output[0].format(device=device)
    both = outdated_ingredients(calibration) & ingredients(*modules).keys()
    return calibration if both else ancient(calibration)


def point_options(wildcards):
    """Options that name a point."""
    return commands.point_options(STUDY, STUDY.by_path[wildcards.point])


def train_sources(wildcards):
    """Modules behind a training."""
    return sources.measured("train", STUDY.by_path[wildcards.point], METERS)


def apply_sources(wildcards):
    """Modules behind compression, decompression and errors."""
    return sources.applied(STUDY.by_path[wildcards.point], METERS)


def forward_sources(wildcards):
    """Modules behind a forward pass."""
    return sources.measured("forward", STUDY.by_path[wildcards.point], METERS)


def profile_sources(wildcards):
    """Modules behind a profile."""
    return sources.profiled(STUDY.by_path[wildcards.point], wildcards.profiler)


def parts_sources(wildcards):
    """Modules behind the costs of layers and of movements of data."""
    return sources.separate_parts(STUDY.by_path[wildcards.point], METERS)


def peer_sources(wildcards):
    """Modules behind a training that another tool measures, too."""
    return sources.peer(STUDY.by_path[wildcards.point], wildcards.tool, METERS)


def checkpoint_of(wildcards):
    """The checkpoint of a point; nothing, where its codec learns nothing."""
    trained = wildcards.point in STUDY.trained
    return (
        rules.train.output.checkpoint.format(point=wildcards.point) if trained else []
    )


def format_of_data(wildcards):
    """The format of a dataset's file; None where it is generated."""
    data = STUDY.data[wildcards.dataset]
    return data.format_name if isinstance(data, FileData) else None


def threads_of_profile(wildcards):
    """Threads that a point computes on: profilers run side by side where these are fewer than this machine's cores.

    Not where they might share a GPU; on a cluster, the profile asks for all cores.
    """
    point = STUDY.by_path[wildcards.point]
    if point.device != "cpu" and count_gpus():
        return ALL_CORES
    return default_threads() if point.threads == "auto" else point.threads


def gpus(wildcards):
    """GPUs that a point asks a cluster for."""
    return 1 if STUDY.by_path[wildcards.point].device == "cuda" else 0


def order(wildcards):
    """Place of a point in the shuffled order of the runs."""
    return STUDY.order[wildcards.point]


def folder_of_output(wildcards, output):
    """The folder that a stage writes to."""
    return Path(output[0]).parent


def folder_of_input(wildcards, input):
    """The folder that a stage reads from."""
    return Path(input[0]).parent


def points_of_rounds(before=None):
    """Points of the grid with the repeats that rounds have added, and the files of these rounds.

    Snakemake asks again after each round. The files have to be inputs, too, for it to see that a round is out of date.
    """
    files = []

    def file_of_round(number):
        files.append(checkpoints.repeats.get(round=number).output[0])
        return Path(files[-1])

    return points_so_far(STUDY, file_of_round, before=before), files


def records_of(points):
    """Records of points: of their trainings, where there are some, and of what applies the codec."""
    applied = rules.apply.output
    records = [applied.compress, applied.decompress, applied.evaluate]
    trained = [point for point in points if point.path in STUDY.trained]
    return [
        *(rules.train.output.record.format(point=point.path) for point in trained),
        *(record.format(point=point.path) for point in points for record in records),
    ]


def files_before_round(wildcards):
    """Records that a round decides by, and the rounds before it."""
    points, rounds = points_of_rounds(before=int(wildcards.round))
    return [*records_of(points), *rounds]


def files_of_runs(wildcards):
    """Records of every point, and what is made at some of them.

    A function, as Snakemake 9.27 takes time with the square of the length of a list that is written in a rule.
    """
    (points, rounds), sized = points_of_rounds(), set(STUDY.sized)
    return [
        *records_of(points),
        *rounds,
        *expand(
            rules.forward.output.record, point=[p.path for p in points if p in sized]
        ),
        *(PROFILE.format(point=p.path, profiler=name) for p, name in STUDY.profiles),
        *expand(
            rules.peer.output.record,
            point=[p.path for p in STUDY.beside_peers],
            tool=STUDY.peers.tools,
            run=range(STUDY.peers.repeats),
        ),
    ]


def memory_of_dataset(wildcards, attempt):
    """Memory (MB) of what reads the whole dataset: docs/scaling.md."""
    return (2000 + len(STUDY.by_path) // 5) * attempt

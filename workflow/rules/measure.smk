"""The measured operations of each point, and the errors of what comes back.

A measured job claims every core, so that nothing of this workflow runs beside it; Snakemake clamps the number to what
there is. What torch uses is the study's `measurement.threads`.
"""

ALL_CORES = 1024
RUN = f"{RESULTS}/runs/{{point}}"
SESSION = commands.session_options(STUDY, f"{RESULTS}/idle")


def table_of(wildcards):
    """The prepared table of a point."""
    point = STUDY.by_path[wildcards.point]
    return expand(rules.prepare.output.table, dataset=point.dataset, rows=point.rows)


def point_options(wildcards):
    """Options that name a point."""
    return commands.point_options(STUDY, STUDY.by_path[wildcards.point])


def gpus(wildcards):
    """GPUs that a point asks a cluster for."""
    return 1 if STUDY.by_path[wildcards.point].device == "cuda" else 0


def order(wildcards):
    """Place of a point in the shuffled order of the runs."""
    return STUDY.order[wildcards.point]


rule train:
    input:
        table=table_of,
    output:
        checkpoint=f"{RUN}/train/checkpoint.pt",
        history=f"{RUN}/train/history.parquet",
        samples=f"{RUN}/train/samples.parquet",
        record=f"{RUN}/train/measurement.json",
    log:
        f"{RESULTS}/logs/{{point}}/train.log",
    priority: order
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
    params:
        folder=f"{RUN}/train",
        point=point_options,
        training=commands.training_options(STUDY),
        session=SESSION,
        source=fingerprint("baler_energy.stages.train"),
    shell:
        "baler-energy train --data {input.table:q} --out {params.folder:q} {params.point:q} {params.training:q}"
        " {params.session:q} > {log:q} 2>&1"


rule compress:
    input:
        table=table_of,
        checkpoint=rules.train.output.checkpoint,
    output:
        table=f"{RUN}/compress/table.baler",
        samples=f"{RUN}/compress/samples.parquet",
        record=f"{RUN}/compress/measurement.json",
    log:
        f"{RESULTS}/logs/{{point}}/compress.log",
    priority: order
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        folder=f"{RUN}/compress",
        point=point_options,
        session=SESSION,
        source=fingerprint("baler_energy.stages.compress"),
    shell:
        "baler-energy compress --data {input.table:q} --checkpoint {input.checkpoint:q} --out {params.folder:q}"
        " {params.point:q} {params.session:q} > {log:q} 2>&1"


rule decompress:
    input:
        compressed=rules.compress.output.table,
        checkpoint=rules.train.output.checkpoint,
    output:
        table=f"{RUN}/decompress/reconstructed.npz",
        samples=f"{RUN}/decompress/samples.parquet",
        record=f"{RUN}/decompress/measurement.json",
    log:
        f"{RESULTS}/logs/{{point}}/decompress.log",
    priority: order
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        folder=f"{RUN}/decompress",
        point=point_options,
        session=SESSION,
        source=fingerprint("baler_energy.stages.decompress"),
    shell:
        "baler-energy decompress --compressed {input.compressed:q} --checkpoint {input.checkpoint:q}"
        " --out {params.folder:q} {params.point:q} {params.session:q} > {log:q} 2>&1"


rule evaluate:
    input:
        original=table_of,
        reconstructed=rules.decompress.output.table,
        compressed=rules.compress.output.table,
        checkpoint=rules.train.output.checkpoint,
    output:
        errors=f"{RUN}/evaluate/errors.parquet",
        histograms=f"{RUN}/evaluate/histograms.parquet",
        summary=f"{RUN}/evaluate/summary.json",
    log:
        f"{RESULTS}/logs/{{point}}/evaluate.log",
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        folder=f"{RUN}/evaluate",
        source=fingerprint("baler_energy.stages.evaluate"),
    shell:
        "baler-energy evaluate --original {input.original:q} --reconstructed {input.reconstructed:q}"
        " --compressed {input.compressed:q} --checkpoint {input.checkpoint:q} --out {params.folder:q} > {log:q} 2>&1"

"""Profiler traces of the points that the study names, in runs of their own: a profiled run is slower."""


rule profile:
    input:
        table=table_of,
        checkpoint=rules.train.output.checkpoint,
    output:
        folder=directory(PROFILE),
    log:
        f"{LOGS}/{{point}}/profile-{{profiler}}.log",
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        operations=OPERATIONS,
        point=point_options,
        batches=STUDY.profile.max_batches,
        source=fingerprint("baler_energy.stages.profile"),
    shell:
        "baler-energy profile --profiler {wildcards.profiler} --operation {params.operations}"
        " --max-batches {params.batches} --data {input.table:q} --checkpoint {input.checkpoint:q} {params.point:q}"
        " --out {output.folder:q} > {log:q} 2>&1"

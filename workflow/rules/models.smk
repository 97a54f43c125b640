"""The cost of network size: the measured and counted forward pass, if the study has more than one network."""


rule forward:
    input:
        table=table_of,
        checkpoint=rules.train.output.checkpoint,
        calibration=lambda w: calibration_of(w, forward_sources(w)),
    output:
        counts=f"{RUN}/forward/counts.json",
        samples=f"{RUN}/forward/samples.parquet",
        record=f"{RUN}/forward/measurement.json",
    log:
        f"{LOGS}/{{point}}/forward.log",
    priority: priority_of
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
        contamination_limit=CONTAMINATION_LIMIT,
    params:
        folder=folder_of_output,
        point=point_options,
        session=SESSION,
        source=lambda w: fingerprint_of(w, forward_sources(w)),
    shell:
        "baler-energy forward --data {input.table:q} --checkpoint {input.checkpoint:q} --out {params.folder:q}"
        " {params.point:q} --calibration {input.calibration:q} {params.session:q}"
        " --contamination-limit {resources.contamination_limit} > {log:q} 2>&1"

"""The machine's calibration, the measured operations of each point, and the reconstruction errors."""


checkpoint calibrate:
    output:
        f"{RESULTS}/calibration/device~{{device}}.json",
    log:
        f"{LOGS}/calibrate-{{device}}.log",
    threads: ALL_CORES
    resources:
        gpu=lambda w: 1 if w.device == "cuda" else 0,
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        options=commands.calibrate_options(STUDY),
        source=fingerprint(*sources.calibrated(METERS)),
    shell:
        "baler-energy calibrate --out {output:q} {params.options:q} > {log:q} 2>&1"


rule train:
    input:
        table=table_of,
        calibration=lambda w: calibration_of(w, train_sources(w)),
    output:
        checkpoint=f"{RUN}/train/checkpoint.pt",
        history=f"{RUN}/train/history.parquet",
        samples=f"{RUN}/train/samples.parquet",
        record=f"{RUN}/train/measurement.json",
    log:
        f"{LOGS}/{{point}}/train.log",
    priority: priority_of
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
        # A resource, so that changing it triggers no rerun.
        save_every_s=str(STUDY.training.save_every_s),
        contamination_limit=CONTAMINATION_LIMIT,
    params:
        folder=folder_of_output,
        point=point_options,
        training=commands.training_options(STUDY),
        session=SESSION,
        source=lambda w: fingerprint_of(w, train_sources(w)),
    shell:
        "baler-energy train --data {input.table:q} --out {params.folder:q} {params.point:q} {params.training:q}"
        " --calibration {input.calibration:q} {params.session:q} --save-every-s {resources.save_every_s}"
        " --contamination-limit {resources.contamination_limit} > {log:q} 2>&1"


rule apply:
    input:
        table=table_of,
        held_out=held_out_of,
        checkpoint=checkpoint_of,
        calibration=lambda w: calibration_of(w, apply_sources(w)),
    output:
        f"{RUN}/compress/table.baler",
        f"{RUN}/compress/samples.parquet",
        f"{RUN}/decompress/reconstructed.npz",
        f"{RUN}/decompress/samples.parquet",
        f"{RUN}/evaluate/errors.parquet",
        f"{RUN}/evaluate/histograms.parquet",
        compress=f"{RUN}/compress/measurement.json",
        decompress=f"{RUN}/decompress/measurement.json",
        evaluate=f"{RUN}/evaluate/summary.json",
    log:
        f"{LOGS}/{{point}}/apply.log",
    priority: priority_of
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
        contamination_limit=CONTAMINATION_LIMIT,
    params:
        folder=lambda w, output: Path(output.evaluate).parents[1],
        checkpoint=checkpoint_option,
        point=point_options,
        session=SESSION,
        source=lambda w: fingerprint_of(w, apply_sources(w)),
    shell:
        "baler-energy apply --data {input.table:q} --held-out {input.held_out:q} {params.checkpoint:q}"
        " --out {params.folder:q}"
        " {params.point:q} --calibration {input.calibration:q} {params.session:q}"
        " --contamination-limit {resources.contamination_limit} > {log:q} 2>&1"


# A separate rule, so that a new derived quantity repeats no measurement.
rule derive:
    input:
        table=table_of,
        reconstructed=f"{RUN}/decompress/reconstructed.npz",
    output:
        derived=f"{RUN}/derive/derived.parquet",
        histograms=f"{RUN}/derive/derived_histograms.parquet",
    log:
        f"{LOGS}/{{point}}/derive.log",
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        folder=folder_of_output,
        options=lambda w: commands.derive_options(STUDY, STUDY.by_path[w.point].dataset),
        source=fingerprint(sources.stage("derive")),
    shell:
        "baler-energy derive --original {input.table:q} --reconstructed {input.reconstructed:q} {params.options:q}"
        " --out {params.folder:q} > {log:q} 2>&1"

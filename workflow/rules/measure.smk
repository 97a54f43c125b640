"""The machine's calibration, the measured operations of each point, and the errors of what comes back."""


rule calibrate:
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
        source=fingerprint("baler_energy.stages.calibrate"),
    shell:
        "baler-energy calibrate --out {output:q} {params.options:q} > {log:q} 2>&1"


rule train:
    input:
        table=table_of,
        calibration=calibration_of,
    output:
        checkpoint=f"{RUN}/train/checkpoint.pt",
        history=f"{RUN}/train/history.parquet",
        samples=f"{RUN}/train/samples.parquet",
        record=f"{RUN}/train/measurement.json",
    log:
        f"{LOGS}/{{point}}/train.log",
    priority: order
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
        # No parameter: that a state is saved more often reruns nothing.
        save_every_s=str(STUDY.training.save_every_s),
    params:
        folder=folder_of_output,
        point=point_options,
        training=commands.training_options(STUDY),
        session=SESSION,
        source=lambda w: source_of_stage("train", w),
    shell:
        "baler-energy train --data {input.table:q} --out {params.folder:q} {params.point:q} {params.training:q}"
        " --calibration {input.calibration:q} {params.session:q} --save-every-s {resources.save_every_s}"
        " > {log:q} 2>&1"


rule compress:
    input:
        table=table_of,
        checkpoint=rules.train.output.checkpoint,
        calibration=calibration_of,
    output:
        table=f"{RUN}/compress/table.baler",
        samples=f"{RUN}/compress/samples.parquet",
        record=f"{RUN}/compress/measurement.json",
    log:
        f"{LOGS}/{{point}}/compress.log",
    priority: order
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        folder=folder_of_output,
        point=point_options,
        session=SESSION,
        source=lambda w: source_of_stage("compress", w),
    shell:
        "baler-energy compress --data {input.table:q} --checkpoint {input.checkpoint:q} --out {params.folder:q}"
        " {params.point:q} --calibration {input.calibration:q} {params.session:q} > {log:q} 2>&1"


rule decompress:
    input:
        compressed=rules.compress.output.table,
        checkpoint=rules.train.output.checkpoint,
        calibration=calibration_of,
    output:
        table=f"{RUN}/decompress/reconstructed.npz",
        samples=f"{RUN}/decompress/samples.parquet",
        record=f"{RUN}/decompress/measurement.json",
    log:
        f"{LOGS}/{{point}}/decompress.log",
    priority: order
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        folder=folder_of_output,
        point=point_options,
        session=SESSION,
        source=lambda w: source_of_stage("decompress", w),
    shell:
        "baler-energy decompress --compressed {input.compressed:q} --checkpoint {input.checkpoint:q}"
        " --out {params.folder:q} {params.point:q} --calibration {input.calibration:q} {params.session:q}"
        " > {log:q} 2>&1"


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
        f"{LOGS}/{{point}}/evaluate.log",
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        folder=folder_of_output,
        source=fingerprint("baler_energy.stages.evaluate"),
    shell:
        "baler-energy evaluate --original {input.original:q} --reconstructed {input.reconstructed:q}"
        " --compressed {input.compressed:q} --checkpoint {input.checkpoint:q} --out {params.folder:q} > {log:q} 2>&1"

"""The tidy dataset: every input is named by the grid, nothing is found by walking folders."""


localrules:
    study,


rule study:
    output:
        f"{RESULTS}/study.yaml",
    log:
        f"{LOGS}/study.log",
    params:
        study=STUDY.model_dump_json(exclude_unset=True),
    run:
        STUDY.write(Path(output[0]))


rule collect:
    input:
        study=rules.study.output,
        records=expand(
            [
                rules.train.output.record,
                rules.compress.output.record,
                rules.decompress.output.record,
            ],
            point=POINTS,
        ),
        forward=expand(
            rules.forward.output.record, point=[point.path for point in STUDY.sized]
        ),
        errors=expand(rules.evaluate.output.summary, point=POINTS),
        profiles=[
            PROFILE.format(point=point.path, profiler=profiler)
            for point, profiler in STUDY.profiles
        ],
        calibrations=expand(rules.calibrate.output, device=DEVICES),
        peers=expand(
            rules.peer.output.record,
            point=[point.path for point in STUDY.beside_peers],
            tool=STUDY.peers.tools,
            run=range(STUDY.peers.repeats),
        ),
        foreign=rules.foreign.output if STUDY.imports else [],
        logs=STUDY.logs,
    output:
        expand(f"{RESULTS}/dataset/{{table}}.parquet", table=TABLES),
        f"{RESULTS}/dataset/datapackage.json",
    log:
        f"{LOGS}/collect.log",
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        results=folder_of_input,
        folder=folder_of_output,
        source=fingerprint("baler_energy.stages.collect"),
    shell:
        "baler-energy collect --study {input.study:q} --results {params.results:q} --out {params.folder:q}"
        " > {log:q} 2>&1"

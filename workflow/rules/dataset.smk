"""The tidy dataset, and the repeats that it needs. The grid determines every input; no folder is searched."""


localrules:
    study,


rule study:
    output:
        study=f"{RESULTS}/study.yaml",
        left_out=f"{RESULTS}/left_out.json",
    log:
        f"{LOGS}/study.log",
    params:
        # Functions, since Snakemake fills in {names} in text that is no function's.
        study=lambda w: STUDY.model_dump_json(exclude_unset=True),
        left_out=lambda w: [one._asdict() for one in LEFT_OUT],
    run:
        STUDY.write(Path(output.study))
        write_json(Path(output.left_out), params.left_out)


checkpoint repeats:
    input:
        study=rules.study.output.study,
        runs=files_before_round,
    output:
        round_file(Path(RESULTS), "{round}"),
    log:
        f"{LOGS}/repeats/round~{{round}}.log",
    resources:
        mem_mb=memory_of_dataset,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        results=folder_of_input,
        source=fingerprint(*sources.analysed("repeats", CODECS)),
    shell:
        "baler-energy repeats --study {input.study:q} --results {params.results:q} --round {wildcards.round}"
        " --out {output:q} > {log:q} 2>&1"


rule collect:
    input:
        study=rules.study.output.study,
        left_out=rules.study.output.left_out,
        runs=files_of_runs,
        calibrations=expand(rules.calibrate.output, device=DEVICES),
        foreign=rules.foreign.output if STUDY.imports else [],
    output:
        expand(f"{RESULTS}/dataset/{{table}}.parquet", table=TABLES),
        f"{RESULTS}/dataset/datapackage.json",
    log:
        f"{LOGS}/collect.log",
    threads: 8
    resources:
        mem_mb=memory_of_dataset,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        results=folder_of_input,
        folder=folder_of_output,
        logs=lambda w: commands.file_states(STUDY.logs),
        source=fingerprint(*sources.analysed("collect", CODECS)),
    shell:
        "baler-energy collect --study {input.study:q} --left-out {input.left_out:q} --results {params.results:q}"
        " --out {params.folder:q} --processes {threads} > {log:q} 2>&1"

"""The tidy dataset: every input is named by the grid, nothing is found by walking folders."""

POINTS = list(STUDY.by_path)
PROFILED = [point.path for point in STUDY.profiled]


localrules:
    study,


rule study:
    output:
        f"{RESULTS}/study.yaml",
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
        errors=expand(rules.evaluate.output.summary, point=POINTS),
        profiles=expand(
            rules.profile.output.folder,
            point=PROFILED,
            profiler=STUDY.profile.profilers,
            operation=["train", "compress", "decompress"],
        ),
    output:
        expand(f"{RESULTS}/dataset/{{table}}.parquet", table=TABLES),
        f"{RESULTS}/dataset/datapackage.json",
    log:
        f"{RESULTS}/logs/collect.log",
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        results=RESULTS,
        folder=f"{RESULTS}/dataset",
        source=fingerprint("baler_energy.stages.collect"),
    shell:
        "baler-energy collect --study {input.study:q} --results {params.results:q} --out {params.folder:q}"
        " > {log:q} 2>&1"

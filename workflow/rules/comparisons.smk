"""Comparisons with our results: other tools in extra repeats, and results of other studies."""


rule peer:
    input:
        table=table_of,
        calibration=lambda w: calibration_of(w, peer_sources(w)),
    output:
        record=f"{PEER}/peer.json",
    log:
        f"{LOGS}/{{point}}/peer-{{tool}}-{{run}}.log",
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        runtime=lambda w, attempt: (60 + STUDY.peers.time_limit_s // 60) * attempt,
        contamination_limit=CONTAMINATION_LIMIT,
    params:
        folder=folder_of_output,
        point=point_options,
        options=commands.peer_options(STUDY),
        training=commands.training_options(STUDY),
        session=SESSION,
        source=lambda w: fingerprint_of(w, peer_sources(w)),
    shell:
        "baler-energy peer --tool {wildcards.tool} --data {input.table:q} --out {params.folder:q} {params.options:q}"
        " {params.point:q} {params.training:q} --calibration {input.calibration:q} {params.session:q}"
        " --contamination-limit {resources.contamination_limit} > {log:q} 2>&1"


rule foreign:
    output:
        rows=f"{RESULTS}/foreign/foreign.parquet",
        findings=f"{RESULTS}/foreign/findings.parquet",
    log:
        f"{LOGS}/import.log",
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        folder=folder_of_output,
        # The user's paths are not inputs: `commands.file_states`.
        imports=lambda w: list(STUDY.imports),
        files=lambda w: commands.file_states(STUDY.imports),
        source=fingerprint(sources.stage("import_files")),
    shell:
        "baler-energy import --out {params.folder:q} -- {params.imports:q} > {log:q} 2>&1"

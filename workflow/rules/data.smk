"""Tables of HEP data: generated in seeded shards, or read from a user's file."""


rule generate:
    output:
        f"{DATA}/shards/seed~{{seed}}.npz",
    log:
        f"{LOGS}/data/{{dataset}}/seed~{{seed}}.log",
    priority: DATA_FIRST
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        options=lambda w: commands.generate_options(STUDY, w.dataset, w.seed),
        source=lambda w: fingerprint(*sources.generated(STUDY.data[w.dataset].source)),
    shell:
        "baler-energy generate {params.options:q} --out {output:q} > {log:q} 2>&1"


rule prepare:
    input:
        source_of,
    output:
        table=f"{DATA}/rows~{{rows}}/table.npz",
        record=f"{DATA}/rows~{{rows}}/table.json",
        held_out=f"{DATA}/rows~{{rows}}/held-out.npz",
    log:
        f"{LOGS}/data/{{dataset}}/rows~{{rows}}.log",
    priority: DATA_FIRST
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
        # A resource, so that a new derived quantity does not prepare the table again.
        needed=lambda w: commands.needed_columns(STUDY, w.dataset),
    params:
        data=input_of,
        file=state_of_source,
        options=lambda w: commands.prepare_options(STUDY, w.dataset, w.rows),
        source=lambda w: fingerprint(*sources.prepared(format_of_data(w))),
    shell:
        "baler-energy prepare {params.data:q} {params.options:q} --needed {resources.needed:q} --out {output.table:q}"
        " > {log:q} 2>&1"

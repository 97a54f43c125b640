"""Tables of HEP data: generated in seeded shards, or read from a file of the user's."""


def source_of(wildcards):
    """Shards that the rows come from, or the user's file; root:// is read in place, http(s) is fetched."""
    data = STUDY.data[wildcards.dataset]
    if isinstance(data, FileData):
        if data.path.startswith("root://"):
            return []
        if data.path.startswith(("http://", "https://")):
            return storage.http(data.path, keep_local=True)
        return data.path
    return expand(
        rules.generate.output,
        dataset=wildcards.dataset,
        seed=STUDY.shard_seeds(wildcards.dataset, wildcards.rows),
    )


rule generate:
    output:
        f"{RESULTS}/data/{{dataset}}/shards/seed~{{seed}}.npz",
    log:
        f"{RESULTS}/logs/data/{{dataset}}/seed~{{seed}}.log",
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        options=lambda w: commands.generate_options(STUDY, w.dataset, w.seed),
        source=fingerprint("baler_energy.stages.generate"),
    shell:
        "baler-energy generate {params.options:q} --out {output:q} > {log:q} 2>&1"


rule prepare:
    input:
        source_of,
    output:
        table=f"{RESULTS}/data/{{dataset}}/rows~{{rows}}/table.npz",
        record=f"{RESULTS}/data/{{dataset}}/rows~{{rows}}/table.json",
    log:
        f"{RESULTS}/logs/data/{{dataset}}/rows~{{rows}}.log",
    resources:
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 30 * attempt,
    params:
        remote=lambda w, input: [] if input else [STUDY.data[w.dataset].path],
        options=lambda w: commands.prepare_options(STUDY, w.dataset, w.rows),
        source=fingerprint("baler_energy.stages.prepare"),
    shell:
        "baler-energy prepare --input {input:q} {params.remote:q} {params.options:q} --out {output.table:q}"
        " > {log:q} 2>&1"

"""What a reader sees: figures by chapter, tables, and the first page of the report."""


rule figures:
    input:
        rules.collect.output,
    output:
        report(
            directory(f"{RESULTS}/figures/{{chapter}}"),
            patterns=["{name}.svg"],
            caption="../report/figure.rst",
            category=lambda w: catalogue.CHAPTERS[w.chapter],
            labels={"figure": "{name}"},
        ),
    log:
        f"{RESULTS}/logs/figures-{{chapter}}.log",
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        dataset=f"{RESULTS}/dataset",
        captions=lambda w: catalogue.captions(w.chapter),
        source=lambda w: fingerprint(
            "baler_energy.stages.figures", f"baler_energy.figures.{w.chapter}"
        ),
    shell:
        "baler-energy figures --dataset {params.dataset:q} --chapter {wildcards.chapter} --out {output:q}"
        " > {log:q} 2>&1"


rule tables:
    input:
        rules.collect.output,
    output:
        report(
            directory(f"{RESULTS}/tables"),
            patterns=["{name}.html"],
            caption="../report/table.rst",
            category=catalogue.TABLES_TITLE,
            labels={"table": "{name}"},
        ),
    log:
        f"{RESULTS}/logs/tables.log",
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        dataset=f"{RESULTS}/dataset",
        source=fingerprint("baler_energy.stages.tables"),
    shell:
        "baler-energy tables --dataset {params.dataset:q} --out {output:q} > {log:q} 2>&1"


rule report:
    input:
        rules.collect.output,
        figures=expand(rules.figures.output, chapter=catalogue.CHAPTERS),
    output:
        f"{RESULTS}/overview.rst",
    log:
        f"{RESULTS}/logs/report.log",
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        dataset=f"{RESULTS}/dataset",
        source=fingerprint("baler_energy.stages.report"),
    shell:
        "baler-energy report --dataset {params.dataset:q} --figures {input.figures:q} --out {output:q} > {log:q} 2>&1"

"""The report: figures by chapter, tables, and the first page."""


rule figures:
    input:
        rules.collect.output,
    output:
        report(
            directory(f"{RESULTS}/figures/{{chapter}}"),
            patterns=["{name}.html"],
            caption="../report/caption.rst",
            category=lambda w: chapters.chapter_title(w.chapter),
            labels=lambda w: chapters.labels(chapters.figures_of(w.chapter), w.name),
        ),
    log:
        f"{LOGS}/figures-{{chapter}}.log",
    resources:
        mem_mb=memory_of_dataset,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        dataset=folder_of_input,
        captions=lambda w: chapters.Captions(
            lambda: chapters.figures_of(w.chapter), "svg"
        ),
        source=lambda w: fingerprint(*sources.drawn(w.chapter, CODECS)),
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
            caption="../report/caption.rst",
            category=chapters.TABLES_TITLE,
            labels=lambda w: chapters.labels(chapters.tables(), w.name, "table"),
        ),
    log:
        f"{LOGS}/tables.log",
    resources:
        mem_mb=memory_of_dataset,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        dataset=folder_of_input,
        captions=chapters.Captions(chapters.tables, "csv"),
        source=fingerprint(*sources.tabulated(), *sources.analysed("tables", CODECS)),
    shell:
        "baler-energy tables --dataset {params.dataset:q} --out {output:q} > {log:q} 2>&1"


rule report:
    input:
        rules.collect.output,
        figures=expand(rules.figures.output, chapter=CHAPTERS),
        tables=rules.tables.output,
    output:
        f"{RESULTS}/overview.rst",
    log:
        f"{LOGS}/report.log",
    resources:
        mem_mb=memory_of_dataset,
        runtime=lambda w, attempt: 15 * attempt,
    params:
        dataset=folder_of_input,
        source=fingerprint(*sources.reported()),
    shell:
        "baler-energy report --dataset {params.dataset:q} --figures {input.figures:q} --tables {input.tables:q}"
        " --out {output:q} > {log:q} 2>&1"

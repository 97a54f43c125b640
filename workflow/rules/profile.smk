"""Where time and energy go at the profiled points: profilers in separate runs, and parts in measured loops."""


rule profile:
    input:
        table=table_of,
        checkpoint=checkpoint_of,
    output:
        folder=directory(PROFILE),
    log:
        f"{LOGS}/{{point}}/profile-{{profiler}}.log",
    # A profiled run only gives shares of time, so other jobs may run at the same time.
    threads: threads_of_profile
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        # Each operation may take the whole limit, and its preparation as long again.
        runtime=lambda w, attempt: (15 + STUDY.profile.time_limit_s // 10) * attempt,
    params:
        operations=operations_of_point,
        checkpoint=checkpoint_option,
        point=point_options,
        profile=commands.profile_options(STUDY),
        source=lambda w: fingerprint_of(w, profile_sources(w)),
    shell:
        "baler-energy profile --profiler {wildcards.profiler} --operation {params.operations} {params.profile:q}"
        " --data {input.table:q} {params.checkpoint:q} {params.point:q} --out {output.folder:q}"
        " > {log:q} 2>&1"


rule parts:
    input:
        table=table_of,
        checkpoint=checkpoint_of,
        calibration=lambda w: calibration_of(w, parts_sources(w)),
    output:
        folder=directory(f"{RESULTS}/profiles/{{point}}/parts"),
    log:
        f"{LOGS}/{{point}}/parts.log",
    threads: ALL_CORES
    resources:
        gpu=gpus,
        mem_mb=lambda w, attempt: 8000 * attempt,
        # About 40 windows, each after its own warm-up.
        runtime=lambda w, attempt: (30 + int(STUDY.measurement.min_window_s)) * attempt,
        contamination_limit=CONTAMINATION_LIMIT,
    params:
        checkpoint=checkpoint_option,
        point=point_options,
        parts=commands.parts_options(STUDY),
        session=SESSION,
        source=lambda w: fingerprint_of(w, parts_sources(w)),
    shell:
        "baler-energy parts --data {input.table:q} {params.checkpoint:q} {params.point:q} {params.parts:q}"
        " --calibration {input.calibration:q} {params.session:q} --out {output.folder:q}"
        " --contamination-limit {resources.contamination_limit} > {log:q} 2>&1"

# docker build --tag baler-energy .
# docker build --tag baler-energy --build-arg TORCH_INDEX=URL .    another torch: README, "Which torch"
#
# The steps are those of apptainer.def; docs/slurm.md says how the images are used, and what a container hides of a
# machine's meters.
FROM debian:bookworm-slim
ARG TORCH_INDEX=
ARG PYTHIA=yes
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates make procps python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/baler-energy
COPY LICENSE Makefile README.md pyproject.toml ./
COPY requirements requirements
COPY src src
RUN PIP_NO_CACHE_DIR=1 make .venv/installed TORCH_INDEX="$TORCH_INDEX" PYTHIA="$PYTHIA" \
    && .venv/bin/python -m pip install --no-cache-dir --quiet -r requirements/blosc2.txt -r requirements/sz2.txt \
    && .venv/bin/python -m compileall -q src
ENV PATH=/opt/baler-energy/.venv/bin:$PATH
CMD ["baler-energy", "doctor"]

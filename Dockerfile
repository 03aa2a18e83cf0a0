# Overround for a Ray cluster: the head, its workers, and the command `overround`.
#
#   docker build --tag overround .
#
# The first stage installs what the lock file names, by hash; the second has neither pip nor its
# cache, nor a compiler. Kafka, Java and Node are for running on one machine and are not in here.
FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv /opt/overround
COPY requirements/runtime.txt requirements/
RUN /opt/overround/bin/pip install --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY actors actors
COPY pipelines pipelines
COPY deploy deploy
RUN /opt/overround/bin/pip install --no-deps setuptools==84.2.1 \
    && /opt/overround/bin/pip install --no-deps --no-build-isolation . \
    && /opt/overround/bin/pip uninstall --yes setuptools pip
# Of Ray: Java workers, and the dashboard's maps for a debugger, which nothing here asks for.
RUN cd /opt/overround/lib/python3.11/site-packages/ray \
    && rm -r jars dashboard/client/build/static/js/*.map

FROM python:3.11.14-slim-bookworm

LABEL org.opencontainers.image.title="overround" \
      org.opencontainers.image.description="Actor-based, distributed odds engine for real-time betting" \
      org.opencontainers.image.licenses="Apache-2.0"

# Ray asks for `ps` and `wget` where KubeRay probes it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends procps wget \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home overround \
    # A login shell begins with a PATH of its own.
    && echo 'PATH=/opt/overround/bin:$PATH' > /etc/profile.d/overround.sh
COPY --from=build /opt/overround /opt/overround
# The base's standard library is not compiled, and the user below may not write there: without this
# each of Ray's processes compiles it anew.
RUN /opt/overround/bin/python -c "import ray, actors.launch, deploy.cli"

ENV PATH=/opt/overround/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token \
    RAY_USAGE_STATS_ENABLED=0 \
    OVERROUND_METRICS_HOST=0.0.0.0
USER 1000
WORKDIR /home/overround
EXPOSE 6379 8080 8265 9464

# For a container that is a node of Ray; Kubernetes has KubeRay's probes instead.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["wget", "--quiet", "--output-document=/dev/null", "http://127.0.0.1:52365/api/local_raylet_healthz"]

ENTRYPOINT ["overround"]
CMD ["--help"]

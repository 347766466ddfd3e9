# Which image does Kafka Connect run from, with the plugins that fill the warehouse?
ARG BUILD_IMAGE=maven:3.9-eclipse-temurin-21
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS jars
COPY topology/local/maven /source
COPY topology/connect/worker.properties topology/local/log4j2.yaml /opt/connect/
RUN cd /source && mvn --batch-mode --quiet --strict-checksums --projects kafka --also-make \
    generate-resources -Dtarget=/opt/connect \
  && cd connect && mvn --batch-mode --quiet --strict-checksums generate-resources \
    -Dtarget=/opt/connect \
  && rm -rf /opt/connect/build \
  # Connect reads this one as it is, before any variable.
  && echo plugin.path=/opt/connect/plugins >> /opt/connect/worker.properties
# A Java that has what Connect and its plugins use, and no compiler.
RUN jlink --output /opt/java --strip-java-debug-attributes --no-man-pages --no-header-files --compress=2 \
  --add-modules java.se,jdk.unsupported,jdk.crypto.ec,jdk.management,jdk.security.auth,jdk.zipfs

FROM ${BASE_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="churnstream connect" \
  org.opencontainers.image.description="A Kafka Connect worker with the plugins of the warehouse" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.revision="${REVISION}"
# Connect reads passwords from there, and does not start without the folder.
RUN mkdir -p /run/secrets
COPY --from=jars /opt/java /opt/java
COPY --from=jars /opt/connect /opt/connect
WORKDIR /tmp
USER 65532:65532
ENV CONNECT_LISTENERS=http://0.0.0.0:8083
EXPOSE 8083
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=300s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8083 && printf 'GET /connectors HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
# The sink writes timestamps by the zone of its process.
ENTRYPOINT ["/opt/java/bin/java", "-XX:MaxRAMPercentage=60", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", \
  "-Duser.timezone=UTC", "-Dlog4j2.configurationFile=/opt/connect/log4j2.yaml", \
  "-cp", "/opt/connect/kafka/*", "org.apache.kafka.connect.cli.ConnectDistributed", \
  "/opt/connect/worker.properties"]

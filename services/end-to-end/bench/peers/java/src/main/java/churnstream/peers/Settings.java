package churnstream.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaParser;

/** What does the benchmark tell a contender? All of it in the environment. */
record Settings(
    String bootstrapServers,
    String group,
    boolean foldsActivity,
    String inTopic,
    String outTopic,
    boolean isExactlyOnce,
    int commitMs,
    int threads,
    Path stateDir,
    Path model,
    List<String> columns,
    Schema inSchema,
    int inSchemaId,
    int outSchemaId,
    String modelName,
    String modelVersion) {

  static Settings read() throws IOException {
    return new Settings(
        text("BOOTSTRAP"),
        text("GROUP"),
        text("TASK").equals("F"),
        text("IN_TOPIC"),
        text("OUT_TOPIC"),
        text("GUARANTEE").equals("exactly-once"),
        number("COMMIT_MS"),
        number("THREADS"),
        Path.of(text("STATE_DIR")),
        Path.of(text("MODEL")),
        List.of(text("COLUMNS").split(",")),
        new SchemaParser().parse(Files.readString(Path.of(text("IN_SCHEMA")))).mainSchema(),
        number("IN_SCHEMA_ID"),
        number("OUT_SCHEMA_ID"),
        text("MODEL_NAME"),
        text("MODEL_VERSION"));
  }

  private static String text(String name) {
    String value = System.getenv(name);
    if (value == null) throw new IllegalArgumentException(name + " is not set");
    return value;
  }

  private static int number(String name) {
    return Integer.parseInt(text(name));
  }
}

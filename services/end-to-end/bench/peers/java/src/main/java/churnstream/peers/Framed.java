package churnstream.peers;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** How are records framed? A zero, the schema's id in four bytes, Avro; for one thread. */
final class Framed {
  private static final int HEADER_BYTES = 5;

  interface Reader {
    Input read(BinaryDecoder decoder) throws IOException;
  }

  private final Reader reader;
  private final Settings settings;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream(512);
  private final byte[] header;
  private BinaryDecoder decoder;
  private BinaryEncoder encoder;

  Framed(Settings settings) {
    this.settings = settings;
    reader =
        settings.foldsActivity()
            ? new ActivityReader(settings.inTopic())
            : new VectorReader(settings.inSchema(), settings.columns());
    header = ByteBuffer.allocate(HEADER_BYTES).put((byte) 0).putInt(settings.outSchemaId()).array();
  }

  Input read(byte[] bytes) {
    int schemaId = ByteBuffer.wrap(bytes).getInt(1);
    if (bytes[0] != 0 || schemaId != settings.inSchemaId()) {
      throw new IllegalStateException("a record of schema " + schemaId);
    }
    decoder = DecoderFactory.get().binaryDecoder(bytes, HEADER_BYTES, bytes.length - HEADER_BYTES, decoder);
    try {
      return reader.read(decoder);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** The fields of churn-score.avsc in their order. */
  byte[] write(Input input, float score, int partition, long offset) {
    out.reset();
    out.writeBytes(header);
    encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
    try {
      encoder.writeString(input.playerId);
      encoder.writeString(input.market == null ? "" : input.market);
      encoder.writeLong(input.asOf);
      encoder.writeDouble(score);
      encoder.writeString(bandOf(score));
      encoder.writeString(settings.modelName());
      encoder.writeString(settings.modelVersion());
      encoder.writeLong(1);
      encoder.writeString(input.trigger);
      encoder.writeString(input.causeEventId);
      encoder.writeString(input.causeTopic);
      encoder.writeInt(input.causePartition);
      encoder.writeLong(input.causeOffset);
      encoder.writeInt(partition);
      encoder.writeLong(offset);
      encoder.flush();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    return out.toByteArray();
  }

  private static String bandOf(float score) {
    if (score >= 0.8) return "critical";
    if (score >= 0.6) return "at-risk";
    return score >= 0.35 ? "watch" : "low";
  }
}

package churnstream.peers;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryDecoder;

/** How does a feature vector become a row of the model, without an object for each feature? */
final class VectorReader implements Framed.Reader {
  private interface Visit {
    void read(BinaryDecoder decoder, Input input) throws IOException;
  }

  private final List<Visit> visits = new ArrayList<>();
  private final float[] unknown;

  VectorReader(Schema schema, List<String> columns) {
    unknown = new float[columns.size()];
    Arrays.fill(unknown, Float.NaN);
    for (Schema.Field field : schema.getFields()) visits.add(visitOf(field, columns));
  }

  @Override
  public Input read(BinaryDecoder decoder) throws IOException {
    var input = new Input(unknown.length);
    System.arraycopy(unknown, 0, input.row, 0, unknown.length);
    for (Visit visit : visits) visit.read(decoder, input);
    return input;
  }

  private Visit visitOf(Schema.Field field, List<String> columns) {
    String name = field.name();
    switch (name) {
      case "playerId": return (decoder, input) -> input.playerId = decoder.readString();
      case "asOf": return (decoder, input) -> input.asOf = decoder.readLong();
      case "trigger": return (decoder, input) -> input.trigger = decoder.readString();
      case "causeEventId": return (decoder, input) -> input.causeEventId = decoder.readString();
      case "causeTopic": return (decoder, input) -> input.causeTopic = decoder.readString();
      case "causePartition": return (decoder, input) -> input.causePartition = decoder.readInt();
      case "causeOffset": return (decoder, input) -> input.causeOffset = decoder.readLong();
      default: break;
    }
    Schema value = field.schema().getTypes().get(1);
    if (value.getType() == Schema.Type.DOUBLE) {
      int column = columns.indexOf(name);
      return (decoder, input) -> {
        if (decoder.readIndex() == 0) return;
        double number = decoder.readDouble();
        if (column >= 0) input.row[column] = (float) number;
      };
    }
    Map<String, Integer> levels = new HashMap<>();
    for (int column = 0; column < columns.size(); column++) {
      if (!columns.get(column).startsWith(name + "_")) continue;
      levels.put(columns.get(column).substring(name.length() + 1), column);
      unknown[column] = 0;
    }
    boolean isMarket = name.equals("market");
    return (decoder, input) -> {
      if (decoder.readIndex() == 0) return;
      String level = decoder.readString();
      if (isMarket) input.market = level;
      Integer column = levels.get(level);
      if (column != null) input.row[column] = 1;
    };
  }
}

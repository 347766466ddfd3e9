package churnstream.peers;

import java.io.IOException;
import java.util.List;
import org.apache.avro.io.BinaryDecoder;

/** How is an event of a player read? The fields of player-activity.avsc in their order. */
final class ActivityReader implements Framed.Reader {
  static final List<String> KINDS =
      List.of("signup", "session_start", "bet_placed", "bet_settled", "deposit", "withdrawal");
  private static final List<String> MARKETS =
      List.of("au-nsw", "au-vic", "gb", "us-nj", "us-ny", "us-pa");
  private static final List<String> SOURCES = List.of("affiliate", "organic", "paid", "referral");
  private static final List<String> PRODUCTS = List.of("casino", "multi", "racing", "sport");
  private final String topic;

  ActivityReader(String topic) {
    this.topic = topic;
  }

  @Override
  public Input read(BinaryDecoder decoder) throws IOException {
    var input = new Input(PlayerState.WIDTH);
    var activity = new Input.Activity();
    input.activity = activity;
    input.trigger = "activity";
    input.causeTopic = topic;
    input.causeEventId = decoder.readString();
    activity.kind = KINDS.indexOf(decoder.readString());
    input.playerId = decoder.readString();
    input.asOf = decoder.readLong();
    input.market = decoder.readString();
    activity.market = MARKETS.indexOf(input.market);
    activity.acquisitionSource = level(decoder, SOURCES);
    activity.product = level(decoder, PRODUCTS);
    activity.stake = number(decoder);
    activity.payout = number(decoder);
    activity.odds = number(decoder);
    activity.isInPlay = decoder.readIndex() == 1 && decoder.readBoolean();
    number(decoder);
    return input;
  }

  private static int level(BinaryDecoder decoder, List<String> levels) throws IOException {
    return decoder.readIndex() == 0 ? -1 : levels.indexOf(decoder.readString());
  }

  private static double number(BinaryDecoder decoder) throws IOException {
    return decoder.readIndex() == 0 ? 0 : decoder.readDouble();
  }
}

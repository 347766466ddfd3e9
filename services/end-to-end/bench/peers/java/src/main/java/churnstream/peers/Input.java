package churnstream.peers;

/** What does a score need of the record that it is made from? */
final class Input {
  String playerId;
  String market;
  long asOf;
  String trigger;
  String causeEventId;
  String causeTopic;
  int causePartition;
  long causeOffset;
  /** Of the model; of task F it is filled when the player is known. */
  final float[] row;
  /** Of task F. */
  Activity activity;

  Input(int width) {
    row = new float[width];
  }

  /** One thing that a player did; numbers that are not there are 0. */
  static final class Activity {
    int kind;
    int market;
    int acquisitionSource;
    int product;
    double stake;
    double payout;
    double odds;
    boolean isInPlay;
  }
}

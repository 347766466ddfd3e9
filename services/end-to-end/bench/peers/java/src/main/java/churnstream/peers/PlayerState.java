package churnstream.peers;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * What is known of a player, and which 30 features follow from it? Tiles of the last 30 UTC days. The
 * twin of python/player_state.py: the same sums in the same order.
 */
final class PlayerState {
  static final int WIDTH = 30;
  private static final int DAYS = 30;
  private static final long DAY_MS = 86_400_000L;
  private static final int TILE_BYTES = 28;

  private long firstAt = Long.MIN_VALUE;
  private long lastAt;
  private byte source = -1;
  private byte product = -1;
  private final int[] day = new int[DAYS];
  private final int[] events = new int[DAYS];
  private final int[] deposits = new int[DAYS];
  private final double[] stake = new double[DAYS];
  private final double[] payout = new double[DAYS];

  PlayerState() {
    Arrays.fill(day, Integer.MIN_VALUE);
  }

  /** Folds the event, and fills the row with what is known after it. */
  void apply(Input input) {
    Input.Activity activity = input.activity;
    long at = input.asOf;
    double gap = 0;
    if (firstAt == Long.MIN_VALUE) {
      firstAt = at;
      lastAt = at;
    }
    if (at > lastAt) {
      gap = (at - lastAt) / (double) DAY_MS;
      lastAt = at;
    }
    firstAt = Math.min(firstAt, at);
    if (source < 0) source = (byte) activity.acquisitionSource;
    if (product < 0) product = (byte) activity.product;
    int today = (int) (lastAt / DAY_MS);
    int own = (int) (at / DAY_MS);
    if (own > today - DAYS) add(own, activity);
    float[] row = input.row;
    fillWindows(today, row);
    row[15] = (float) gap;
    row[16] = (float) ((lastAt - firstAt) / (double) DAY_MS);
    row[17] = activity.market;
    for (int level = 0; level < 4; level++) row[18 + level] = level == source ? 1 : 0;
    for (int level = 0; level < 4; level++) row[22 + level] = level == product ? 1 : 0;
    row[26] = activity.kind;
    row[27] = (float) activity.stake;
    row[28] = (float) activity.odds;
    row[29] = activity.isInPlay ? 1 : 0;
  }

  private void add(int own, Input.Activity activity) {
    int slot = own % DAYS;
    if (day[slot] != own) {
      day[slot] = own;
      events[slot] = 0;
      deposits[slot] = 0;
      stake[slot] = 0;
      payout[slot] = 0;
    }
    events[slot]++;
    switch (ActivityReader.KINDS.get(activity.kind)) {
      case "bet_placed" -> stake[slot] += activity.stake;
      case "bet_settled" -> payout[slot] += activity.payout;
      case "deposit" -> deposits[slot]++;
      default -> {}
    }
  }

  /** Of 1, 7 and 30 days: events, stake, stake less payout, active days, deposits. */
  private void fillWindows(int today, float[] row) {
    int eventSum = 0;
    int depositSum = 0;
    int activeDays = 0;
    double stakeSum = 0;
    double payoutSum = 0;
    int column = 0;
    for (int back = 0; back < DAYS; back++) {
      int slot = (today - back) % DAYS;
      if (day[slot] == today - back) {
        eventSum += events[slot];
        depositSum += deposits[slot];
        stakeSum += stake[slot];
        payoutSum += payout[slot];
        activeDays++;
      }
      if (back != 0 && back != 6 && back != 29) continue;
      row[column++] = eventSum;
      row[column++] = (float) stakeSum;
      row[column++] = (float) (stakeSum - payoutSum);
      row[column++] = activeDays;
      row[column++] = depositSum;
    }
  }

  private boolean isLive(int slot) {
    return day[slot] > lastAt / DAY_MS - DAYS;
  }

  byte[] toBytes() {
    int tiles = 0;
    for (int slot = 0; slot < DAYS; slot++) if (isLive(slot)) tiles++;
    var bytes = ByteBuffer.allocate(18 + tiles * TILE_BYTES);
    bytes.putLong(firstAt).putLong(lastAt).put(source).put(product);
    for (int slot = 0; slot < DAYS; slot++) {
      if (!isLive(slot)) continue;
      bytes.putInt(day[slot]).putInt(events[slot]).putInt(deposits[slot]);
      bytes.putDouble(stake[slot]).putDouble(payout[slot]);
    }
    return bytes.array();
  }

  static PlayerState fromBytes(byte[] written) {
    var state = new PlayerState();
    var bytes = ByteBuffer.wrap(written);
    state.firstAt = bytes.getLong();
    state.lastAt = bytes.getLong();
    state.source = bytes.get();
    state.product = bytes.get();
    while (bytes.hasRemaining()) {
      int day = bytes.getInt();
      int slot = day % DAYS;
      state.day[slot] = day;
      state.events[slot] = bytes.getInt();
      state.deposits[slot] = bytes.getInt();
      state.stake[slot] = bytes.getDouble();
      state.payout[slot] = bytes.getDouble();
    }
    return state;
  }
}

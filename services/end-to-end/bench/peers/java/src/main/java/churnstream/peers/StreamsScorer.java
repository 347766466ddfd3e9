package churnstream.peers;

import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * How does Kafka Streams score? Record by record: it may commit past an input whose score is still
 * gathered for a batch.
 */
final class StreamsScorer implements Processor<String, byte[], String, byte[]> {
  private static final String STORE = "players";
  private final Settings settings;
  private final Framed framed;
  private final Model model;
  private final float[] score = new float[1];
  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, PlayerState> players;

  private StreamsScorer(Settings settings) {
    this.settings = settings;
    framed = new Framed(settings);
    try {
      model = new Model(settings.model(), settings.columns().size());
    } catch (Exception error) {
      throw new IllegalStateException("opening " + settings.model(), error);
    }
  }

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    if (settings.foldsActivity()) players = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    RecordMetadata place = context.recordMetadata().orElseThrow();
    Input input = framed.read(record.value());
    if (settings.foldsActivity()) {
      PlayerState player = players.get(record.key());
      if (player == null) player = new PlayerState();
      player.apply(input);
      players.put(record.key(), player);
      input.causePartition = place.partition();
      input.causeOffset = place.offset();
    }
    model.setRow(0, input.row);
    try {
      model.score(1, score);
    } catch (Exception error) {
      throw new IllegalStateException("scoring", error);
    }
    context.forward(record.withValue(framed.write(input, score[0], place.partition(), place.offset())));
  }

  public static void main(String[] arguments) throws Exception {
    var settings = Settings.read();
    var topology = new Topology();
    Serde<String> key = Serdes.String();
    Serde<byte[]> value = Serdes.ByteArray();
    topology.addSource("in", key.deserializer(), value.deserializer(), settings.inTopic());
    topology.addProcessor("score", () -> new StreamsScorer(settings), "in");
    if (settings.foldsActivity()) {
      Serde<PlayerState> state =
          Serdes.serdeFrom(
              (topic, player) -> player.toBytes(), (topic, bytes) -> PlayerState.fromBytes(bytes));
      var store = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), key, state);
      topology.addStateStore(store.withCachingEnabled(), "score");
    }
    topology.addSink("out", settings.outTopic(), key.serializer(), value.serializer(), "score");

    var streams = new KafkaStreams(topology, properties(settings));
    var ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          ended.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
    ended.await();
    System.exit(1);
  }

  private static Properties properties(Settings settings) {
    var properties = new Properties();
    properties.put("application.id", settings.group());
    properties.put("bootstrap.servers", settings.bootstrapServers());
    properties.put("state.dir", settings.stateDir().toString());
    properties.put(
        "processing.guarantee", settings.isExactlyOnce() ? "exactly_once_v2" : "at_least_once");
    properties.put("commit.interval.ms", settings.commitMs());
    properties.put("num.stream.threads", settings.threads());
    properties.put("replication.factor", 1);
    properties.put("statestore.cache.max.bytes", 256 << 20);
    properties.put("producer.linger.ms", 20);
    properties.put("producer.batch.size", 128 << 10);
    properties.put("producer.buffer.memory", 64 << 20);
    properties.put("main.consumer.max.poll.records", 2_000);
    properties.put("main.consumer.fetch.max.bytes", 8 << 20);
    properties.put("main.consumer.max.partition.fetch.bytes", 1 << 20);
    properties.put("main.consumer.receive.buffer.bytes", 1 << 20);
    properties.put("main.consumer.auto.offset.reset", "earliest");
    return properties;
  }
}

package churnstream.peers;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * How fast can Java be with the clients alone? A consumer, whole batches to ONNX Runtime, and offsets
 * in the producer's transactions.
 */
final class PlainScorer implements Callable<Void> {
  private static final Duration POLL = Duration.ofMillis(10);
  private final Settings settings;
  private final int number;
  private final Framed framed;
  private final Input[] inputs = new Input[Model.MOST_ROWS];
  private final float[] scores = new float[Model.MOST_ROWS];
  private final Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
  private KafkaProducer<byte[], byte[]> producer;
  /** Of task F. */
  private Players players;

  private PlainScorer(Settings settings, int number) {
    this.settings = settings;
    this.number = number;
    framed = new Framed(settings);
  }

  @Override
  public Void call() throws Exception {
    try (var model = new Model(settings.model(), settings.columns().size());
        var consumer = new KafkaConsumer<byte[], byte[]>(consumerProperties());
        var opened = new KafkaProducer<byte[], byte[]>(producerProperties())) {
      producer = opened;
      if (settings.isExactlyOnce()) producer.initTransactions();
      if (settings.foldsActivity()) {
        players = new Players(settings, consumerProperties());
        consumer.subscribe(List.of(settings.inTopic()), players);
      } else {
        consumer.subscribe(List.of(settings.inTopic()));
      }
      long beganAt = 0;
      while (true) {
        ConsumerRecords<byte[], byte[]> polled = consumer.poll(POLL);
        if (!polled.isEmpty() && done.isEmpty()) {
          beganAt = System.nanoTime();
          if (settings.isExactlyOnce()) producer.beginTransaction();
        }
        for (TopicPartition partition : polled.partitions()) {
          List<ConsumerRecord<byte[], byte[]>> records = polled.records(partition);
          for (int from = 0; from < records.size(); from += Model.MOST_ROWS) {
            scoreAll(model, records.subList(from, Math.min(from + Model.MOST_ROWS, records.size())));
          }
          done.put(partition, new OffsetAndMetadata(records.getLast().offset() + 1));
        }
        if (!done.isEmpty() && System.nanoTime() - beganAt >= settings.commitMs() * 1_000_000L) {
          commit(consumer);
        }
      }
    }
  }

  private void scoreAll(Model model, List<ConsumerRecord<byte[], byte[]>> records) throws Exception {
    for (int row = 0; row < records.size(); row++) {
      var record = records.get(row);
      inputs[row] = framed.read(record.value());
      if (players != null) {
        players.apply(record.partition(), inputs[row]);
        inputs[row].causePartition = record.partition();
        inputs[row].causeOffset = record.offset();
      }
      model.setRow(row, inputs[row].row);
    }
    model.score(records.size(), scores);
    for (int row = 0; row < records.size(); row++) {
      var record = records.get(row);
      byte[] value = framed.write(inputs[row], scores[row], record.partition(), record.offset());
      producer.send(
          new ProducerRecord<>(settings.outTopic(), record.partition(), record.timestamp(), record.key(), value));
    }
  }

  private void commit(KafkaConsumer<byte[], byte[]> consumer) {
    if (players != null) players.write(producer);
    if (settings.isExactlyOnce()) {
      producer.sendOffsetsToTransaction(done, consumer.groupMetadata());
      producer.commitTransaction();
    } else {
      producer.flush();
      consumer.commitSync(done);
    }
    done.clear();
  }

  private Properties consumerProperties() {
    var properties = new Properties();
    properties.put("bootstrap.servers", settings.bootstrapServers());
    properties.put("group.id", settings.group());
    properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("isolation.level", "read_committed");
    properties.put("enable.auto.commit", false);
    properties.put("auto.offset.reset", "earliest");
    properties.put("max.poll.records", 2_000);
    properties.put("fetch.max.bytes", 8 << 20);
    properties.put("max.partition.fetch.bytes", 1 << 20);
    properties.put("receive.buffer.bytes", 1 << 20);
    return properties;
  }

  private Properties producerProperties() {
    var properties = new Properties();
    properties.put("bootstrap.servers", settings.bootstrapServers());
    properties.put("key.serializer", ByteArraySerializer.class.getName());
    properties.put("value.serializer", ByteArraySerializer.class.getName());
    properties.put("linger.ms", 20);
    properties.put("batch.size", 128 << 10);
    properties.put("buffer.memory", 64 << 20);
    if (settings.isExactlyOnce()) {
      properties.put("transactional.id", settings.group() + "-" + number);
    }
    return properties;
  }

  public static void main(String[] arguments) throws Exception {
    var settings = Settings.read();
    var threads = Executors.newFixedThreadPool(settings.threads());
    var scorers = new ExecutorCompletionService<Void>(threads);
    for (int number = 0; number < settings.threads(); number++) {
      scorers.submit(new PlainScorer(settings, number));
    }
    // None ends but by an error, which ends the process.
    try {
      scorers.take().get();
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1);
    }
  }
}

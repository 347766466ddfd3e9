package churnstream.peers;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** How fast does the broker give records to a consumer that does nothing? Drain TOPIC PARTITIONS */
final class Drain {
  public static void main(String[] arguments) {
    var properties = new Properties();
    properties.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
    properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("isolation.level", "read_committed");
    properties.put("max.poll.records", 5_000);
    properties.put("fetch.max.bytes", 16 << 20);
    properties.put("max.partition.fetch.bytes", 2 << 20);
    properties.put("receive.buffer.bytes", 1 << 20);
    List<TopicPartition> partitions =
        IntStream.range(0, Integer.parseInt(arguments[1]))
            .mapToObj(partition -> new TopicPartition(arguments[0], partition))
            .toList();
    try (var consumer = new KafkaConsumer<byte[], byte[]>(properties)) {
      consumer.assign(partitions);
      // The second pass has warm code.
      drain(consumer, partitions);
      System.out.println(Math.round(drain(consumer, partitions)));
    }
  }

  /** Records a second. */
  private static double drain(KafkaConsumer<byte[], byte[]> consumer, List<TopicPartition> partitions) {
    var ends = consumer.endOffsets(partitions);
    consumer.seekToBeginning(partitions);
    long records = 0;
    long startedAt = System.nanoTime();
    while (!partitions.stream().allMatch(each -> consumer.position(each) >= ends.get(each))) {
      records += consumer.poll(Duration.ofMillis(100)).count();
    }
    return records / ((System.nanoTime() - startedAt) / 1e9);
  }
}

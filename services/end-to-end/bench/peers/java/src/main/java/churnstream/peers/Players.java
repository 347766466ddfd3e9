package churnstream.peers;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;

/**
 * Where does the plain consumer keep its players? In memory, by partition, and in a compacted topic
 * that it writes in the transactions of the scores and reads when a partition comes.
 */
final class Players implements ConsumerRebalanceListener {
  private static final Duration POLL = Duration.ofMillis(100);
  private final String changelog;
  private final Properties consumerProperties;
  private final Map<Integer, Map<String, PlayerState>> players = new HashMap<>();
  private final Map<Integer, Set<String>> changed = new HashMap<>();

  Players(Settings settings, Properties consumerProperties) throws Exception {
    changelog = settings.group() + "-changelog";
    this.consumerProperties = consumerProperties;
    Map<String, Object> properties = Map.of("bootstrap.servers", settings.bootstrapServers());
    try (var admin = Admin.create(properties)) {
      int partitions =
          admin.describeTopics(List.of(settings.inTopic())).allTopicNames().get()
              .get(settings.inTopic()).partitions().size();
      var topic = new NewTopic(changelog, partitions, (short) 1);
      try {
        admin.createTopics(List.of(topic.configs(Map.of("cleanup.policy", "compact")))).all().get();
      } catch (ExecutionException error) {
        // Another thread or process of the group was first.
        if (!(error.getCause() instanceof TopicExistsException)) throw error;
      }
    }
  }

  void apply(int partition, Input input) {
    players.get(partition).computeIfAbsent(input.playerId, id -> new PlayerState()).apply(input);
    changed.get(partition).add(input.playerId);
  }

  /** The newest state of each player that changed. */
  void write(KafkaProducer<byte[], byte[]> producer) {
    changed.forEach(
        (partition, ids) -> {
          for (String id : ids) {
            byte[] state = players.get(partition).get(id).toBytes();
            byte[] key = id.getBytes(StandardCharsets.UTF_8);
            producer.send(new ProducerRecord<>(changelog, partition, key, state));
          }
          ids.clear();
        });
  }

  @Override
  public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
    for (TopicPartition partition : assigned) {
      players.put(partition.partition(), restored(partition.partition()));
      changed.put(partition.partition(), new HashSet<>());
    }
  }

  @Override
  public void onPartitionsRevoked(Collection<TopicPartition> revoked) {
    for (TopicPartition partition : revoked) {
      players.remove(partition.partition());
      changed.remove(partition.partition());
    }
  }

  private Map<String, PlayerState> restored(int partition) {
    Map<String, PlayerState> states = new HashMap<>();
    List<TopicPartition> own = List.of(new TopicPartition(changelog, partition));
    var properties = new Properties();
    properties.putAll(consumerProperties);
    properties.remove("group.id");
    try (var consumer = new KafkaConsumer<byte[], byte[]>(properties)) {
      consumer.assign(own);
      consumer.seekToBeginning(own);
      long end = consumer.endOffsets(own).get(own.getFirst());
      while (consumer.position(own.getFirst()) < end) {
        for (var record : consumer.poll(POLL)) {
          String id = new String(record.key(), StandardCharsets.UTF_8);
          states.put(id, PlayerState.fromBytes(record.value()));
        }
      }
    }
    return states;
  }
}

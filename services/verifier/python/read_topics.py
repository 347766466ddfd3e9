"""
Reads committed records with librdkafka, for a verifier that must not trust our own reader.

Lines of JSON on stdin, answers on stdout: a line of JSON for `offsets`; for `read` one frame a
record, big-endian: offset, timestamp in ms, lengths of key, value and headers (-1 is null; headers
are JSON), then their bytes; a frame with offset -1 ends the answer.
"""

import json
import os
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any

from churn_orchestration.msk_token import msk_token
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

FRAME = struct.Struct(">qqiii")
ANSWER_SECONDS = 30


def cluster_of(env: Mapping[str, str]) -> dict[str, Any]:
    """Where the cluster is and as whom it is entered, in librdkafka's words."""
    settings: dict[str, Any] = {
        "bootstrap.servers": env["KAFKA_BOOTSTRAP_SERVERS"],
        "security.protocol": env.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
    }
    if "KAFKA_TLS_CA_FILE" in env:
        settings["ssl.ca.location"] = env["KAFKA_TLS_CA_FILE"]
    if env.get("KAFKA_SASL_MECHANISM") == "AWS_MSK_IAM":
        region = env["AWS_REGION"]
        settings["sasl.mechanism"] = "OAUTHBEARER"
        settings["oauth_cb"] = lambda _: msk_token(region)
    elif settings["security.protocol"] == "SASL_SSL":
        settings["sasl.mechanism"] = "SCRAM-SHA-512"
        settings["sasl.username"] = env["KAFKA_SASL_USERNAME"]
        settings["sasl.password"] = env["KAFKA_SASL_PASSWORD"]
    return settings


class Reader:
    def __init__(self, cluster: dict[str, Any]) -> None:
        self.admin = AdminClient(cluster)
        self.consumer = Consumer(
            {
                **cluster,
                "group.id": "churnstream-verifier",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
            }
        )

    def offsets(self, topics: dict[str, int], groups: dict[str, str]) -> dict[str, Any]:
        """
        Groups first, then topics in the order given, last stable offsets before high watermarks:
        whatever a group had committed is then below the ends.
        """
        committed = {
            group: self._committed(group, topic, topics[topic]) for group, topic in groups.items()
        }
        ends = {}
        for topic, count in topics.items():
            places = [TopicPartition(topic, partition) for partition in range(count)]
            stable = self._list(places, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
            high = self._list(places, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
            first = self._list(places, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
            ends[topic] = {"first": first, "stable": stable, "high": high}
        return {"committed": committed, "ends": ends, "at": int(time.time() * 1000)}

    def _committed(self, group: str, topic: str, count: int) -> list[int]:
        asked = ConsumerGroupTopicPartitions(
            group, [TopicPartition(topic, partition) for partition in range(count)]
        )
        [future] = self.admin.list_consumer_group_offsets(
            [asked], require_stable=True, request_timeout=ANSWER_SECONDS
        ).values()
        found = {place.partition: place.offset for place in future.result().topic_partitions}
        return [max(-1, found.get(partition, -1)) for partition in range(count)]

    def _list(
        self, places: list[TopicPartition], spec: OffsetSpec, isolation: IsolationLevel
    ) -> list[int]:
        asked = self.admin.list_offsets(
            dict.fromkeys(places, spec), isolation_level=isolation, request_timeout=ANSWER_SECONDS
        )
        answers = {place.partition: future.result().offset for place, future in asked.items()}
        return [answers[place.partition] for place in places]

    def read(self, topic: str, partition: int, start: int, end: int) -> None:
        if start < end:
            self.consumer.assign([TopicPartition(topic, partition, start)])
            self._pump(end)
            self.consumer.unassign()
        write(FRAME.pack(-1, 0, -1, -1, -1))

    def _pump(self, end: int) -> None:
        silent_since = time.monotonic()
        while True:
            # It waits until it has that many, or for that long.
            messages = self.consumer.consume(num_messages=1_000, timeout=0.05)
            if messages:
                silent_since = time.monotonic()
            for message in messages:
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        return
                    raise KafkaException(error)
                if message.offset() >= end:
                    return
                write(*frame(message))
            if time.monotonic() - silent_since > ANSWER_SECONDS:
                raise TimeoutError(f"no record and no end for {ANSWER_SECONDS} s")


def frame(message: Any) -> tuple[bytes, ...]:  # noqa: ANN401
    key, value = message.key(), message.value()
    headers = message.headers()
    written = (
        None
        if not headers
        else json.dumps([[name, (held or b"").hex()] for name, held in headers]).encode()
    )
    parts = (key, value, written)
    lengths = [-1 if part is None else len(part) for part in parts]
    _, at = message.timestamp()
    head = FRAME.pack(message.offset(), at, *lengths)
    return (head, *(part for part in parts if part is not None))


def write(*parts: bytes) -> None:
    sys.stdout.buffer.write(b"".join(parts))


def main() -> None:
    reader = Reader(cluster_of(os.environ))
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["ask"] == "offsets":
            write(json.dumps(reader.offsets(asked["topics"], asked["groups"])).encode() + b"\n")
        else:
            reader.read(asked["topic"], asked["partition"], asked["start"], asked["end"])
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

"""How are records of a topic read and written from Python?"""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import dagster as dg
import fastavro
import requests
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from ..config import SETTINGS, user_of
from ..errors import RefusedError, TroubleError
from ..msk_token import msk_token

ANSWER_SECONDS = 15
MAGIC = 0
# Of the first byte and the schema's id.
HEADER = 5


def entry_settings(env: Mapping[str, str]) -> dict[str, Any]:
    """As whom a cluster is entered that asks for it: by a password, or as an IAM role on MSK."""
    if env.get("KAFKA_SASL_MECHANISM") == "AWS_MSK_IAM":
        region = env.get("AWS_REGION", "")
        return {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": lambda _: msk_token(region)}
    return {
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": env.get("KAFKA_SASL_USERNAME", ""),
        "sasl.password": env.get("KAFKA_SASL_PASSWORD", ""),
    }


@dataclass(frozen=True)
class Read:
    """One record: what it says, or why it cannot be read."""

    partition: int
    offset: int
    # When it was written, in ms of the wall clock.
    written_at: int
    value: Mapping[str, Any] | None
    problem: str | None


@dataclass(frozen=True)
class Found:
    records: list[Read]
    # By partition: the next offset to read.
    next: dict[int, int]
    # Records that retention took before they were read.
    lost: int


@cache
def topic_of(topic_id: str) -> dict[str, Any]:
    """Name, record and partitions by the id that code uses: derived from topology/src."""
    known = json.loads((SETTINGS.home / "topology" / "topics.json").read_text())
    if topic_id not in known:
        raise RefusedError(f"topology/topics.json has no topic {topic_id}")
    return known[topic_id]


class Topics(dg.ConfigurableResource):
    """
    Committed records, by Confluent's wire format. Raises TroubleError while Kafka or the schema
    registry is away.
    """

    bootstrap_servers: str
    registry_url: str

    def read(self, topic_id: str, after: Mapping[int, int], most: int) -> Found:
        """Up to so many records from the given offsets on, and from the first one elsewhere."""
        topic = topic_of(topic_id)
        consumer = Consumer(
            {
                **self._cluster(),
                "group.id": "churnstream-orchestration",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
            }
        )
        schemas: dict[int, Any] = {}
        found = Found([], {}, 0)
        lost = 0
        try:
            for partition in range(topic["partitions"]):
                place = TopicPartition(topic["name"], partition)
                first, end = consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
                wanted = after.get(partition, first)
                # A topic that was made anew begins again.
                start = first if wanted > end else max(wanted, first)
                lost += max(0, first - wanted)
                found.next[partition] = start
                if start < end and len(found.records) < most:
                    self._read_partition(consumer, place, start, most, schemas, found)
        except KafkaException as error:
            raise TroubleError(f"Kafka does not tell {topic['name']}: {error}") from error
        finally:
            consumer.close()
        return Found(found.records, found.next, lost)

    def newest(self, topic_id: str, most: int) -> list[Mapping[str, Any]]:
        """Up to so many of each partition's newest records, without those that can't be read."""
        topic = topic_of(topic_id)
        admin = AdminClient(self._cluster())
        places = [TopicPartition(topic["name"], one) for one in range(topic["partitions"])]
        try:
            asked = admin.list_offsets(
                dict.fromkeys(places, OffsetSpec.latest()), request_timeout=ANSWER_SECONDS
            )
            ends = {place.partition: one.result().offset for place, one in asked.items()}
        except KafkaException as error:
            raise TroubleError(f"Kafka does not tell {topic['name']}: {error}") from error
        after = {partition: max(0, end - most) for partition, end in ends.items()}
        found = self.read(topic_id, after, most * len(places))
        return [record.value for record in found.records if record.value is not None]

    def _read_partition(
        self,
        consumer: Consumer,
        place: TopicPartition,
        start: int,
        most: int,
        schemas: dict[int, Any],
        found: Found,
    ) -> None:
        consumer.assign([TopicPartition(place.topic, place.partition, start or OFFSET_BEGINNING)])
        while len(found.records) < most:
            message = consumer.poll(ANSWER_SECONDS)
            if message is None:
                raise TroubleError(f"Kafka sends nothing of {place.topic} from offset {start} on")
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                found.next[place.partition] = max(start, message.offset())
                return
            if error is not None:
                raise KafkaException(error)
            offset = message.offset()
            _, written_at = message.timestamp()
            value, problem = self._decode(message.value(), schemas)
            found.records.append(Read(place.partition, offset, written_at, value, problem))
            found.next[place.partition] = offset + 1

    def _decode(
        self, value: bytes | None, schemas: dict[int, Any]
    ) -> tuple[Mapping[str, Any] | None, str | None]:
        if value is None or len(value) < HEADER or value[0] != MAGIC:
            return None, "it is not of Confluent's format"
        schema_id = int.from_bytes(value[1:HEADER], "big")
        if schema_id not in schemas:
            schemas[schema_id] = self._schema(schema_id)
        if schemas[schema_id] is None:
            return None, f"the registry knows no schema {schema_id}"
        try:
            read = fastavro.schemaless_reader(io.BytesIO(value[HEADER:]), schemas[schema_id], None)
        # fastavro raises whatever its parsing runs into.
        except Exception as error:
            return None, f"it does not decode with schema {schema_id}: {type(error).__name__}"
        return (read, None) if isinstance(read, dict) else (None, "it is no record")

    def _schema(self, schema_id: int) -> Any:  # noqa: ANN401
        answer = self._registry("GET", f"schemas/ids/{schema_id}")
        if answer.status_code == 404:
            return None
        return fastavro.parse_schema(json.loads(answer.json()["schema"]))

    def write(self, topic_id: str, key: str, value: Mapping[str, Any]) -> int:
        """Acknowledged by all replicas; gives the offset."""
        topic = topic_of(topic_id)
        file = SETTINGS.home / "schemas" / "avro" / f"{topic['record']}.avsc"
        schema = json.loads(file.read_text())
        body = {"schema": json.dumps(schema)}
        answer = self._registry("POST", f"subjects/{topic['name']}-value/versions", json=body)
        if not answer.ok:
            raise RefusedError(f"the registry refuses {file.name}: {answer.text[:300]}")
        out = io.BytesIO()
        out.write(bytes([MAGIC]) + int(answer.json()["id"]).to_bytes(HEADER - 1, "big"))
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
        producer = Producer(
            {
                **self._cluster(),
                "acks": "all",
                "enable.idempotence": True,
                "delivery.timeout.ms": ANSWER_SECONDS * 1000,
            }
        )
        ended: list[tuple[Any, Any]] = []
        producer.produce(
            topic["name"],
            key=key,
            value=out.getvalue(),
            partition=0,
            on_delivery=lambda error, message: ended.append((error, message)),
        )
        producer.flush(ANSWER_SECONDS * 2)
        if not ended or ended[0][0] is not None:
            why = ended[0][0] if ended else "no answer"
            raise TroubleError(f"Kafka does not take a record of {topic['name']}: {why}")
        return ended[0][1].offset()

    def _cluster(self) -> dict[str, Any]:
        """Where it is and as whom it is entered, in librdkafka's words."""
        settings = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": os.environ.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
        }
        if ca := os.environ.get("KAFKA_TLS_CA_FILE", ""):
            settings["ssl.ca.location"] = ca
        if settings["security.protocol"] == "SASL_SSL":
            settings |= entry_settings(os.environ)
        return settings

    def _registry(self, method: str, path: str, **content: Any) -> requests.Response:  # noqa: ANN401
        url = f"{self.registry_url.rstrip('/')}/{path}"
        auth = user_of("SCHEMA_REGISTRY")
        try:
            answer = requests.request(method, url, timeout=ANSWER_SECONDS, auth=auth, **content)
        except requests.RequestException as error:
            raise TroubleError(f"the schema registry does not answer: {error}") from error
        if answer.status_code >= 500:
            raise TroubleError(f"the schema registry answers {answer.status_code} for {path}")
        return answer

"""Reads churn-scores with public libraries only, and prints them as JSON."""

import io
import json
import sys

import fastavro
import requests
from confluent_kafka import Consumer

brokers, registry, topic, wanted = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": "python-reader",
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([topic])
schemas: dict[int, object] = {}
scores = []
empty_polls = 0
while len(scores) < int(wanted) and empty_polls < 20:
    message = consumer.poll(1.0)
    if message is None:
        empty_polls += 1
        continue
    if message.error():
        raise RuntimeError(message.error())
    value = message.value()
    assert value[0] == 0, "Confluent's magic byte"
    schema_id = int.from_bytes(value[1:5], "big")
    if schema_id not in schemas:
        answer = requests.get(f"{registry}/schemas/ids/{schema_id}", timeout=10)
        answer.raise_for_status()
        schemas[schema_id] = fastavro.parse_schema(json.loads(answer.json()["schema"]))
    score = fastavro.schemaless_reader(io.BytesIO(value[5:]), schemas[schema_id], None)
    score["asOf"] = score["asOf"].isoformat()
    scores.append(score)
consumer.close()
print(json.dumps(scores))

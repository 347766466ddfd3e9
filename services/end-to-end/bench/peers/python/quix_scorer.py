"""How does Quix Streams score? Record by record; what to do comes in the environment."""

import io
import json
import struct
from os import environ
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import onnxruntime
import player_state
from quixstreams import Application, State, message_context
from quixstreams.models.serializers import Deserializer, SerializationContext, Serializer

HEADER_BYTES = 5
CATEGORIES = ("market", "acquisition_source", "first_product")


def read_schema(name: str) -> dict[str, Any]:
    document = json.loads(Path(environ[name]).read_text())
    for field in document["fields"]:
        # An instant stays a number, as in the other contenders.
        if isinstance(field["type"], dict):
            field["type"] = field["type"]["type"]
    return fastavro.parse_schema(document)


class Reader(Deserializer):
    def __init__(self) -> None:
        super().__init__()
        self.schema = read_schema("IN_SCHEMA")
        self.header = struct.pack(">bI", 0, int(environ["IN_SCHEMA_ID"]))

    def __call__(self, value: bytes, ctx: SerializationContext) -> dict[str, Any]:
        if value[:HEADER_BYTES] != self.header:
            raise ValueError("a record of another schema")
        stream = io.BytesIO(value)
        stream.seek(HEADER_BYTES)
        return fastavro.schemaless_reader(stream, self.schema, None)


class Writer(Serializer):
    def __init__(self) -> None:
        super().__init__()
        self.schema = read_schema("OUT_SCHEMA")
        self.header = struct.pack(">bI", 0, int(environ["OUT_SCHEMA_ID"]))

    def __call__(self, value: dict[str, Any], ctx: SerializationContext) -> bytes:
        stream = io.BytesIO()
        stream.write(self.header)
        fastavro.schemaless_writer(stream, self.schema, value)
        return stream.getvalue()


def band_of(score: float) -> str:
    if score >= 0.8:
        return "critical"
    if score >= 0.6:
        return "at-risk"
    return "watch" if score >= 0.35 else "low"


class Scorer:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            environ["MODEL"], options, providers=["CPUExecutionProvider"]
        )
        columns = environ["COLUMNS"].split(",")
        self.column_of = {name: column for column, name in enumerate(columns)}
        self.hot = [
            column
            for column, name in enumerate(columns)
            if name.startswith(tuple(f"{category}_" for category in CATEGORIES))
        ]
        self.row = np.empty((1, len(columns)), np.float32)

    def vector(self, vector: dict[str, Any]) -> dict[str, Any]:
        row = self.row[0]
        row.fill(np.nan)
        row[self.hot] = 0
        for name, value in vector.items():
            if value is None:
                continue
            if name in CATEGORIES:
                column = self.column_of.get(f"{name}_{value}")
                if column is not None:
                    row[column] = 1
            elif name in self.column_of:
                row[self.column_of[name]] = value
        return self.score(vector)

    def activity(self, event: dict[str, Any], state: State) -> dict[str, Any]:
        player, row = player_state.apply(state.get("player"), event)
        state.set("player", player)
        self.row[0] = row
        at = message_context()
        cause = {
            "asOf": event["occurredAt"],
            "trigger": "activity",
            "causeEventId": event["eventId"],
            "causeTopic": environ["IN_TOPIC"],
            "causePartition": at.partition,
            "causeOffset": at.offset,
        }
        return self.score({**event, **cause})

    def score(self, cause: dict[str, Any]) -> dict[str, Any]:
        [answer] = self.session.run(["probabilities"], {"input": self.row})
        score = float(answer[0, 1])
        at = message_context()
        return {
            **{name: cause[name] for name in ("playerId", "asOf", "trigger", "causeEventId")},
            **{name: cause[name] for name in ("causeTopic", "causePartition", "causeOffset")},
            "market": cause["market"] or "",
            "score": score,
            "band": band_of(score),
            "modelName": environ["MODEL_NAME"],
            "modelVersion": environ["MODEL_VERSION"],
            "modelEpoch": 1,
            "vectorPartition": at.partition,
            "vectorOffset": at.offset,
        }


def main() -> None:
    application = Application(
        broker_address=environ["BOOTSTRAP"],
        consumer_group=environ["GROUP"],
        auto_offset_reset="earliest",
        state_dir=environ["STATE_DIR"],
        processing_guarantee=environ["GUARANTEE"],
        commit_interval=int(environ["COMMIT_MS"]) / 1000,
        loglevel="WARNING",
        producer_extra_config={
            "linger.ms": 20,
            "batch.size": 131_072,
            "queue.buffering.max.messages": 200_000,
        },
        consumer_extra_config={
            "fetch.message.max.bytes": 2_097_152,
            "queued.min.messages": 20_000,
        },
    )
    given = application.topic(
        environ["IN_TOPIC"], key_deserializer="str", value_deserializer=Reader()
    )
    made = application.topic(environ["OUT_TOPIC"], key_serializer="str", value_serializer=Writer())
    scorer = Scorer()
    stream = application.dataframe(given)
    if environ["TASK"] == "F":
        stream = stream.apply(scorer.activity, stateful=True)
    else:
        stream = stream.apply(scorer.vector)
    stream.to_topic(made)
    application.run()


if __name__ == "__main__":
    main()

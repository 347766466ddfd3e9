"""Is the token the same that services/runtime makes, and does librdkafka get it?"""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from confluent_kafka import Consumer, KafkaException

from churn_orchestration.msk_token import msk_token
from churn_orchestration.retraining.topics import entry_settings

MSK = {"KAFKA_SASL_MECHANISM": "AWS_MSK_IAM", "AWS_REGION": "eu-west-1"}


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "FQoG+/=(session)*'!")


def test_the_signature_is_that_of_services_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 11, 28, 12, 30, 45, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: at)
    token, _ = msk_token("eu-west-1")
    address = urlsplit(base64.urlsafe_b64decode(token + "===").decode())
    assert address.hostname == "kafka.eu-west-1.amazonaws.com"
    signature = parse_qs(address.query)["X-Amz-Signature"]
    assert signature == ["3f8ce32996cc6d271c1ebda5d06a6a5bc9c9f4fed1cbcb4abda992cd7a0783f9"]


def test_without_a_role_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: None)
    with pytest.raises(ValueError, match="credentials of AWS"):
        msk_token("eu-west-1")


def test_librdkafka_asks_for_it_by_itself() -> None:
    asked: list[str] = []
    settings = entry_settings(MSK)
    make = settings["oauth_cb"]
    settings["oauth_cb"] = lambda config: (asked.append(config), make(config))[1]
    # Nobody listens at port 9: it is asked for before anybody answers.
    where = {"bootstrap.servers": "127.0.0.1:9", "security.protocol": "SASL_SSL", "group.id": "any"}
    consumer = Consumer({**where, **settings, "log_level": 0})
    try:
        with pytest.raises(KafkaException):
            consumer.list_topics(timeout=2)
    finally:
        consumer.close()
    assert len(asked) == 1

"""S3's answers, as steps understand them."""

import gzip
import io
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from churn_orchestration.errors import RefusedError, TroubleError
from churn_orchestration.objects import Bucket


class Client:
    """Answers one call as boto3 would."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer

    def get_object(self, **_: object) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def bucket_that_answers(answer: dict[str, Any] | Exception) -> Bucket:
    bucket = Bucket(name="b")
    bucket.__dict__["_client"] = Client(answer)
    return bucket


def error(status: int) -> ClientError:
    answer = {"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetObject")


def body(content: bytes, etag: str = "e") -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(content), len(content)), "ETag": f'"{etag}"'}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_trouble(status: int) -> None:
    with pytest.raises(TroubleError, match="s3://b/k"):
        bucket_that_answers(error(status)).read("k")


@pytest.mark.parametrize(("status", "why"), [(404, "no s3://b/k"), (403, "refuses s3://b/k")])
def test_an_absent_or_forbidden_object_is_refused(status: int, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        bucket_that_answers(error(status)).read("k")


def test_a_server_that_is_not_there_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(TroubleError, match="S3 does not answer"):
        Bucket(name="b", endpoint="http://127.0.0.1:9").read("k")


def test_missing_keys_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    session = boto3.session.Session()
    monkeypatch.setattr(session, "get_credentials", lambda: None)
    bucket = Bucket(name="b", endpoint="http://127.0.0.1:9")
    client = session.client("s3", region_name="eu-west-1", endpoint_url=bucket.endpoint)
    client._request_signer._credentials = None
    bucket.__dict__["_client"] = client
    with pytest.raises(RefusedError, match="AWS_ACCESS_KEY_ID"):
        bucket.read("k")


@pytest.mark.parametrize("answer", [error(412), body(b"x", "another")])
def test_another_object_under_the_key_is_refused(answer: dict[str, Any] | Exception) -> None:
    with (
        pytest.raises(RefusedError, match="was replaced or removed"),
        bucket_that_answers(answer).lines("k", "e") as lines,
    ):
        list(lines)


def test_lines_come_one_by_one_and_unpacked() -> None:
    with bucket_that_answers(body(gzip.compress(b"a\nb\n"))).lines("k.gz", "e") as lines:
        assert list(lines) == [b"a\n", b"b\n"]
    with bucket_that_answers(body(b"a\nb")).lines("k", "e") as lines:
        assert list(lines) == [b"a\n", b"b"]


@pytest.mark.parametrize("content", [gzip.compress(b"a\n" * 100)[:-9], b"no gzip"])
def test_half_a_gzip_file_is_refused(content: bytes) -> None:
    with (
        pytest.raises(RefusedError, match="no whole gzip file"),
        bucket_that_answers(body(content)).lines("k.gz", "e") as lines,
    ):
        list(lines)

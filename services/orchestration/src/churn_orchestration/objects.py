"""What lies in the bucket, and how is it read and written?"""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

from .errors import RefusedError, TroubleError

GONE = {404, 412}
BUSY = {429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Listed:
    key: str
    etag: str
    size: int
    modified_at: datetime


class Bucket(dg.ConfigurableResource):
    """
    The installation's bucket. Every method raises TroubleError while S3 is away, and RefusedError
    where an object is gone or another one than was asked for.
    """

    name: str
    # Empty: AWS itself. Keys and region come from the AWS variables.
    endpoint: str = ""

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def listing(self, prefix: str) -> Iterator[Listed]:
        """In the order of the keys; folders' own marks are left out."""
        with s3_errors(self.uri(prefix)):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.name, Prefix=prefix
            )
            for page in pages:
                for found in page.get("Contents", []):
                    if not found["Key"].endswith("/"):
                        yield Listed(
                            found["Key"],
                            found["ETag"].strip('"'),
                            found["Size"],
                            found["LastModified"],
                        )

    def look(self, key: str) -> Listed | None:
        """None when there is no such object."""
        return next((found for found in self.listing(key) if found.key == key), None)

    def read(self, key: str) -> bytes:
        with s3_errors(self.uri(key)):
            return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def read_json(self, key: str) -> Any:  # noqa: ANN401
        return json.loads(self.read(key))

    @contextmanager
    def lines(self, key: str, etag: str) -> Iterator[Iterator[bytes]]:
        """Lines of the object with this ETag and no other; .gz is unpacked."""
        with s3_errors(self.uri(key)):
            answer = self._client.get_object(Bucket=self.name, Key=key, IfMatch=etag)
            # A server that does not know If-Match answers with what it has.
            if answer["ETag"].strip('"') != etag:
                raise replaced(self.uri(key))
            raw = io.BufferedReader(Stream(answer["Body"]), 1 << 20)
            try:
                yield gzip.GzipFile(fileobj=raw) if key.endswith(".gz") else raw
            except (EOFError, gzip.BadGzipFile) as error:
                raise RefusedError(f"{self.uri(key)} is no whole gzip file: {error}") from error

    def write_json(self, key: str, document: object) -> None:
        self.write(key, f"{json.dumps(document, indent=2)}\n".encode())

    def write(self, key: str, content: bytes) -> None:
        """Whole or not at all, as S3's put is."""
        with s3_errors(self.uri(key)):
            self._client.put_object(Bucket=self.name, Key=key, Body=content)

    def download(self, key: str, file: Path) -> None:
        with s3_errors(self.uri(key)):
            self._client.download_file(self.name, key, str(file))

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint or None,
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 2},
                s3={"addressing_style": "path"} if self.endpoint else {},
            ),
        )


class Stream(io.RawIOBase):
    """botocore's body as what io and gzip read from."""

    def __init__(self, body: Any) -> None:  # noqa: ANN401
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        chunk = self._body.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def replaced(uri: str) -> RefusedError:
    return RefusedError(
        f"{uri} was replaced or removed since it was listed. Nothing of it was used: "
        "run the whole partition again, from raw_input"
    )


@contextmanager
def s3_errors(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 412:
            raise replaced(what) from error
        if status in BUSY:
            raise TroubleError(f"S3 is busy: {what}: {error}") from error
        if status in GONE:
            raise RefusedError(f"there is no {what}: {error}") from error
        raise RefusedError(f"S3 refuses {what}: {error}") from error
    except NoCredentialsError as error:
        raise RefusedError("S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set") from error
    except (BotoCoreError, HTTPClientError) as error:
        raise TroubleError(f"S3 does not answer: {what}: {error}") from error

"""Which model serves a market, and where are its files?"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import requests

from .config import user_of
from .errors import RefusedError, TroubleError
from .objects import Bucket

ANSWER_SECONDS = 20
CHAMPION = "champion"
FALLBACK = "churn-default"
# How MLflow says that there is no such model, version or alias.
ABSENT = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}


@dataclass(frozen=True)
class Version:
    name: str
    version: str

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version}


def model_of(market: str) -> str:
    return f"churn-{market}"


def parse_version(uri: str) -> Version:
    """`models:/NAME/VERSION`; an alias is none, because it may move between two steps."""
    scheme, _, path = uri.partition(":/")
    name, _, version = path.strip("/").rpartition("/")
    if scheme != "models" or name == "" or not version.isdigit():
        raise RefusedError(f"the model is {uri}: it must be models:/NAME/VERSION")
    return Version(name, version)


class Registry(dg.ConfigurableResource):
    """MLflow's registry over its REST API. Raises TroubleError while it is away."""

    tracking_uri: str

    def champion(self, name: str) -> Version | None:
        found = self._get("registered-models/alias", name=name, alias=CHAMPION)
        return None if found is None else Version(name, str(found["model_version"]["version"]))

    def serving(self, market: str) -> Version:
        """The market's own champion, or the one that serves every market without one."""
        found = self.champion(model_of(market)) or self.champion(FALLBACK)
        if found is None:
            raise RefusedError(
                f"neither {model_of(market)} nor {FALLBACK} has a version with the alias "
                f"{CHAMPION}: promote one (npm run model -- promote {market} VERSION)"
            )
        return found

    def artifact_key(self, version: Version, file: str, bucket: Bucket) -> str:
        """Where a file of the version lies in the installation's bucket."""
        found = self._get(
            "model-versions/get-download-uri", name=version.name, version=version.version
        )
        if found is None:
            raise RefusedError(f"MLflow has no version {version.version} of {version.name}")
        place = urlsplit(found["artifact_uri"])
        if place.scheme != "s3" or place.netloc != bucket.name:
            raise RefusedError(
                f"the files of {version.uri} lie at {found['artifact_uri']}, not in the bucket "
                f"{bucket.name} (S3_BUCKET)"
            )
        return f"{place.path.strip('/')}/{file}"

    def _get(self, path: str, **query: str) -> dict[str, Any] | None:
        """None when MLflow has no such thing."""
        return self._ask("GET", path, params=query)

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any] | None:  # noqa: ANN401
        url = f"{self.tracking_uri.rstrip('/')}/api/2.0/mlflow/{path}"
        try:
            auth = user_of("MLFLOW_TRACKING")
            answer = requests.request(method, url, timeout=ANSWER_SECONDS, auth=auth, **content)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise TroubleError(f"MLflow does not answer at {self.tracking_uri}: {error}") from error
        except requests.RequestException as error:
            raise RefusedError(f"MLFLOW_TRACKING_URI={self.tracking_uri}: {error}") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise TroubleError(f"MLflow answers {answer.status_code} for {path}")
        try:
            body = answer.json()
        except ValueError as error:
            raise RefusedError(f"MLflow's answer for {path} is no JSON: {error}") from error
        if answer.ok:
            return body
        # An alias that is not set is an invalid parameter to MLflow.
        missing_alias = path.endswith("/alias") and "alias" in body.get("message", "").lower()
        if body.get("error_code") in ABSENT or missing_alias:
            return None
        raise RefusedError(f"MLflow answers {answer.status_code}: {body.get('message')}")

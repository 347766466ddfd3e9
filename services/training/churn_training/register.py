"""How does a model become a version in the registry, with all its files in one folder?"""

import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from .artifact import Candidate, input_example, signature, write_extras
from .errors import TrainingError
from .provenance import sha256

EXPERIMENT = "churn-training"
CHAMPION = "champion"
ANSWER_SECONDS = 10
# What a program that loads the model as MLflow's python_function needs; named here because MLflow
# would otherwise load the model in a second process only to find out.
SERVING_REQUIREMENTS = ["mlflow", "onnx", "onnxruntime", "numpy", "pandas"]


@dataclass(frozen=True)
class Registered:
    name: str
    version: str
    artifact_location: str


def check_reachable() -> str:
    """Asks before training, because MLflow's own client retries for minutes. Gives the address."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri == "":
        raise TrainingError("MLFLOW_TRACKING_URI is not set: where is MLflow?")
    if uri.startswith(("http://", "https://")):
        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=ANSWER_SECONDS).raise_for_status()
        except requests.RequestException as error:
            raise TrainingError(f"MLflow is not reachable at {uri}: {error}") from error
    return uri


def register(candidate: Candidate, name: str, champion: bool) -> Registered:
    """
    Registers only once every file is in the folder, and sets the alias last: whoever hears of the
    version or the alias finds it complete.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        return _register(candidate, name, champion)
    except (MlflowException, requests.RequestException, OSError) as error:
        raise TrainingError(f"the model could not be registered in MLflow: {error}") from error
    except Exception as error:
        # The S3 client's errors share no base with anything that is installed for certain.
        if type(error).__module__.partition(".")[0] not in ("boto3", "botocore", "s3transfer"):
            raise
        raise TrainingError(f"the model's files could not be stored: {error}") from error


def _register(candidate: Candidate, name: str, champion: bool) -> Registered:
    # `mlflow run` has already opened a run and chosen its experiment.
    if "MLFLOW_RUN_ID" not in os.environ:
        mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as parent:
        # `mlflow run` has logged its own parameters, which cannot be logged again otherwise.
        given = run.data.params
        mlflow.log_params({k: v for k, v in candidate.params.items() if k not in given})
        mlflow.set_tags(candidate.tags)
        logged = mlflow.initialize_logged_model(name=name, source_run_id=run.info.run_id)
        folder = Path(parent) / "model"
        write_folder(candidate, folder, logged)
        client = MlflowClient()
        client.log_model_artifacts(logged.model_id, str(folder))
        mlflow.finalize_logged_model(logged.model_id, "READY")
        client.log_outputs(run.info.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        finite = {key: value for key, value in candidate.metrics.items() if math.isfinite(value)}
        metrics = {**finite, "onnx_parity_max_difference": candidate.parity.max_difference}
        mlflow.log_metrics(metrics, model_id=logged.model_id)

        digest = sha256((folder / "model.onnx").read_bytes())
        made = mlflow.register_model(
            f"models:/{logged.model_id}", name, tags={**candidate.tags, "sha256": digest}
        )
        location = client.get_model_version_download_uri(name, made.version)
        profile = f"{location}/reference_profile.json"
        client.set_model_version_tag(name, made.version, "reference_profile_uri", profile)
        if champion:
            client.set_registered_model_alias(name, CHAMPION, made.version)
        return Registered(name=name, version=str(made.version), artifact_location=location)


def write_folder(candidate: Candidate, folder: Path, logged: LoggedModel) -> None:
    """MLflow's ONNX flavour and our own files side by side; log_model would store them apart."""
    mlflow.onnx.save_model(
        candidate.onnx,
        str(folder),
        mlflow_model=Model(
            artifact_path=logged.artifact_location,
            run_id=logged.source_run_id,
            model_uuid=logged.model_id,
            model_id=logged.model_id,
        ),
        signature=signature(candidate.columns),
        input_example=input_example(candidate),
        pip_requirements=SERVING_REQUIREMENTS,
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    write_extras(candidate, folder)

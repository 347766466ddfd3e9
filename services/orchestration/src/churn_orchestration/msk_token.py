"""How does a process show Kafka on AWS which IAM role it has?"""

import base64
import time

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

VALID_SECONDS = 900


def msk_token(region: str) -> tuple[str, float]:
    """For OAUTHBEARER: the token, and until when it is valid. services/runtime has it in Node."""
    credentials = botocore.session.get_session().get_credentials()
    if credentials is None:
        raise ValueError("KAFKA_SASL_MECHANISM=AWS_MSK_IAM needs credentials of AWS, e.g. a role")
    signer = SigV4QueryAuth(credentials, "kafka-cluster", region, expires=VALID_SECONDS)
    address = f"https://kafka.{region}.amazonaws.com/"
    request = AWSRequest("GET", address, params={"Action": "kafka-cluster:Connect"})
    signer.add_auth(request)
    url = f"{request.url}&User-Agent=churnstream"
    token = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return token, time.time() + VALID_SECONDS

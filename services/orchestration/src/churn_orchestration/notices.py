"""Who is told what happened, and how?"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import dagster as dg
import requests

from .errors import TroubleError

ANSWER_SECONDS = 10
SHOWN_CHARACTERS = 2_000


@dataclass(frozen=True)
class Notice:
    job: str
    run: str
    partition: str | None
    # The first step that failed; None when the run ended outside of a step.
    step: str | None
    reason: str
    # Dagster starts it again by itself: its worker died.
    will_retry: bool
    at: float

    @property
    def text(self) -> str:
        where = " ".join(part for part in (self.job, self.partition, self.step) if part is not None)
        again = "; it is started again" if self.will_retry else ""
        return f"run {self.run} failed ({where}){again}: {self.reason}"


class Notifier(dg.ConfigurableResource):
    # Empty: nobody beside the log.
    webhook_url: str = ""

    def deliver(self, notice: Notice) -> None:
        """Raises TroubleError when the receiver did not answer with success."""
        self.tell(f"the notice of run {notice.run}", {"text": notice.text, **asdict(notice)})

    def tell(self, what: str, body: Mapping[str, object]) -> None:
        """`body` has `text`, for people. Raises TroubleError as `deliver` does."""
        if self.webhook_url == "":
            return
        try:
            requests.post(
                self.webhook_url,
                data=json.dumps(body),
                headers={"content-type": "application/json"},
                timeout=ANSWER_SECONDS,
            ).raise_for_status()
        except requests.RequestException as error:
            # The address may hold a secret, and the error's text holds the address.
            raise TroubleError(
                f"{what} could not be delivered "
                f"({type(error).__name__}); it is sent again at the next tick"
            ) from None

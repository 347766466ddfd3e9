"""What went wrong: the world for the moment, or something that trying again does not change?"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


class TroubleError(Exception):
    """A server is away or busy: the same step may succeed a little later."""


class RefusedError(Exception):
    """The input, the model or the settings are wrong; the message says what to do."""


@contextmanager
def step_failures() -> Iterator[None]:
    """
    Within a step: only trouble is tried again, as the step's retry policy says. Whatever else is
    raised, a bug too, fails the step at once.
    """
    try:
        yield
    except TroubleError as error:
        raise dg.Failure(str(error), allow_retries=True) from error
    except RefusedError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except dg.Failure:
        raise
    except Exception as error:
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error

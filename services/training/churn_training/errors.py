"""Why was no model made?"""


class TrainingError(Exception):
    """Something the caller can put right; the message says what."""

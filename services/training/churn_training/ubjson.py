"""What does a UBJSON file say? As much of the format as XGBoost writes."""

from typing import Any

import numpy as np

# Format letter -> NumPy's name of the same number. All are big-endian.
NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
CONSTANTS = {"T": True, "F": False, "Z": None}
MAX_DEPTH = 100


def read_ubjson(content: bytes) -> Any:  # noqa: ANN401
    """Raises ValueError for what is no UBJSON, and where it ends too soon or too late."""
    reader = _Reader(content)
    value = reader.value(reader.letter(), depth=0)
    if reader.at != len(content):
        raise ValueError(f"something follows its end at byte {reader.at}")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, length: int) -> bytes:
        if length < 0 or self.at + length > len(self.content):
            raise ValueError(f"it ends too soon, at byte {len(self.content)}")
        part = self.content[self.at : self.at + length]
        self.at += length
        return part

    def letter(self) -> str:
        return chr(self.take(1)[0])

    def number(self, kind: str) -> int | float:
        layout = np.dtype(NUMBERS[kind])
        return np.frombuffer(self.take(layout.itemsize), layout)[0].item()

    def length(self) -> int:
        kind = self.letter()
        if kind not in "iUIlL":
            raise ValueError(f"a length is missing at byte {self.at - 1}")
        return int(self.number(kind))

    def text(self) -> str:
        return self.take(self.length()).decode()

    def value(self, kind: str, depth: int) -> Any:  # noqa: ANN401
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        if kind in NUMBERS:
            return self.number(kind)
        if kind in CONSTANTS:
            return CONSTANTS[kind]
        if kind == "S":
            return self.text()
        if kind == "C":
            return self.letter()
        if kind == "{":
            return self.object(depth)
        if kind == "[":
            return self.array(depth)
        raise ValueError(f"an unknown kind of value at byte {self.at - 1}")

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.peek() != "}":
            key = self.text()
            found[key] = self.value(self.letter(), depth + 1)
        self.at += 1
        return found

    def array(self, depth: int) -> list[Any]:
        kind = None
        if self.peek() == "$":
            self.at += 1
            kind = self.letter()
        if self.peek() == "#":
            self.at += 1
            count = self.length()
            if kind is None:
                return [self.value(self.letter(), depth + 1) for _ in range(count)]
            if kind not in NUMBERS:
                raise ValueError(f"an array of an unknown kind at byte {self.at}")
            layout = np.dtype(NUMBERS[kind])
            return np.frombuffer(self.take(count * layout.itemsize), layout).tolist()
        if kind is not None:
            raise ValueError(f"an array without its length at byte {self.at}")
        found = []
        while self.peek() != "]":
            found.append(self.value(self.letter(), depth + 1))
        self.at += 1
        return found

    def peek(self) -> str:
        if self.at >= len(self.content):
            raise ValueError(f"it ends too soon, at byte {len(self.content)}")
        return chr(self.content[self.at])

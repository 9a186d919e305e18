"""Runs checks and prints one line of JSON for each."""

import json
import traceback
from typing import Callable


def check(name: str, run: Callable[[], None]) -> None:
    error = None
    try:
        run()
    except Exception:
        error = traceback.format_exc()
    print(json.dumps({"check": name, "error": error}), flush=True)


def raised(kind: type, run: Callable[[], object]) -> Exception:
    """The exception of this kind that `run` raises."""
    try:
        result = run()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def equal(actual: object, expected: object) -> None:
    assert actual == expected, f"{actual!r} is not {expected!r}"

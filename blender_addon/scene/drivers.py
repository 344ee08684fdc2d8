"""Drivers that read a head's data-blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drive(curve: Any, source: Any, paths: Sequence[str], expression: str) -> None:
    """Let `curve`, from `driver_add`, follow `expression` of a, b, ...: the values at `paths` in `source`."""
    driver = curve.driver
    driver.type = "SCRIPTED"
    for letter, path in zip(LETTERS, paths, strict=False):
        variable = driver.variables.new()
        variable.name = letter
        target = variable.targets[0]
        target.id_type = source.id_type
        target.id = source
        target.data_path = path
    driver.expression = expression

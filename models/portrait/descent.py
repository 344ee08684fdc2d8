"""The loop of a damped Gauss-Newton fit (Levenberg, 1944)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_TRIES = 4  # of a step, each more damped than the last
_ENOUGH = 1e-4  # of the cost; who gains less has arrived

State = TypeVar("State")


@dataclass(frozen=True)
class Damping:
    """How cautious steps are: at first, times more after a failure, times less after a success, at least."""

    first: float
    harder: float
    easier: float
    least: float


def descended(
    start: State,
    cost: Callable[[State], float],
    step: Callable[[State, float], State],
    damping: Damping,
    steps: int,
) -> State:
    """`start` after at most `steps` steps; `step` takes a state and a damping.

    A step that makes the cost worse is tried again with more damping.
    """
    state, reached, caution = start, cost(start), damping.first
    for _ in range(steps):
        for _ in range(_TRIES):
            moved = step(state, caution)
            after = cost(moved)
            if after <= reached:
                break
            caution *= damping.harder
        else:
            break
        gained, state, reached = reached - after, moved, after
        caution = max(caution / damping.easier, damping.least)
        if gained < _ENOUGH * reached:
            break
    return state

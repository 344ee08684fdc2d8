"""Forced alignment: when each phone of a known text is said, by Viterbi through a network's phone classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.features import LogMel
from models.audio.stream import FeatureStream
from models.expression.checkpoint import read_checkpoint
from models.expression.model import DEFAULT_WEIGHTS

from ..phones import CLASS_INDEX, PHONE_CLASSES, SILENCE
from ..symbols import Segment

POSTERIOR_RATE = 100  # frames per second
Listener = Callable[[Array], Array]  # [n] samples at 16 kHz -> [T, C] log posteriors, frame t at t / 100 s

_LOWEST = -7.0  # log posterior: no single frame may forbid a path
_SHORTEST = 2  # frames of any phone
_SHORTEST_SILENCE = 3
_WEAKEST_SPAN = 3  # frames over which a phone's own score is judged at least
_IMPOSSIBLE = -1e9


@dataclass(frozen=True)
class Alignment:
    """Phones with times, and how well they fit.

    Attributes:
        segments: rows (start, end, class) that cover the sound.
        score: mean log posterior of the frames that are not silence.
        weakest: mean log posterior of the phone that fits worst.
    """

    segments: list[Segment]
    score: float
    weakest: float


def phone_listener(weights: Path = DEFAULT_WEIGHTS) -> Listener:
    """What the expression network at `weights` hears, twice per frame of its own.

    Raises:
        ModelError: the weights are missing or damaged.
        InputError: they listen through a pretrained encoder.
    """
    checkpoint = read_checkpoint(weights)
    if not isinstance(checkpoint.source, LogMel):
        raise InputError(f"{weights} cannot align: it does not hear log-mel", "Name other weights (aligner)")
    config, encoder = checkpoint.config, checkpoint.network.encoder.eval()
    known = [i for i, name in enumerate(PHONE_CLASSES) if name in config.classes]
    columns = [config.classes.index(PHONE_CLASSES[i]) for i in known]

    @torch.inference_mode()
    def listen(samples: Array) -> Array:
        stream = FeatureStream()
        features = np.concatenate([stream.push(samples), stream.finish()])
        padded = np.concatenate([features, np.repeat(features[-1:], config.features_per_frame, axis=0)])
        shifted = np.stack([padded[i : i + len(features)] for i in range(config.features_per_frame)])
        heard = encoder(torch.from_numpy(shifted)).phones.log_softmax(-1)  # [2, F, C]
        posteriors = np.full((len(features), len(PHONE_CLASSES)), _LOWEST, np.float32)
        posteriors[:, known] = heard.transpose(0, 1).flatten(0, 1).numpy()[:, columns]
        return posteriors

    return listen


@dataclass(frozen=True)
class _Path:
    """The states that a sound passes, several for a phone that must last; [S] each.

    Attributes:
        kind: class index.
        phone: which phone of the sequence.
        first: whether the phone starts here.
        last: whether the phone may go on here or end.
        skippable: whether the phone may be left out.
    """

    kind: Array
    phone: Array
    first: Array
    last: Array
    skippable: Array


def align(posteriors: Array, words: Sequence[Sequence[str]]) -> Alignment | None:
    """Place the phone classes of `words`, with silence between them where there is any.

    Args:
        posteriors: [T, C] log posteriors at 100 frames per second.
        words: the classes of each word.

    Returns:
        None when the sound is too short for the words.
    """
    path = _path(words)
    scores = np.maximum(posteriors, _LOWEST)
    states = _viterbi(scores[:, path.kind], path)
    if states is None:
        return None
    return _alignment(scores, path, states)


def _path(words: Sequence[Sequence[str]]) -> _Path:
    names = [SILENCE]
    for word in words:
        names += [*word, SILENCE]
    lengths = [_SHORTEST_SILENCE if name == SILENCE else _SHORTEST for name in names]
    phone = np.repeat(np.arange(len(names)), lengths)
    position = np.concatenate([np.arange(length) for length in lengths])
    silent = np.array([name == SILENCE for name in names])
    return _Path(
        kind=np.array([CLASS_INDEX[name] for name in names])[phone],
        phone=phone,
        first=position == 0,
        last=position == np.array(lengths)[phone] - 1,
        skippable=silent[phone],
    )


def _viterbi(scores: Array, path: _Path) -> Array | None:
    """[T, S] scores -> [T] the best state at each time, through the whole path."""
    frames, states = scores.shape
    origins = _origins(path)  # [3, S]
    best = np.full(states, _IMPOSSIBLE)
    best[_starts(path)] = 0.0
    best += scores[0]
    back = np.zeros((frames, states), np.int64)
    padded = np.append(best, _IMPOSSIBLE)
    column = np.arange(states)
    for t in range(1, frames):
        arriving = padded[origins]  # [3, S]; origin S is impossible
        choice = arriving.argmax(0)
        back[t] = origins[choice, column]
        padded[:-1] = arriving[choice, column] + scores[t]
    ends = _ends(path)
    state = int(ends[padded[ends].argmax()])
    if padded[state] < _IMPOSSIBLE / 2:
        return None
    found = np.zeros(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        found[t] = state
        state = int(back[t, state])
    return found


def _origins(path: _Path) -> Array:
    """[3, S] from where a state can be reached: itself, the state before, past a phone left out."""
    count = len(path.kind)
    column = np.arange(count)
    stay = np.where(path.last, column, count)
    before = np.where(column > 0, column - 1, count)
    skip = np.full(count, count)
    for state in np.flatnonzero(path.first)[2:]:
        omitted = path.phone == path.phone[state] - 1
        if path.skippable[omitted].all():
            skip[state] = np.flatnonzero(omitted)[0] - 1
    return np.stack([stay, before, skip])


def _starts(path: _Path) -> Array:
    return np.flatnonzero(path.first)[:2]


def _ends(path: _Path) -> Array:
    return np.flatnonzero(path.last)[-2:]


def _alignment(scores: Array, path: _Path, states: Array) -> Alignment:
    changes = np.flatnonzero(np.diff(path.phone[states], prepend=-1))
    edges = np.append(changes, len(states))
    segments: list[Segment] = []
    fits, spoken = [], []
    for first, end in pairwise(edges):
        kind = path.kind[states[first]]
        name = PHONE_CLASSES[kind]
        start = 0.0 if first == 0 else (first - 0.5) / POSTERIOR_RATE
        segments.append((start, (end - 0.5) / POSTERIOR_RATE, name))
        if name != SILENCE:
            heard = scores[first:end, kind]
            spoken.append(heard)
            fits.append(heard.sum() / max(_WEAKEST_SPAN, len(heard)))
    return Alignment(segments, float(np.concatenate(spoken).mean()), float(min(fits)))

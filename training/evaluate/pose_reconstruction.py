"""What the codebook keeps of a motion: encoded, quantised and decoded again, beside what was there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import find_peaks

from blender_addon.protocol.clip import POSE_CODE_STRIDE
from blender_addon.protocol.tensorfile import Array
from models.pose.network import PoseCodec
from models.pose.quantiser import CODES

from .pose_measures import RATE, decibels, spectrum_of

_PITCH = 0
_NODS_PER_MINUTE = 4  # the largest that are judged; our choice
_REACH = 0.4  # seconds around a nod's turning point that its size is taken over; our choice


@dataclass(frozen=True)
class Usage:
    """A level of codes. used: share of them chosen at least once; perplexity: e^entropy of the choice."""

    used: float
    perplexity: float


@dataclass(frozen=True)
class Reconstruction:
    """Attributes:
    r2: [6] share of the variance that is kept.
    decibels: [bands, 6] spectrum relative to the original's, in bands of half a hertz up to 6 Hz.
    nods: [n] size of the largest nods relative to the original's.
    usage: of each level of codes; empty where nothing was quantised.
    """

    r2: Array
    decibels: Array
    nods: Array
    usage: tuple[Usage, ...]


@torch.inference_mode()
def reconstruct(codec: PoseCodec, motions: Sequence[Array]) -> Reconstruction:
    """Judge `codec`, in eval mode, on motions [T, 6] that it was not trained on."""
    originals, results, codes = [], [], []
    for motion in motions:
        whole = motion[: len(motion) // POSE_CODE_STRIDE * POSE_CODE_STRIDE]
        drawn, quantised = codec(torch.from_numpy(whole.astype(np.float32))[None])
        originals.append(whole)
        results.append(drawn[0].numpy().astype(np.float64))
        codes.append(quantised.codes[0].numpy())
    levels = np.concatenate(codes).T if codec.config.quantised else []
    return Reconstruction(
        r2=r_squared(originals, results),
        decibels=decibels(spectrum_of(results), spectrum_of(originals)),
        nods=nod_sizes(originals, results),
        usage=tuple(usage_of(level) for level in levels),
    )


def r_squared(originals: Sequence[Array], results: Sequence[Array]) -> Array:
    """[6] 1 - squared error / variance about the mean of all."""
    truth, found = np.concatenate(originals), np.concatenate(results)
    return np.asarray(1.0 - ((truth - found) ** 2).mean(0) / truth.var(0))


def nod_sizes(originals: Sequence[Array], results: Sequence[Array]) -> Array:
    """[n] for the largest nods of the originals: range of the pitch around them, of result by original."""
    reach, ratios, sizes = round(_REACH * RATE), [], []
    for truth, found in zip(originals, results, strict=True):
        pitch = truth[:, _PITCH]
        turns = np.concatenate([find_peaks(sign * pitch, prominence=0.0)[0] for sign in (1.0, -1.0)])
        for turn in turns:
            near = slice(max(0, turn - reach), turn + reach + 1)
            sizes.append(np.ptp(pitch[near]))
            ratios.append(np.ptp(found[near, _PITCH]) / sizes[-1])
    minutes = sum(map(len, originals)) / RATE / 60.0
    largest = np.argsort(-np.array(sizes))[: max(1, round(_NODS_PER_MINUTE * minutes))]
    kept: Array = np.array(ratios)[largest]
    return kept


def usage_of(codes: Array) -> Usage:
    """Of the codes [n] of one level."""
    share = np.bincount(codes, minlength=CODES) / len(codes)
    known = share[share > 0.0]
    return Usage(len(known) / CODES, float(np.exp(-(known * np.log(known)).sum())))

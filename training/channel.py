"""What happens to a sound on its way: rooms, other people, music, codecs, clipping, lost packets.

The mouth that is wanted stays that of the main voice. Everything is drawn from the given generator.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.fft import dct, idct
from scipy.signal import oaconvolve, resample_poly

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

Generator = np.random.Generator

# All shares and ranges here are our choice.
_ROOM_SHARE, _CODEC_SHARE, _CLIP_SHARE, _DROP_SHARE = 0.2, 0.15, 0.08, 0.06
_REVERBERATION, _DIRECT = (0.1, 0.7), (0.3, 3.0)  # seconds for 60 dB; direct sound against the room
_CODEC_FRAME = 320  # samples: 20 ms, as most speech codecs
_CODEC_BANDS = 20
_PACKET = 320  # samples
_LOST = (0.005, 0.03)  # share of packets


def transmit(samples: Array, rng: Generator) -> Array:
    """[n] f32 of a scene -> [n] f32 as it arrives after a random chain of mishaps, often none."""
    for share, change in _CHAIN:
        if rng.random() < share:
            samples = change(samples, rng)
    return samples


def mixed(main: Array, other: Array, decibels: float) -> Array:
    """[n] + [n]: `other` so many decibels below `main`, both measured where they are loud."""
    level, other_level = loud_level(main), loud_level(other)
    if level == 0.0 or other_level == 0.0:
        return main
    gain = level / other_level * 10.0 ** (-decibels / 20.0)
    return np.asarray(main + np.float32(gain) * other, np.float32)


def loud_level(samples: Array) -> float:
    """Root mean square of the louder half of the 20 ms blocks that are not silent."""
    blocks = np.square(samples[: len(samples) // _PACKET * _PACKET]).reshape(-1, _PACKET).mean(1)
    loud = blocks[blocks > 1e-10]
    return float(np.sqrt(np.mean(loud[loud >= np.median(loud)]))) if len(loud) else 0.0


def in_room(samples: Array, rng: Generator) -> Array:
    """In a room of noise-like echoes that fade exponentially; the direct sound stays where it was."""
    decay = rng.uniform(*_REVERBERATION)
    count = int(decay * SAMPLE_RATE)
    times = np.arange(count, dtype=np.float32) / SAMPLE_RATE
    echoes = rng.standard_normal(count, np.float32) * np.exp(-6.9 * times / np.float32(decay))
    echoes[: int(rng.uniform(0.001, 0.015) * SAMPLE_RATE)] = 0.0
    echoes /= np.sqrt(np.sum(echoes**2)) * np.float32(rng.uniform(*_DIRECT))
    echoes[0] = 1.0
    return np.asarray(oaconvolve(samples, echoes)[: len(samples)], np.float32)


def encoded(samples: Array, rng: Generator) -> Array:
    """Through a telephone's companding or a transform codec at a low bit rate."""
    if rng.random() < 0.5:
        return companded(samples, int(rng.integers(4, 9)))
    return transform_coded(samples, rng.uniform(3.0, 14.0), rng.uniform(2500.0, 8000.0))


def companded(samples: Array, bits: int) -> Array:
    """At 8 kHz in `bits` mu-law steps (G.711 has 8), scaled so that the peak is full scale."""
    peak = np.float32(np.abs(samples).max() + 1e-9)
    narrow = resample_poly(samples / peak, 1, 2)
    steps = 2.0 ** (bits - 1)
    compressed = np.sign(narrow) * np.log1p(255.0 * np.abs(narrow)) / np.log(256.0)
    rounded = np.rint(compressed * steps) / steps
    expanded = np.sign(rounded) * np.expm1(np.abs(rounded) * np.log(256.0)) / 255.0
    return np.asarray(resample_poly(expanded, 2, 1)[: len(samples)] * peak, np.float32)


def transform_coded(samples: Array, quality: float, limit: float) -> Array:
    """Cosine coefficients of 20 ms frames, rounded so that noise is `quality` dB below each band.

    Nothing is left above `limit` Hz. Frames overlap by half, under sine windows, whose squares add up to one.
    """
    half = _CODEC_FRAME // 2
    padded = np.pad(samples, (half, _CODEC_FRAME))
    window = np.sin(np.pi * (np.arange(_CODEC_FRAME, dtype=np.float32) + 0.5) / _CODEC_FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _CODEC_FRAME)[::half] * window
    coefficients = dct(frames, norm="ortho")
    bands = coefficients.reshape(len(frames), _CODEC_BANDS, -1)
    # A step's error is uniform: its power is step**2 / 12. A sine window leaves half of a frame's power.
    steps = np.sqrt(np.mean(bands**2, axis=-1, keepdims=True) * 24.0) * 10.0 ** (-quality / 20.0) + 1e-7
    coded = (np.rint(bands / steps) * steps).reshape(frames.shape)
    coded[:, int(limit / (SAMPLE_RATE / 2) * _CODEC_FRAME) :] = 0.0
    blocks = (idct(coded, norm="ortho") * window).reshape(len(frames), 2, half)
    sound = np.zeros((len(frames) + 1, half), np.float32)
    sound[:-1] += blocks[:, 0]
    sound[1:] += blocks[:, 1]
    return sound.reshape(-1)[half : half + len(samples)]


def clipped(samples: Array, rng: Generator) -> Array:
    """Cut off, softly or hard, at a level that only loud sounds reach."""
    level = np.float32(loud_level(samples) * rng.uniform(0.8, 2.5) + 1e-9)
    if rng.random() < 0.5:
        return np.clip(samples, -level, level)
    return np.asarray(np.tanh(samples / level) * level, np.float32)


def dropped(samples: Array, rng: Generator) -> Array:
    """Some packets of 20 ms are lost: silence, or the one before once more."""
    result = samples.copy()
    packets = result[: len(result) // _PACKET * _PACKET].reshape(-1, _PACKET)
    lost = np.flatnonzero(rng.random(len(packets)) < rng.uniform(*_LOST))
    lost = lost[lost > 0]
    packets[lost] = packets[lost - 1] if rng.random() < 0.5 else 0.0
    return result


_CHAIN: tuple[tuple[float, Callable[[Array, Generator], Array]], ...] = (
    (_ROOM_SHARE, in_room),
    (_CLIP_SHARE, clipped),
    (_CODEC_SHARE, encoded),
    (_DROP_SHARE, dropped),
)

"""How one speaker moves the head: the style that is told, and habits that nobody is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.controls import PoseStyle

Generator = np.random.Generator
_AVERAGE_SHARE, _SPREAD = 0.3, 0.5  # of styles that are average; deviation of the others; our choice
# The head follows pitch and loudness by 30 ms on average over 24 speakers (Fotedar and Ghosh 2017, "An
# information theoretic analysis of the temporal synchrony between head gestures and prosodic patterns").
_PROSODY_LAG, _PROSODY_LAG_SPREAD = 0.03, 0.03  # seconds; the spread over speakers is our choice
# Strokes have their apex at the accented syllable (Linköping thesis "Head movement correlates to focus
# assignment in Swedish") or a little before the peak of pitch (articulometry of conversations, Tiede et al.).
_APEX_LAG, _APEX_LAG_SPREAD = -0.02, 0.03  # seconds; figures are our choice
# Degrees that the chin rises per semitone: head and pitch correlate strongly within a speaker and differently
# between speakers (Munhall et al. 2004; Yehia et al. 2002); the size is our choice.
_LIFT, _LIFT_SPREAD = 0.16, 0.1
# Roll per yaw. Below the axis vertebra the neck bends to the side that it turns to, above it to the other
# (dual fluoroscopy of head rotation, 2021: 21 and 18 degrees at 55 degrees of yaw), so little is left.
_YAW_ROLL, _YAW_ROLL_SPREAD = 0.08, 0.15
# Kinds of strokes at accents: down and back, with a preparation and a rebound, up and back. The kinds are
# those of Graf et al. (2002) and Ekvall et al. (2001: down and forward, or up and back); shares our choice.
_KINDS = (0.55, 0.25, 0.20)
_KIND_CONCENTRATION = 8.0  # of the Dirichlet law over speakers; our choice


@dataclass(frozen=True)
class Speaker:
    """Attributes:
    style: what the speaker is told to be like.
    prosody_lag, apex_lag: seconds after the sound. lift: degrees up per semitone.
    yaw_roll: degrees to the left of roll per degree of yaw. kinds: [3] shares of strokes.
    """

    style: PoseStyle
    prosody_lag: float
    apex_lag: float
    lift: float
    yaw_roll: float
    kinds: tuple[float, ...]

    @property
    def amplitude(self) -> float:
        """Factor of all movement."""
        return float(2.0 ** (self.style.energy / 2.0))

    @property
    def beats(self) -> float:
        """Factor of how many accents and phrase ends have a stroke."""
        return float(2.0 ** (self.style.nods / 2.0))

    @property
    def axes(self) -> tuple[float, float, float]:
        """Factors of pitch, yaw and roll."""
        return 1.0, float(2.0 ** (self.style.turns / 2.0)), float(2.0 ** (self.style.tilts / 2.0))


def sample_style(rng: Generator) -> PoseStyle:
    """A random manner of moving the head, often the average one."""
    drawn = np.clip(rng.normal(0.0, _SPREAD, 4), -1.0, 1.0)
    return PoseStyle() if rng.random() < _AVERAGE_SHARE else PoseStyle(*drawn.tolist())


def sample_speaker(style: PoseStyle, rng: Generator) -> Speaker:
    """A random speaker of `style`."""
    return Speaker(
        style=style,
        prosody_lag=float(rng.normal(_PROSODY_LAG, _PROSODY_LAG_SPREAD)),
        apex_lag=float(rng.normal(_APEX_LAG, _APEX_LAG_SPREAD)),
        lift=float(rng.normal(_LIFT, _LIFT_SPREAD)),
        yaw_roll=float(rng.normal(_YAW_ROLL, _YAW_ROLL_SPREAD)),
        kinds=tuple(rng.dirichlet(_KIND_CONCENTRATION * np.array(_KINDS)).tolist()),
    )

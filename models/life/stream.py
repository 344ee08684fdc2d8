"""The layers of life as a stream: head pose and speech activity in, blinks, gaze and breath out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.controls import HeadControls
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.mixing import mixed_pose
from blender_addon.protocol.tensorfile import Array

from .blinks import Blink, BlinkPlan, blink_weights
from .breath import Breath, BreathPlan, breath_motion
from .eyes import comfortable, eye_angles, look_weights
from .gaze import GazePlan, Saccade, gaze_at
from .speech import LOOK_AHEAD, TICK, SpeechTicks, Tick

PLAIN = HeadControls()
_MARGIN = 0.01  # seconds; a frame also shows what starts a hair after it


@dataclass(frozen=True)
class LifeChunk:
    """Consecutive frames of the layers of life, all at strength 1.

    Attributes:
        start: index of the first frame.
        blink: [f, 52] f32 weights: lids, a little squint, and how the eyes move with the lids.
        gaze_weights: [f, 52] f32 eyeLook* weights.
        gaze: [f, 4] f32, what `gaze_weights` turn the eyes by; see `MotionClip`.
        breath_pose: [f, 6] f32 rotation vector (radians) and translation (metres).
        breath_weights: [f, 52] f32.
    """

    start: int
    blink: Array
    gaze_weights: Array
    gaze: Array
    breath_pose: Array
    breath_weights: Array


class LifeStream:
    """One take. Every layer has its own random numbers of the seed, whatever the others do.

    `look_ahead` is in frames: frame i comes out once frame i + look_ahead has been pushed, or at `finish`.
    """

    def __init__(self, fps: float, seed: int = 0, controls: HeadControls = PLAIN) -> None:
        """`controls` say how often to blink, and how much the head will move, which the eyes counter."""
        if not (math.isfinite(fps) and fps > 0):
            raise InputError(f"the frame rate is {fps}", "Give frames per second above 0")
        self._fps, self._seed, self._controls = fps, seed, controls
        self._needed = 0.5 / fps + _MARGIN  # seconds past a frame that must be planned
        self.look_ahead = math.ceil((self._needed + LOOK_AHEAD + TICK) * fps)
        self._ticks = SpeechTicks(fps)
        self._plans = GazePlan(seed), BlinkPlan(seed, controls.blink_rate), BreathPlan(seed)
        self._saccades: list[Saccade] = []
        self._blinks: list[Blink] = []
        self._breaths: list[Breath] = []
        self._pose = np.zeros((0, 6), np.float32)
        self._emitted = self._pushed = 0

    def push(self, pose: Array, activity: Array) -> LifeChunk:
        """The next frames of a `PoseChunk`: `pose` [f, 6] at strength 1 and `activity` [f]."""
        pose, activity = np.asarray(pose, np.float32), np.asarray(activity)
        if pose.shape != (len(activity), 6):
            raise InputError(f"head pose has shape {pose.shape}, expected ({len(activity)}, 6)")
        self._pose = np.concatenate([self._pose, pose])
        self._pushed += len(pose)
        self._plan(self._ticks.push(activity))
        return self._emit(max(self._pushed - self.look_ahead, self._emitted))

    def finish(self) -> LifeChunk:
        """The frames that are left."""
        self._plan(self._ticks.finish(self._pushed / self._fps + self._needed))
        return self._emit(self._pushed)

    def _plan(self, ticks: list[Tick]) -> None:
        gaze, blink, breath = self._plans
        for tick in ticks:
            saccade = gaze.step(tick)
            if saccade is not None:
                self._saccades.append(saccade)
            self._blinks += blink.step(tick, saccade)
            drawn = breath.step(tick)
            if drawn is not None:
                self._breaths.append(drawn)

    def _emit(self, end: int) -> LifeChunk:
        first, count = self._emitted, end - self._emitted
        times = (first + np.arange(count)) / self._fps
        breath_pose, breath_weights = breath_motion(times, self._breaths)
        layers = {"speech": {"pose": self._pose[:count]}, "breath": {"pose": breath_pose}}
        head = mixed_pose(layers, self._controls)
        angles = comfortable(eye_angles(gaze_at(times, self._saccades, self._seed), head))
        looks = look_weights(angles)
        chunk = LifeChunk(
            start=first,
            blink=blink_weights(first, count, self._fps, self._blinks),
            gaze_weights=looks,
            gaze=eye_rotation(looks).astype(np.float32),
            breath_pose=breath_pose,
            breath_weights=breath_weights,
        )
        self._pose, self._emitted = self._pose[count:], end
        self._forget(end / self._fps)
        return chunk

    def _forget(self, time: float) -> None:
        """Drop what is over at `time`, but keep the last saccade and breath that have started."""
        self._blinks = [blink for blink in self._blinks if blink.end > time - 1.0]
        started = sum(saccade.start <= time for saccade in self._saccades)
        self._saccades = self._saccades[max(started - 1, 0) :]
        started = sum(breath.start <= time for breath in self._breaths)
        self._breaths = self._breaths[max(started - 1, 0) :]

"""python -m training.evaluate.life: blinks, gaze and breath of motion clips, or of the model itself.

All is measured on frames, as on a tracked face, and knows nothing of how the motion was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from scipy.signal import find_peaks, peak_widths
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import sided_indices
from blender_addon.protocol.clip import read_clip
from blender_addon.protocol.errors import VividTalkError
from blender_addon.protocol.tensorfile import Array
from models.life import LifeStream
from models.life.speech import LINGER, TICK

_LIDS = sided_indices("eyeBlink")
_SHUT = 0.3  # least weight of a blink, and how far it must stand out; our choice
_WHOLE = 0.95  # weight from which a blink is not partial; our choice
_AFTER_STOP = (-0.05, 0.5)  # seconds in which a blink belongs to the end of speech; our choice
_SHUFFLES = 20
_SACCADE = 40.0  # degrees per second of gaze in space, above which the eyes jump; our choice
_LEAST_FIXATION = 0.1  # seconds; our choice
_PHRASE, _PAUSE = (2.0, 0.6), (0.55, 0.6)  # median seconds, spread of their logarithm; our choice
_CHUNK = 3000  # frames


@dataclass(frozen=True)
class BlinkStatistics:
    """Blinks of a motion. NaN where there are too few.

    Attributes:
        per_minute: how many.
        interval, variation, skew: seconds from one to the next: median, deviation over mean, skewness.
        closing, opening: milliseconds between 10 and 90% of the way, medians; shorter than two frames says
            nothing.
        duration: milliseconds that lids are more than half shut, median.
        partial: share that does not close.
        after_stops, by_chance: share within half a second after speech stops, and with blinks shifted.
    """

    per_minute: float
    interval: float
    variation: float
    skew: float
    closing: float
    opening: float
    duration: float
    partial: float
    after_stops: float
    by_chance: float


@dataclass(frozen=True)
class GazeStatistics:
    """Gaze of a motion; degrees and seconds. NaN where there is nothing to measure.

    Attributes:
        saccades: per minute. amplitude: mean. small: share under 15 degrees. fixation: mean seconds.
        slip, head: degrees per second of gaze in space and of the head between saccades, medians.
        farthest: 95th percentile of the eye's turn in the head.
    """

    saccades: float
    amplitude: float
    small: float
    fixation: float
    slip: float
    head: float
    farthest: float


def blink_statistics(weights: Array, fps: float, voice: Array | None = None) -> BlinkStatistics:
    """Of ARKit `weights` [F, 52]; `voice` [F] is 1 where somebody speaks."""
    lids = np.pad(weights[:, _LIDS].mean(1).astype(np.float64), 1)
    peaks, _ = find_peaks(lids, height=_SHUT, prominence=_SHUT, plateau_size=(1, None))
    seconds = len(weights) / fps
    intervals = np.diff(peaks) / fps
    spread = intervals - intervals.mean() if len(intervals) > 2 else np.full(1, np.nan)
    sides = [peak_widths(lids, peaks, level) for level in (0.1, 0.9)] if len(peaks) else []
    closing = 1e3 / fps * (sides[0][2] - sides[1][2]) if sides else np.full(1, np.nan)
    opening = 1e3 / fps * (sides[1][3] - sides[0][3]) if sides else np.full(1, np.nan)
    half = peak_widths(lids, peaks, 0.5)[0] * 1e3 / fps if sides else np.full(1, np.nan)
    stops = np.zeros(0) if voice is None else np.flatnonzero(np.diff((voice > 0.5).astype(int)) < 0)
    shifts = np.linspace(0, seconds, _SHUFFLES + 2)[1:-1]
    times = (peaks - 1) / fps - 0.1  # about when they start
    chance = [_after((times + shift) % seconds, stops / fps) for shift in shifts]
    return BlinkStatistics(
        per_minute=60.0 * len(peaks) / seconds,
        interval=float(np.median(intervals)) if len(intervals) else float("nan"),
        variation=float(spread.std() / intervals.mean()) if len(intervals) > 2 else float("nan"),
        skew=float((spread**3).mean() / spread.std() ** 3),
        closing=float(np.median(closing)),
        opening=float(np.median(opening)),
        duration=float(np.median(half)),
        partial=float((lids[peaks] < _WHOLE).mean()) if len(peaks) else float("nan"),
        after_stops=_after(times, stops / fps),
        by_chance=float(np.mean(chance)),
    )


def _after(times: Array, stops: Array) -> float:
    if not len(times) or not len(stops):
        return float("nan")
    since = times[:, None] - stops[None, :]
    return float(((since > _AFTER_STOP[0]) & (since < _AFTER_STOP[1])).any(1).mean())


def gaze_statistics(gaze: Array, pose: Array, fps: float) -> GazeStatistics:
    """Of `gaze` [F, 4] and head `pose` [F, 6] as in a clip."""
    if len(gaze) < 3:
        return GazeStatistics(*[float("nan")] * 7)
    pitch, yaw = gaze[:, 0::2].mean(1), gaze[:, 1::2].mean(1)
    head = Rotation.from_rotvec(pose[:, :3].astype(np.float64))
    eye = Rotation.from_euler("ZX", np.stack([yaw, -pitch], axis=1).astype(np.float64))
    space = (head * eye).apply([0.0, -1.0, 0.0])
    speed = _speed(space, fps)
    edges = np.flatnonzero(np.diff(np.pad((speed > _SACCADE).astype(int), 1)))
    jumps = edges.reshape(-1, 2)
    amplitude = np.array([_apart(space[a], space[b]) for a, b in jumps])
    still = np.diff(np.concatenate([[0], edges, [len(speed)]]))[0::2] / fps
    calm = speed <= _SACCADE
    turning = np.degrees((head[1:] * head[:-1].inv()).magnitude()) * fps
    return GazeStatistics(
        saccades=60.0 * fps * len(jumps) / len(gaze),
        amplitude=float(amplitude.mean()) if len(jumps) else float("nan"),
        small=float((amplitude < 15.0).mean()) if len(jumps) else float("nan"),
        fixation=float(still[still > _LEAST_FIXATION].mean()),
        slip=float(np.median(speed[calm])),
        head=float(np.median(turning[calm])),
        farthest=float(np.percentile(np.degrees(np.hypot(pitch, yaw)), 95)),
    )


def _speed(space: Array, fps: float) -> Array:
    """Directions [F, 3] -> [F - 1] degrees per second."""
    return np.asarray(np.degrees(2.0 * np.arcsin(np.linalg.norm(np.diff(space, axis=0), axis=1) / 2.0)) * fps)


def _apart(one: Array, other: Array) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1.0, 1.0))))


def breaths_per_minute(pose: Array, fps: float) -> float:
    """Of the breath layer's `pose` [F, 6]: how often it lifts the head."""
    peaks, _ = find_peaks(np.pad(pose[:, 5], 1), prominence=0.25 * float(np.ptp(pose[:, 5])) + 1e-9)
    return 60.0 * fps * len(peaks) / len(pose)


def lingering(voice: Array, fps: float) -> Array:
    """Activity [F] that outlasts a `voice` [F] as that of the pose model does."""
    hold = round(LINGER * TICK * fps)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(voice, (hold, 0)), hold + 1)
    return np.asarray(windows.max(1), np.float32)


def conversation(seconds: float, fps: float, seed: int) -> Array:
    """Voice [F], 1 where it sounds: phrases of about two seconds with pauses of about half a second."""
    random = np.random.default_rng(seed)
    count = int(seconds) + 8
    phrases, pauses = (np.exp(np.log(m) + s * random.normal(size=count)) for m, s in (_PHRASE, _PAUSE))
    edges = np.cumsum(np.stack([phrases, np.clip(pauses, 0.08, 4.0)], axis=1).ravel())
    times = np.arange(int(seconds * fps)) / fps
    return np.asarray(np.searchsorted(edges, times, side="right") % 2 == 0, np.float32)


def figures(blinks: BlinkStatistics, gaze: GazeStatistics, breaths: float) -> list[str]:
    """Lines of text."""
    edges = f"          begun where speech stops {blinks.after_stops:.0%}, by chance {blinks.by_chance:.0%}"
    return [
        f"blinks    {blinks.per_minute:.1f} a minute, {blinks.partial:.0%} partial; median interval"
        f" {blinks.interval:.2f} s, deviation/mean {blinks.variation:.2f}, skew {blinks.skew:.1f}",
        f"          10-90%: closing {blinks.closing:.0f} ms, opening {blinks.opening:.0f} ms; more than half"
        f" shut {blinks.duration:.0f} ms",
        *([] if np.isnan(blinks.after_stops) else [edges]),
        f"gaze      {gaze.saccades:.1f} saccades a minute of {gaze.amplitude:.1f} degrees, {gaze.small:.0%}"
        f" under 15; fixations of {gaze.fixation:.2f} s; 95% within {gaze.farthest:.1f} degrees in the head",
        f"          between saccades the head turns by {gaze.head:.1f} degrees/s, gaze by {gaze.slip:.1f}",
        f"breath    {breaths:.1f} a minute",
    ]


def of_clip(path: Path) -> list[str]:
    """Figures of the motion clip at `path`. Raises `VividTalkError`."""
    clip = read_clip(path)
    breath = clip.layers.get("breath", {}).get("pose")
    return figures(
        blink_statistics(clip.weights, clip.info.fps),
        gaze_statistics(
            clip.gaze, clip.pose if len(clip.pose) else np.zeros((clip.frames, 6)), clip.info.fps
        ),
        float("nan") if breath is None else breaths_per_minute(breath, clip.info.fps),
    )


def of_model(voice: Array, fps: float, seed: int) -> list[str]:
    """Figures of what the model makes of `voice` [F] with a head that sways by some degrees."""
    times, activity = np.arange(len(voice)) / fps, lingering(voice, fps)
    pose = np.zeros((len(voice), 6), np.float32)
    pose[:, :3] = np.stack(
        [0.05 * np.sin(2.1 * times), 0.02 * np.sin(1.7 * times), 0.07 * np.sin(1.3 * times)], 1
    )
    stream = LifeStream(fps, seed)
    parts = [(pose[a : a + _CHUNK], activity[a : a + _CHUNK]) for a in range(0, len(pose), _CHUNK)]
    chunks = [stream.push(*part) for part in parts]
    chunks.append(stream.finish())
    blink, gaze, breath = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("blink", "gaze", "breath_pose")
    )
    return figures(
        blink_statistics(blink, fps, voice),
        gaze_statistics(gaze, pose + breath, fps),
        breaths_per_minute(breath, fps),
    )


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path))
@click.option("--minutes", default=10.0, show_default=True, help="Without clips: how long the model runs.")
@click.option("--fps", default=100.0, show_default=True, help="Without clips: frames per second.")
@click.option("--seed", default=0, show_default=True)
def main(clips: tuple[Path, ...], minutes: float, fps: float, seed: int) -> None:
    """Print blinks, gaze and breath of motion CLIPS, or of the model in speech, talk and silence."""
    frames = int(60.0 * minutes * fps)
    sounds = {
        "unbroken speech": np.ones(frames, np.float32),
        "talk with pauses": conversation(60.0 * minutes, fps, seed),
        "silence": np.zeros(frames, np.float32),
    }
    try:
        lines = {str(path): of_clip(path) for path in clips} or {
            name: of_model(voice, fps, seed) for name, voice in sounds.items()
        }
    except VividTalkError as error:
        raise click.ClickException(str(error)) from error
    for name, rows in lines.items():
        click.echo("\n".join([name, *rows]))


if __name__ == "__main__":
    main()

"""`vividtalk evaluate video`: does a picture do what was commanded, and is it still one of that person?

Every figure that a tracker gives is printed beside the same tracker's on exact renders of a drawn head: its
floor. The tracker also made the fit, so it is no independent judge of identity; flow, gap and true
pictures are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array
from models.portrait.fit import PortraitFit
from models.portrait.fitting import person_model
from models.portrait.mediapipe_landmarks import bundled_landmarks
from models.portrait.sequence import FrameFits, fit_frames
from models.portrait.skin import skin_light
from models.portrait.studio import studio_portrait
from models.portrait.track import FaceTrack, relative_pose
from models.video.motion import FrameMotion
from models.video.relip import picture_fit
from models.video.renderer import PortraitRenderer

from . import video_measures as measure
from .video_measures import Commanded

_JAW = ARKIT_INDEX["jawOpen"]
_TURN, _OPEN = 12.0, 0.5  # degrees of yaw and weight of jawOpen at which sharpness and identity are measured
NOT_MEASURED = ("fid", "csim", "lpips", "syncnet")  # need networks that we do not ship
UNSEEN = np.full((478, 3), np.nan)

Drive = Callable[[PortraitFit], list[FrameMotion]]
"""The motion to judge, for a portrait."""


@dataclass(frozen=True)
class VideoRow:
    """Figures of one way to make frames; None where there is nothing to compare with.

    Attributes:
        psnr, ssim: against true pictures.
        turn: degrees by which the re-tracked head is off, relative to the first frame.
        jaw: how far the re-tracked jawOpen is off; landmarks: mean miss in inter-ocular distances.
        flow: pixels between optical and commanded flow, per frame.
        closed: share of the closed mouths that are seen closed; closures: how many frames those are.
        flicker: mean second difference in time, of 255.
        sharpness, identity: of the mouth, and of landmark ratios, turned and with an open mouth.
    """

    name: str
    frames: int
    psnr: float | None = None
    ssim: float | None = None
    turn: float | None = None
    jaw: float | None = None
    landmarks: float | None = None
    flow: float | None = None
    closed: float | None = None
    closures: int | None = None
    flicker: float | None = None
    sharpness: float | None = None
    identity: float | None = None


COLUMNS = (
    *(("psnr", "PSNR dB", 2), ("ssim", "SSIM", 4), ("turn", "turn deg", 2), ("jaw", "jawOpen", 3)),
    *(("landmarks", "landm.", 3), ("flow", "flow px", 3), ("closed", "closed", 3), ("closures", "of", 0)),
    *(("flicker", "flicker", 3), ("sharpness", "sharp", 2), ("identity", "ident.", 3)),
)


def judge_drawn(drive: Drive, side: int = 512) -> list[VideoRow]:
    """A drawn head, of which every frame's truth is known: exact renders, ours, and the picture repeated."""
    drawn = studio_portrait(side)
    motions = [_rest(drawn.fit), *drive(drawn.fit)]
    true = [drawn.true_frame(m.weights, m.pose if len(m.pose) else None, m.lip) for m in motions]
    renderer = PortraitRenderer(drawn.picture, drawn.fit, 512)
    ours = [renderer.frame(motion) for motion in motions]
    posed = _posed(drawn.fit)
    exact = drawn.true_frame(posed.weights, posed.pose)
    sharp = measure.mouth_sharpness(exact, Commanded(drawn.fit)(posed))
    floor = _row("exact renders", true, drawn.fit, motions, (exact, sharp))
    warp = _row("warp", ours, drawn.fit, motions, (renderer.frame(posed), sharp))
    still = VideoRow("picture repeated", len(true))
    return [floor, _against(warp, ours, true), _against(still, [drawn.picture] * len(true), true)]


def judge_portrait(name: str, picture: Array, fit: PortraitFit, drive: Drive) -> VideoRow:
    """A real picture: no truth, but what was commanded. Sharpness is in parts of the picture's own."""
    renderer = PortraitRenderer(picture, fit, 512)
    motions = [_rest(fit), *drive(fit)]
    posed = _posed(fit)
    sharp = measure.mouth_sharpness(picture, Commanded(fit)(_rest(fit)))
    frames = [renderer.frame(motion) for motion in motions]
    return _row(name, frames, fit, motions, (renderer.frame(posed), sharp))


def judge_video(name: str, pictures: Sequence[Array], track: FaceTrack) -> list[VideoRow]:
    """A video of a person: as filmed, its first picture driven by its own motion, and repeated."""
    first = track.camera_at(0)
    light = skin_light(pictures[0], track.face, track.weights[0], first)
    renderer = PortraitRenderer(pictures[0], picture_fit(track, 0, track.landmarks[0], light), 512)
    ours = [renderer.frame(_own_motion(track, frame)) for frame in range(len(pictures))]
    rows = [VideoRow(f"{name}: as filmed", len(pictures), flicker=measure.flicker(pictures))]
    for row, frames in ((f"{name}: warp", ours), (f"{name}: repeated", [pictures[0]] * len(pictures))):
        found = _landmarks(frames)
        eyes = np.linalg.norm(track.landmarks[:, 33, :2] - track.landmarks[:, 263, :2], axis=1)
        miss = np.linalg.norm(found[:, :, :2] - track.landmarks[: len(frames), :, :2], axis=2).mean(1)
        flicker = measure.flicker(frames)
        made = VideoRow(
            row, len(frames), landmarks=float(np.nanmean(miss / eyes[: len(frames)])), flicker=flicker
        )
        rows.append(_against(made, frames, pictures))
    return rows


def video_table(rows: Sequence[VideoRow]) -> str:
    """Rows and columns of plain text."""
    lines = [f"{'':28}{'frames':>7}" + "".join(f"{head:>9}" for _, head, _ in COLUMNS)]
    for row in rows:
        cells = [_cell(getattr(row, field), digits) for field, _, digits in COLUMNS]
        lines.append(f"{row.name[:27]:28}{row.frames:7}" + "".join(f"{cell:>9}" for cell in cells))
    lines.append(f"not measured, for want of their networks: {', '.join(NOT_MEASURED)}")
    return "\n".join(lines)


def video_json(rows: Sequence[VideoRow]) -> dict[str, object]:
    """Everything that the table has."""
    figures = [{k: v if v is None or v == v else None for k, v in vars(row).items()} for row in rows]
    return {"rows": figures, **dict.fromkeys(NOT_MEASURED)}


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None or value != value else f"{value:.{digits}f}"


def _against(row: VideoRow, frames: Sequence[Array], true: Sequence[Array]) -> VideoRow:
    shown, truth = frames[1:], true[1:]  # the first is the given picture
    likeness = [measure.ssim(*pair) for pair in zip(shown, truth, strict=True)]
    return replace(row, psnr=measure.psnr(shown, truth), ssim=float(np.mean(likeness)))


def _row(
    name: str, frames: list[Array], fit: PortraitFit, motions: list[FrameMotion], posed: tuple[Array, float]
) -> VideoRow:
    """All figures that need no truth. `posed`: a turned frame with an open mouth, and a sharpness of 1."""
    commanded = Commanded(fit)
    driven = [commanded(motion) for motion in motions]
    found = _landmarks([*frames, posed[0]])
    fits = fit_frames(person_model(fit.face), fit.camera, found[:-1], ())
    closed, closures = measure.closures_seen(frames, driven)
    turned = commanded(_posed(fit))
    return VideoRow(
        name=name,
        frames=len(frames),
        turn=_turn_error(fits, [commanded.rotation(motion) for motion in motions]),
        jaw=_jaw_error(fits, motions),
        flow=measure.flow_error(frames, driven, commanded.skin),
        closed=closed,
        closures=closures,
        flicker=measure.flicker(frames),
        sharpness=measure.mouth_sharpness(posed[0], turned) / max(posed[1], 1e-9),
        identity=measure.identity_miss(found[-1], turned),
    )


def _turn_error(fits: FrameFits, commanded: Sequence[Array]) -> float:
    """Degrees, mean over frames, both relative to their first frame."""
    off = [
        (found @ fits.rotation[0].T).T @ (asked @ commanded[0].T)
        for found, asked in zip(fits.rotation[1:], commanded[1:], strict=True)
        if np.isfinite(found).all()
    ]
    return float(np.degrees(Rotation.from_matrix(np.stack(off)).magnitude()).mean())


def _jaw_error(fits: FrameFits, motions: Sequence[FrameMotion]) -> float:
    asked = np.array([motion.weights[_JAW] for motion in motions])
    found = fits.weights[:, _JAW]
    return float(np.nanmean(np.abs((found - found[0]) - (asked - asked[0]))[1:]))


def _landmarks(frames: Sequence[Array]) -> Array:
    """[F, 478, 3] as the bundled detector follows them, NaN where it finds no face."""
    source = bundled_landmarks()
    faces = [source.follow(frame) for frame in frames]
    return np.stack([UNSEEN if face is None else face.landmarks for face in faces])


def _rest(fit: PortraitFit) -> FrameMotion:
    return FrameMotion(fit.weights.astype(np.float32), np.zeros(0), np.zeros(6), np.zeros(0))


def _posed(fit: PortraitFit) -> FrameMotion:
    weights = fit.weights.astype(np.float32).copy()
    weights[_JAW] = max(float(weights[_JAW]), _OPEN)
    pose = np.array([0, 0, np.radians(_TURN), 0, 0, 0])
    return FrameMotion(weights, np.zeros(0), pose, np.zeros(0))


def _own_motion(track: FaceTrack, frame: int) -> FrameMotion:
    pose = relative_pose(track.camera_at(0), track.face.pivot, track.camera_at(frame))
    return FrameMotion(track.weights[frame], track.lip[frame], pose, track.gaze[frame])

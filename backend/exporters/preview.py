"""The shaded head with sound as .mp4, rendered by our own CPU rasteriser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from backend.media.audio import AudioSpan, decode_audio
from backend.media.video import Sound, write_video
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render import PreviewRenderer

SIZE = (640, 640)


def export_preview(
    clip: MotionClip,
    face: FaceFile,
    audio: Path | None,
    out: Path,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Render `clip` on `face` to `out`; silent when `audio` is None.

    Raises:
        OutputError: the file cannot be written.
        InputError, MediaError: the sound cannot be read.
    """
    info = clip.info
    span = AudioSpan(info.audio_offset, clip.duration * info.audio_speed, info.audio_speed)
    sound = Sound(decode_audio(audio, span)) if audio is not None else None
    write_video(out, _images(clip, face), info.fps, sound, on_frame)


def _images(clip: MotionClip, face: FaceFile) -> Iterator[Array]:
    renderer = PreviewRenderer(face, SIZE)
    has_basis = clip.lip.shape[1] > 0 and clip.lip.shape[1] == len(face.lip_basis)
    for index in range(clip.frames):
        yield renderer.frame(
            clip.weights[index],
            pose=clip.pose[index] if len(clip.pose) else None,
            lip=clip.lip[index] if has_basis else None,
        )

"""A take's frames, rendered where they are new, and the movie of all of them.

The movie is put together from pieces of about a second, which are kept beside the frames: an edit renders the
changed frames and encodes the pieces that hold them; the rest of the movie is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from backend.media.video import CRF, PRESET, Sound, exact_rate, join_videos, write_video
from blender_addon.protocol.render import FrameNotice, frame_file
from blender_addon.protocol.tensorfile import Array
from models.video.motion import FrameMotion

from .cache import FrameCache
from .keys import combined, frame_key, rounded
from .scene import Drawn, Planned, Scene, draw_frames

OnFrame = Callable[[FrameNotice], None]
"""Called after each frame, in order; it may raise to stop."""

_PIECE_SECONDS = 1.0  # also the distance of key frames, so that scrubbing is quick; our choice


@dataclass(frozen=True)
class Take:
    """Frames to be rendered.

    Attributes:
        scene: whose.
        motions: the frames' motion, on the keys' grid.
        keys: the frames' names.
        numbers: what the caller calls the frames.
        fps: frames per second.
    """

    scene: Scene
    motions: Sequence[FrameMotion]
    keys: Sequence[str]
    numbers: Sequence[int]
    fps: float

    def planned(self, places: Iterable[int]) -> list[Planned]:
        """Some of the frames, by their places in the take."""
        return [Planned(place, self.motions[place], self.keys[place]) for place in places]


def make_take(
    scene: Scene, motions: Iterable[FrameMotion], fps: float, numbers: Sequence[int] | None = None
) -> Take:
    """The take of `motions`, which it rounds; frames are numbered from 0 unless `numbers` says otherwise."""
    on_grid = [rounded(motion) for motion in motions]
    keys = [frame_key(scene.key, motion) for motion in on_grid]
    return Take(scene, on_grid, keys, range(len(keys)) if numbers is None else numbers, fps)


def render_frames(take: Take, cache: FrameCache, on_frame: OnFrame) -> int:
    """Render into the cache what is not there; how many frames that were.

    Raises:
        OutputError: a frame cannot be kept; those before it are.
    """
    with closing(draw_frames(take.scene, take.planned(range(len(take.keys))), cache)) as drawn:
        return sum(_tell(take, each, on_frame).rendered for each in drawn)


def render_movie(take: Take, cache: FrameCache, out: Path, sound: Sound | None, on_frame: OnFrame) -> int:
    """Write the take as an .mp4; how many frames had to be rendered.

    Raises:
        OutputError: a frame or the movie cannot be written; what was rendered is kept.
    """
    pieces = _pieces(take)
    files = [cache.piece(_piece_key(take, piece)) for piece in pieces]
    kept = [cache.use(file) for file in files]
    missing = [place for piece, there in zip(pieces, kept, strict=True) if not there for place in piece]
    rendered = 0
    with closing(draw_frames(take.scene, take.planned(missing), cache)) as drawn:
        for piece, file, there in zip(pieces, files, kept, strict=True):
            if there:
                _tell_kept(take, piece, cache, on_frame)
                continue
            rendered += _encode(take, file, islice(drawn, len(piece)), on_frame)
    join_videos(out, files, take.fps, sound)
    return rendered


def stream_movie(take: Take, out: Path, sound: Sound | None, on_frame: OnFrame) -> None:
    """Write the take as an .mp4 without keeping frames.

    Raises:
        OutputError: the movie cannot be written.
    """
    with closing(draw_frames(take.scene, take.planned(range(len(take.keys))), None)) as drawn:
        images = (take.scene.source.pasted(_tell(take, each, on_frame).crop) for each in drawn)
        write_video(out, images, take.fps, sound)


def _encode(take: Take, file: Path, drawn: Iterator[Drawn], on_frame: OnFrame) -> int:
    """Write a piece of the movie; how many of its frames had to be rendered."""
    rendered = 0

    def images() -> Iterator[Array]:
        nonlocal rendered
        for each in drawn:
            rendered += _tell(take, each, on_frame).rendered
            yield take.scene.source.pasted(each.crop)

    write_video(file, images(), take.fps, None)
    return rendered


def _tell(take: Take, drawn: Drawn, on_frame: OnFrame) -> Drawn:
    on_frame(FrameNotice(take.numbers[drawn.place], take.keys[drawn.place], drawn.rendered))
    return drawn


def _tell_kept(take: Take, piece: range, cache: FrameCache, on_frame: OnFrame) -> None:
    """Frames of a piece that is there count as used, so that a later edit finds its neighbours."""
    for place in piece:
        cache.use(frame_file(cache.folder, take.keys[place]))
        on_frame(FrameNotice(take.numbers[place], take.keys[place], False))


def _pieces(take: Take) -> list[range]:
    """Places of the frames of each piece."""
    length = max(1, round(_PIECE_SECONDS * take.fps))
    return [range(at, min(at + length, len(take.keys))) for at in range(0, len(take.keys), length)]


def _piece_key(take: Take, piece: range) -> str:
    """The name of a piece: its frames, its rate, how it is encoded."""
    form = f"{exact_rate(take.fps)} {CRF} {PRESET}"
    return combined([form.encode(), *(take.keys[place].encode() for place in piece)])

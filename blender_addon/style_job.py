"""The manner of speaking of a motion that is there, estimated by the backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy

from .controls import write_style
from .job import Desk, Job, Notice
from .link import Chunk
from .protocol.controls import MotionStyle, controls_from_json
from .protocol.errors import CancelledError, ProtocolError


@dataclass(kw_only=True)
class StyleJob(Job):
    """Sets the style sliders of a scene."""

    source: str
    scene_uid: int
    style: MotionStyle | None = None

    @property
    def title(self) -> str:
        """What is being looked at."""
        return self.source

    def take_in(self, chunk: Chunk) -> None:
        """There is no motion in the answer."""
        raise ProtocolError(f"motion from frame {chunk.start} came for a style")

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the style."""
        self.style = controls_from_json({"style": result.get("style")}).style

    def step(self, desk: Desk, deadline: float) -> bool:
        """Set the sliders."""
        if not self.ended:
            return False
        scene = next((found for found in bpy.data.scenes if found.session_uid == self.scene_uid), None)
        if self.style is not None and scene is not None:
            write_style(scene.vividtalk.controls.style, self.style)
        match self.error:
            case None:
                self.notice = Notice("INFO", f"the manner of speaking is that of {self.source}")
            case CancelledError():
                self.notice = Notice("INFO", "cancelled")
            case error:
                self.notice = Notice("ERROR", str(error))
        return True

    def rescue(self, desk: Desk) -> str:
        """Nothing is lost."""
        return ""

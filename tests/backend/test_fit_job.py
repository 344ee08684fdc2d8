"""The job `fit`: a face file beside its notes, with the fit itself replaced by a known head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import fit_job
from backend.portraits import Portrait
from blender_addon.protocol.errors import CancelledError, InputError, OutputError
from blender_addon.protocol.face import read_face
from models.face import load_head


class Client:
    """A `JobContext` that may have been cancelled."""

    def __init__(self, cancelled: bool = False) -> None:
        self.cancelled = cancelled

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise CancelledError("cancelled")

    def progress(self, phase: str, fraction: float) -> None:
        assert phase
        assert 0 <= fraction <= 1


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int | None]]:
    seen: list[tuple[Path, int | None]] = []

    def fit_picture(path: Path, choose: int | None) -> Portrait:
        seen.append((path, choose))
        return Portrait(load_head(), None, ("two faces",))  # type: ignore[arg-type]

    monkeypatch.setattr(fit_job, "fit_picture", fit_picture)
    return seen


def test_it_writes_the_head(asked: list[Any], tmp_path: Path) -> None:
    out = tmp_path / "anna.safetensors"
    params = {"portrait_path": "/anna.png", "output_path": str(out), "choose": 2}
    assert fit_job.fit(params, {}, Client()) == {"path": str(out), "notes": ["two faces"]}  # type: ignore[arg-type]
    assert asked == [(Path("/anna.png"), 2)]
    assert np.allclose(read_face(out).vertices, load_head().vertices)
    fit_job.fit({**params, "choose": 0}, {}, Client())  # type: ignore[arg-type]
    assert asked[1][1] is None


def test_what_is_wrong_is_one_line(asked: list[Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no portrait or no output"):
        fit_job.fit({"portrait_path": "/anna.png"}, {}, Client())  # type: ignore[arg-type]
    params = {"portrait_path": "/anna.png", "output_path": str(tmp_path / "missing" / "a.safetensors")}
    with pytest.raises(OutputError):
        fit_job.fit(params, {}, Client())  # type: ignore[arg-type]
    assert not asked, "it was fitted for nothing"
    out = tmp_path / "a.safetensors"
    with pytest.raises(CancelledError):
        fit_job.fit({**params, "output_path": str(out)}, {}, Client(cancelled=True))  # type: ignore[arg-type]
    assert not out.exists()

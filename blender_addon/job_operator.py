"""What operators that start a job share."""
# Blender declares properties as annotations that are calls, and bpy has no types:
# mypy: disable-error-code="valid-type"

from __future__ import annotations

from typing import Any

from bpy.props import FloatProperty

from . import runtime
from .protocol.errors import VividTalkError


def no_job_runs(operator: Any) -> bool:
    """For the poll of an operator that must wait for the running job; it says so."""
    if runtime.session().job is not None:
        operator.poll_message_set("A job is running: wait for it or cancel it")
        return False
    return True


class JobOperator:
    """Pressed, it leaves the job to a timer; called from a script, it runs the job to its end.

    Such operators have no REGISTER: adjusting the last operation must not run a job again.
    """

    report: Any
    time_limit: FloatProperty(
        name="Time limit",
        description="Without a user interface: cancel after this many seconds",
        default=3600.0,
        min=0.1,
        options={"SKIP_SAVE"},
    )

    def start(self, context: Any) -> None:
        """Start the job. Raises `VividTalkError`."""
        raise NotImplementedError

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Start the job; a timer goes on with it."""
        if not self._begin(context):
            return {"CANCELLED"}
        runtime.start_timer()
        return {"FINISHED"}

    def execute(self, context: Any) -> set[str]:
        """Run the job to its end."""
        if not self._begin(context):
            return {"CANCELLED"}
        session = runtime.session()
        session.run(self.time_limit)
        if session.notice is not None:
            self.report({session.notice.level}, session.notice.text)
        return {"FINISHED"}

    def _begin(self, context: Any) -> bool:
        try:
            self.start(context)
        except VividTalkError as error:
            self.report({"ERROR"}, str(error))
            return False
        return True

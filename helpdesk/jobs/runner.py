"""The supervisor of all background jobs, which logs, reports and restarts a job that fails."""

from __future__ import annotations

import asyncio
import logging

from helpdesk.db.engine import Job
from helpdesk.errors import AppError
from helpdesk.problems import Problems

log = logging.getLogger("helpdesk.jobs")

# Before a job that failed starts again: doubled after each further failure. A breach has 5 s to be recorded.
PAUSE_S, PAUSE_MAX_S = 0.25, 4.0
CANCEL_AGAIN_S = 0.5  # a library may lose a cancellation while it cleans up
STOP_S = 5.0  # for all jobs together to end in


class Runner:
    """Runs jobs until they are stopped. A job that fails or returns is logged, reported by health and restarted."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, job: Job) -> None:
        """Start `job`. `name` identifies it in the log and in health."""
        supervised = _Supervised(name, job, self._problems)
        self._tasks.add(asyncio.create_task(supervised.run(), name=name))

    async def stop(self) -> None:
        """Cancel all jobs and wait until they have ended, at most STOP_S."""
        running, loop = self._tasks, asyncio.get_running_loop()
        stop_at = loop.time() + STOP_S
        while running and loop.time() < stop_at:
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
        for task in running:
            log.error("the job %s does not end", task.get_name())


class _Supervised:
    """One job, with how often it has failed since it last worked."""

    def __init__(self, name: str, job: Job, problems: Problems) -> None:
        self._name = name
        self._job = job
        self._problems = problems
        self._failures = 0

    async def run(self) -> None:
        """Run the job again and again until this task is cancelled."""
        while True:
            await self._run_once()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError  # the job lost it
            pause_s = min(PAUSE_MAX_S, PAUSE_S * 2 ** min(self._failures, 10))
            self._failures += 1
            await asyncio.sleep(pause_s)

    async def _run_once(self) -> None:
        """Run the job until it ends, however it ends; log why, and report it."""
        try:
            await self._job(self._worked)
        except asyncio.CancelledError:
            self._note("was cancelled by nobody who may", logging.ERROR)
        except AppError as error:
            self._note(f"waits: {error.message}", logging.WARNING)
        except Exception:  # noqa: BLE001 (whatever it is, the other jobs and the server go on)
            self._note("failed", logging.ERROR, with_traceback=True)
        else:
            self._note("ended, which no job may", logging.ERROR)

    def _note(self, what: str, level: int, *, with_traceback: bool = False) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return  # it was told to end
        log.log(
            level,
            "the job %s %s",
            self._name,
            what,
            exc_info=with_traceback,
            extra={"cause": f"the job {self._name} {what}"},
        )
        # Anybody may read this: no word of the error itself.
        self._problems.report(self._name, "This background job fails and is started again; the log says why.")

    def _worked(self) -> None:
        if self._failures:
            self._failures = 0
            self._problems.clear(self._name)

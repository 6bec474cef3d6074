"""Work that no one can bound from inside, in a process that has limits.

A parser of another's making may ask for any amount of memory, run for hours, or abort the process
that it is in. Here that process is a child, with a memory limit, which can be killed at any
moment. It is started at its first request and answers one after the other:

    with LimitedProcess("dapu.some_module:answer", memory=2 << 30) as process:
        value = process.ask("what", 1)     # what answer("what", 1) returns there

The child gets no open file of its parent's, and ends when its parent does, however that ends.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Literal

from dapu.errors import DapuError, JobError, Signal

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Cause = Literal["memory", "time", "crash"]
_KEPT = 4_000  # bytes of what a child said before its end
_KILLED_FIRST = "1000"  # by a kernel whose memory is used up; see proc(5), oom_score_adj


class ProcessDied(Signal):
    """The child did not answer. why: in a line, for a person."""

    def __init__(self, cause: Cause, why: str) -> None:
        super().__init__(why)
        self.cause = cause


class LimitedProcess:
    """A child process that answers requests, one at a time, of any thread.

    answers: `module:function`, which gets the arguments of a request and returns what can be
    pickled. memory: in bytes of address space. seconds: how long an answer may take; None leaves
    that to whoever calls `stop`.
    """

    def __init__(self, answers: str, memory: int, seconds: float | None = None) -> None:
        self._answers, self._memory, self._seconds = answers, memory, seconds
        self._asking = threading.Lock()  # held until the answer is there
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._stopped = False

    def __enter__(self) -> LimitedProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, *request: Any, seconds: float | None = None) -> Any:
        """The answer. seconds: how long it may take, where that is not the same for all.

        Raises what the function raised there if that is a DapuError; ProcessDied when it ran into
        a limit or crashed; JobError when it was stopped.
        """
        with self._asking:
            return self._ask(request, seconds or self._seconds)

    def _ask(self, request: tuple[Any, ...], seconds: float | None) -> Any:
        pipe = self._started()
        try:
            pipe.send(request)
            if not pipe.poll(seconds):
                raise ProcessDied("time", f"it took longer than {seconds:g} seconds")
            kind, value = pipe.recv()
        except (EOFError, OSError):
            raise self._death() from None
        except (
            BaseException
        ):  # its answer, were it still to come, would be taken for the next one's
            self.close()
            raise
        if kind == "error":
            raise value
        if kind == "memory":
            self.close()
            raise ProcessDied("memory", self._needed())
        return value

    def stop(self) -> None:
        """Ends the child at once, and for good; may be called from another thread."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Ends the child; another request would start one anew."""
        with self._lock:
            process, pipe = self._process, self._pipe
            self._process = self._pipe = None
        if process is not None and pipe is not None:
            process.kill()
            process.communicate()
            pipe.close()

    def _started(self) -> Connection:
        with self._lock:
            if self._stopped:
                raise JobError("the work was stopped")
            if self._pipe is None:
                self._start()
            assert self._pipe is not None  # _start sets it
            return self._pipe

    def _start(self) -> None:
        from multiprocessing import Pipe

        self._pipe, theirs = Pipe()
        self._said = TemporaryFile()  # noqa: SIM115 - read when the child has died
        call = (sys.executable, "-P", "-m", __name__)
        with theirs:
            self._process = subprocess.Popen(
                (*call, self._answers, str(theirs.fileno()), str(self._memory)),
                stdin=subprocess.PIPE,  # its end shows the child that its parent has ended
                stdout=self._said,
                stderr=self._said,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def _death(self) -> Exception:
        process = self._process
        code = process.wait() if process is not None else 0
        self._said.seek(0)
        said = self._said.read(_KEPT).decode(errors="replace")
        self.close()
        if self._stopped:
            return JobError("the work was stopped")
        # Rust's last words, and what a kernel does whose memory is used up.
        if "memory allocation" in said or "MemoryError" in said or code == -signal.SIGKILL:
            return ProcessDied("memory", self._needed())
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        said = said.strip().rpartition("\n")[2]
        return ProcessDied("crash", f"its process crashed ({how}{': ' + said if said else ''})")

    def _needed(self) -> str:
        return f"it needs more than {self._memory / (1 << 30):.2g} GiB of memory"


def memory_of_machine() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def most_memory(bytes_: int) -> int:
    """So many bytes, or half of what this machine has when that is less."""
    return min(bytes_, memory_of_machine() // 2)


def _main(answers: str, pipe: str, memory: str) -> None:
    """The child."""
    _limit(int(memory))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from multiprocessing.connection import Connection

    module, _, function = answers.partition(":")
    answer = getattr(import_module(module), function)
    with Connection(int(pipe)) as parent, suppress(EOFError, OSError):
        while True:
            parent.send(_answer(answer, parent.recv()))


def _answer(answer: Callable[..., Any], request: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "value", answer(*request)
    except DapuError as error:
        return "error", error
    except MemoryError:
        return "memory", None


def _limit(memory: int) -> None:
    given, _ = resource.getrlimit(resource.RLIMIT_AS)
    if given == resource.RLIM_INFINITY or memory < given:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all of a group; the parent decides
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write(_KILLED_FIRST)


def _end_with_parent() -> None:
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1):
            pass
    os._exit(1)


if __name__ == "__main__":
    _main(*sys.argv[1:])

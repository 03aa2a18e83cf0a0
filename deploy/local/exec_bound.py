"""Becomes another program that the kernel kills when the parent dies, however the parent dies.

Run as a file: `python -IS exec_bound.py PARENT_PID PROGRAM ARGUMENT...`. A launcher instead of
subprocess's `preexec_fn`, because code between fork and exec may deadlock when threads run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind this process to its parent, then replace it by the program."""
    parent_pid = int(sys.argv[1])
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != parent_pid:  # it died before the line above took effect
            sys.exit("the parent is gone")
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - an argument list, no shell
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be run: {error}")


if __name__ == "__main__":
    main()

"""Stops one thread of a process for good, by ptrace(2): a SIGSTOP would stop all of them."""
import ctypes
import os
import sys

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


thread = int(sys.argv[1])
ptrace(PTRACE_SEIZE, thread)
ptrace(PTRACE_INTERRUPT, thread)
stopped = False
while True:
    _, status = os.waitpid(thread, WALL)
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        break
    if not stopped:
        stopped = True
        print("stopped", flush=True)

"""Memory of processes, read from the operating system."""

from __future__ import annotations

from pathlib import Path

import psutil


def peak_rss_bytes() -> int:
    """The most resident memory that this process has had (VmHWM on Linux), and what its living children had: pages that
    several share are counted in each."""
    return (_peak("self") or _usage()) + sum(peak_of(child.pid) for child in psutil.Process().children(recursive=True))


def peak_of(pid: int) -> int:
    """The most resident memory that the process has had; what it has now where the system does not tell (not Linux); 0
    where there is none."""
    try:
        return _peak(str(pid)) or int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _peak(process: str) -> int:
    """VmHWM in bytes, 0 where there is no /proc."""
    try:
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _usage() -> int:
    import resource  # macOS counts ru_maxrss in bytes

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reset_peak() -> None:
    """Start the peak anew, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def anonymous_bytes(pid: int) -> int:
    """Anonymous memory of a process and its children: what cannot be given back by dropping file pages."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        try:
            info = member.memory_info()
            total += info.rss - getattr(info, "shared", 0)
        except psutil.Error:
            continue
    return total

"""What a number was measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

from bench.measure.threads import available

LIBRARIES = ("bench", "faiss-cpu", "hnswlib", "numba", "numpy", "pyarrow", "scipy", "torch")


def describe() -> dict[str, Any]:
    """Name, CPU, cores, memory, GPU, system and library versions of this machine."""
    return {
        "host": platform.node(),
        "cpu": cpu_model(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        "threads": available(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": gpus(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": versions(),
    }


def versions() -> dict[str, str]:
    """Installed version of each library that can change a figure."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cpu_model() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    import cpuinfo  # takes a second, and knows the systems that have no /proc

    return str(cpuinfo.get_cpu_info().get("brand_raw", platform.processor()))


def gpus() -> list[str]:
    """Names of the NVIDIA GPUs, as nvidia-smi tells them."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        listing = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return listing.stdout.strip().splitlines()


def git_state(folder: Path) -> dict[str, Any]:
    """Commit and dirty flag of the checkout that tracks `folder`; empty where there is none."""
    command = shutil.which("git")
    if command is None:
        return {}

    def ask(*words: str) -> str:
        done = subprocess.run(
            [command, "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", ".")  # an installation inside of another project's checkout is not its part
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return {}

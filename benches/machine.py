"""The machine a comparison runs on: what it is, and who else is using it."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

BUSY = 0.1
"""Share of the processors' time that others may take before the result is called into question."""


def output(command: Sequence[str | Path]) -> str:
    """What a command prints, or `unknown`."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def processor() -> str:
    """Its name."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or "unknown processor"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def installed_memory() -> str:
    """In GiB."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (OSError, ValueError):
        return "unknown memory"


def burn_version() -> str:
    """As locked."""
    found = re.search(r'name = "burn"\nversion = "(.+)"', (ROOT / "Cargo.lock").read_text())
    return found.group(1) if found else "unknown"


def commit() -> str:
    """Of the repository, with a mark if files differ from it."""
    changed = output(["git", "status", "--porcelain", "--untracked-files=no"])
    return output(["git", "rev-parse", "--short", "HEAD"]) + (" with changes" if changed else "")


def processor_seconds() -> float | None:
    """Seconds that all processors were busy since the machine was started, with whatever."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _, _, interrupt, soft_interrupt, stolen = map(int, words[1:9])
    ticks = user + nice + system + interrupt + soft_interrupt + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


class Neighbours:
    """How much of the processors' time others took while we measured."""

    def __init__(self) -> None:
        self.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        self.clock, self.busy, self.children = self.now()

    @staticmethod
    def now() -> tuple[float, float | None, float]:
        """Wall clock, all processes, our processes."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return os.times().elapsed, processor_seconds(), used.ru_utime + used.ru_stime

    def report(self) -> str:
        """A sentence, and a warning where the result is not to be trusted."""
        clock, busy, children = self.now()
        text = f"load      {self.load:.2f} before the first round"
        share = 0.0
        if busy is not None and self.busy is not None:
            others = busy - self.busy - (children - self.children)
            share = max(0.0, others / ((clock - self.clock) * (os.cpu_count() or 1)))
            text += f"; meanwhile others took {100 * share:.0f} % of the processors"
        if share > BUSY or (busy is None and self.load > BUSY * cores()):
            text += "\nWARNING   the machine was busy: these numbers are not to be relied on"
        return text

"""What a comparison found: reports, round by round, as ratios and as tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

LAYOUTS: dict[str, list[str]] = {"NCHW": [], "channels-last": ["--channels-last"]}
ONE_LAYOUT = ("NCHW",)
"""Sound: PyTorch has no other layout for maps of one row."""

Report = dict[str, Any]


class ComparisonError(Exception):
    """Something the user has to know and do."""


@dataclass(frozen=True)
class Case:
    """One row of the table: a workload with its size."""

    name: str
    workload: str
    size: tuple[str, ...] = ()
    in_pytorch: bool = True
    threads: int | None = None
    layouts: tuple[str, ...] = tuple(LAYOUTS)


FULL = ("--width", "1", "--batch", "8")
FILM = ("--width", "1", "--batch", "1", "--crop", "128", "--frames", "54", "--colours", "3")
FILM_NARROW = ("--width", "0.125", "--batch", "8", "--crop", "67", "--frames", "54", "--colours", "3")
QUARTER = ("--width", "0.25", "--batch", "32")
EIGHTH = ("--width", "0.125", "--batch", "8")
CASES = [
    # The first three are compared with each other: nothing of PyTorch's lies between them.
    Case("step_1_thread", "step", FULL, in_pytorch=False, threads=1),
    Case("time_local", "time-local", FULL, in_pytorch=False),
    Case("step", "step", FULL),
    Case("step_quarter_width", "step", QUARTER),
    Case("convolutions", "convolutions", FULL),
    Case("inference", "inference", FULL),
    Case("sound_step", "sound-step", FULL, layouts=ONE_LAYOUT),
    Case("sound_step_eighth_width", "sound-step", EIGHTH, layouts=ONE_LAYOUT),
    Case("gru", "gru-step", FULL, layouts=ONE_LAYOUT),
    Case("film_step", "film-step", FILM),
    Case("film_step_narrow", "film-step", FILM_NARROW),
    Case("loader", "loader", FULL, in_pytorch=False),
    Case("roofline", "roofline", in_pytorch=False),
]


@dataclass
class Runs:
    """Reports of one case, one for every round."""

    ours: list[Report] = field(default_factory=list)
    pytorch: dict[str, list[Report]] = field(default_factory=lambda: {name: [] for name in LAYOUTS})

    def better_layout(self) -> str:
        """The layout with the smaller median."""
        measured = [name for name, reports in self.pytorch.items() if reports]
        return min(measured, key=lambda name: median(seconds(self.pytorch[name])))

    def ratios(self) -> list[float]:
        """PyTorch's seconds in its better layout ÷ ours, round by round."""
        return divided(seconds(self.pytorch[self.better_layout()]), seconds(self.ours))

    def memory(self) -> list[float]:
        """PyTorch's peak in its lighter layout ÷ ours, round by round."""
        measured = [reports for reports in self.pytorch.values() if reports]
        lighter = min(measured, key=lambda reports: median(peaks(reports)))
        return divided(peaks(lighter), peaks(self.ours))


def median(values: Iterable[float]) -> float:
    """The value in the middle."""
    return statistics.median(values)


def divided(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """One ratio for every round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def seconds(reports: Sequence[Report]) -> list[float]:
    """Seconds of a step."""
    return [report["seconds_per_step"] for report in reports]


def peaks(reports: Sequence[Report]) -> list[float]:
    """Peak memory in bytes; without it there is nothing to compare."""
    found = [report["peak_memory_bytes"] for report in reports]
    if None in found:
        raise ComparisonError(
            "memory: expected VmHWM in /proc/self/status, got none; run this on Linux"
        )
    return found


def ratios(results: dict[str, Runs]) -> dict[str, list[float]]:
    """What the comparison is about, round by round; larger is better for us."""
    step, sound, film = results["step"], results["sound_step"], results["film_step"]
    return {
        "step": step.ratios(),
        "step_quarter_width": results["step_quarter_width"].ratios(),
        "convolutions": results["convolutions"].ratios(),
        "inference": results["inference"].ratios(),
        "time_local": divided(seconds(step.ours), seconds(results["time_local"].ours)),
        "memory": step.memory(),
        "sound_step": sound.ratios(),
        "sound_step_eighth_width": results["sound_step_eighth_width"].ratios(),
        "sound_memory": sound.memory(),
        "gru": divided(halves(results["gru"].pytorch["NCHW"]), halves(results["gru"].ours)),
        "gru_step": results["gru"].ratios(),
        "film_step": film.ratios(),
        "film_step_narrow": results["film_step_narrow"].ratios(),
        "film_memory": film.memory(),
    }


def halves(reports: Sequence[Report]) -> list[float]:
    """Seconds of the recurrent layer alone, forward and weight changes."""
    return [
        sum(layer["forward_seconds"] + layer["update_seconds"] for layer in report["layers"])
        for report in reports
    ]


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Words in columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(
            word.rjust(width) if column else word.ljust(width)
            for column, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def short(value: float) -> str:
    """Two decimals where they say something."""
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def spread(values: Sequence[float]) -> str:
    """Smallest and largest."""
    return f"{short(min(values))}–{short(max(values))}"


def mib(reports: Sequence[Report]) -> str:
    """Median peak memory."""
    return f"{median(peaks(reports)) / 2**20:.0f}" if reports else ""


def table(results: dict[str, Runs]) -> str:
    """Seconds, ratios and memory of every case that PyTorch has too."""
    head = ["workload", "ours s", "NCHW s", "channels-last s", "ratio", "spread"]
    rows = [[*head, "ours MiB", "NCHW MiB", "channels-last MiB"]]
    for case in (case for case in CASES if case.in_pytorch):
        runs = results[case.name]
        all_runs = [runs.ours, *runs.pytorch.values()]
        times = [f"{median(seconds(reports)):.3f}" if reports else "" for reports in all_runs]
        found = [f"{median(runs.ratios()):.2f}", spread(runs.ratios())]
        rows.append([case.name, *times, *found, *map(mib, all_runs)])
    return columns(rows)


def layer_table(results: dict[str, Runs]) -> str:
    """Milliseconds of each convolution, forward and weight gradient."""
    runs = results["convolutions"]
    all_runs = {"ours": runs.ours, **runs.pytorch}
    rows = [["layer", *(f"{name} ms" for name in all_runs)]]
    for place, layer in enumerate(runs.ours[0]["layers"]):
        row = [str(layer["layer"])]
        for reports in all_runs.values():
            both = (
                median(report["layers"][place][half] for report in reports)
                for half in ("forward_seconds", "update_seconds")
            )
            row.append(" / ".join(f"{1e3 * value:.1f}" for value in both))
        rows.append(row)
    return columns(rows)


def ours_table(results: dict[str, Runs]) -> str:
    """What only concerns us: time-local rule, threads, loader, ceilings."""

    def ours(name: str) -> list[Report]:
        return results[name].ours

    def per_second(name: str) -> list[float]:
        return [report["images_per_second"] for report in ours(name)]

    step = seconds(ours("step"))
    rows = [["ours alone", "value", "spread"]]

    def add(name: str, values: Sequence[float]) -> None:
        rows.append([name, short(median(values)), spread(values)])

    add("time-local step, s", seconds(ours("time_local")))
    add("CLAPP-s ÷ time-local", divided(step, seconds(ours("time_local"))))
    add("1 thread ÷ all threads", divided(seconds(ours("step_1_thread")), step))
    add("loader, images/s", per_second("loader"))
    add("loader ÷ training", divided(per_second("loader"), per_second("step")))
    add(
        "loader ÷ training, quarter width",
        divided(per_second("loader"), per_second("step_quarter_width")),
    )
    add("e-prop alone, forward and changes, ms", [1e3 * s for s in halves(ours("gru"))])
    pytorch = results["gru"].pytorch["NCHW"]
    add("back-propagation through time in PyTorch, ms", [1e3 * s for s in halves(pytorch)])
    add("memory copy, GB/s", [report["copy_gbytes"] for report in ours("roofline")])
    ceilings = [report["fma_gflops"] for report in ours("roofline")]
    add("multiply-add ceiling, GFLOP/s", ceilings)
    for name in ("step", "step_quarter_width", "convolutions", "inference"):
        useful = [report["useful_gflops"] for report in ours(name)]
        add(
            f"{name}, direct equivalent GFLOP/s", [report["direct_gflops"] for report in ours(name)]
        )
        add(f"{name}, useful GFLOP/s", useful)
        add(f"{name}, useful share of the ceiling", divided(useful, ceilings))
    return columns(rows)

"""What a comparison found: reports, round by round, as ratios and as tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
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
    memory: str | None = None
    """Name of the ratio of peak memory, where there is one."""


FULL = ("--width", "1", "--batch", "8")
FILM = ("--width", "1", "--batch", "1", "--crop", "128", "--frames", "54", "--colours", "3")
FILM_NARROW = ("--width", "0.125", "--batch", "8", "--crop", "67", "--frames", "54", "--colours", "3")
QUARTER = ("--width", "0.25", "--batch", "32")
EIGHTH = ("--width", "0.125", "--batch", "8")
SMALL_COLOUR = ("--crop", "32", "--colours", "3")
SOFT_HEBB = ("--width", "1", "--batch", "10", *SMALL_COLOUR)
VIEWS = ("--width", "0.25", "--batch", "64", *SMALL_COLOUR)
LOW_RANK = ("--width", "1", "--rank", "128", "--batch", "64", *SMALL_COLOUR)
CASES = [
    # The first three are compared with each other: nothing of PyTorch's lies between them.
    Case("step_1_thread", "step", FULL, in_pytorch=False, threads=1),
    Case("time_local", "time-local", FULL, in_pytorch=False),
    Case("step", "step", FULL, memory="memory"),
    Case("step_quarter_width", "step", QUARTER),
    Case("convolutions", "convolutions", FULL),
    Case("inference", "inference", FULL),
    Case("sound_step", "sound-step", FULL, layouts=ONE_LAYOUT, memory="sound_memory"),
    Case("sound_step_eighth_width", "sound-step", EIGHTH, layouts=ONE_LAYOUT),
    Case("gru_step", "gru-step", FULL, layouts=ONE_LAYOUT),
    Case("film_step", "film-step", FILM, memory="film_memory"),
    Case("film_step_narrow", "film-step", FILM_NARROW),
    Case("soft_hebb_step", "soft-hebb-step", SOFT_HEBB, memory="soft_hebb_memory"),
    Case("views_step_quarter_width", "views-step", VIEWS, memory="views_memory_quarter_width"),
    Case("views_step_low_rank", "views-step", LOW_RANK, memory="views_memory_low_rank"),
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
    found = {}
    for case in measured(results):
        runs = results[case.name]
        if case.in_pytorch:
            found[case.name] = runs.ratios()
        if case.memory:
            found[case.memory] = runs.memory()
    if results.keys() >= {"step", "time_local"}:
        step, time_local = results["step"], results["time_local"]
        found["time_local"] = divided(seconds(step.ours), seconds(time_local.ours))
    if "gru_step" in results:
        runs = results["gru_step"]
        found["gru"] = divided(halves(runs.pytorch["NCHW"]), halves(runs.ours))
    return found


def measured(results: dict[str, Runs]) -> list[Case]:
    """The cases that there are results of."""
    return [case for case in CASES if case.name in results]


def halves(reports: Sequence[Report]) -> list[float]:
    """Seconds of the recurrent layer alone, forward and weight changes."""
    return [
        sum(layer["forward_seconds"] + layer["update_seconds"] for layer in report["layers"])
        for report in reports
    ]


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Words in columns, the first to the left, the others to the right; nothing below a head is nothing."""
    if len(rows) < 2:
        return ""
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
    for case in (case for case in measured(results) if case.in_pytorch):
        runs = results[case.name]
        all_runs = [runs.ours, *runs.pytorch.values()]
        times = [f"{median(seconds(reports)):.3f}" if reports else "" for reports in all_runs]
        found = [f"{median(runs.ratios()):.2f}", spread(runs.ratios())]
        rows.append([case.name, *times, *found, *map(mib, all_runs)])
    return columns(rows)


def layer_table(results: dict[str, Runs]) -> str:
    """Milliseconds of each convolution, forward and weight gradient."""
    if "convolutions" not in results:
        return ""
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
    rows = [["ours alone", "value", "spread"]]

    def put(name: str, values: Sequence[float]) -> None:
        rows.append([name, short(median(values)), spread(values)])

    def add(name: str, of: Callable[..., Sequence[float]], *cases: str) -> None:
        """A row of our reports of these cases, if all were measured."""
        if results.keys() >= set(cases):
            put(name, of(*(results[case].ours for case in cases)))

    def each(key: str) -> Callable[[Sequence[Report]], list[float]]:
        return lambda reports: [report[key] for report in reports]

    def quotient(
        of: Callable[[Sequence[Report]], Sequence[float]],
    ) -> Callable[[Sequence[Report], Sequence[Report]], list[float]]:
        return lambda over, under: divided(of(over), of(under))

    def milliseconds(reports: Sequence[Report]) -> list[float]:
        return [1e3 * s for s in halves(reports)]

    def share(reports: Sequence[Report], roofline: Sequence[Report]) -> list[float]:
        return divided(each("useful_gflops")(reports), each("fma_gflops")(roofline))

    per_second = quotient(each("images_per_second"))
    add("time-local step, s", seconds, "time_local")
    add("CLAPP-s ÷ time-local", quotient(seconds), "step", "time_local")
    add("1 thread ÷ all threads", quotient(seconds), "step_1_thread", "step")
    add("loader, images/s", each("images_per_second"), "loader")
    add("loader ÷ training", per_second, "loader", "step")
    add("loader ÷ training, quarter width", per_second, "loader", "step_quarter_width")
    if "gru_step" in results:
        add("e-prop alone, forward and changes, ms", milliseconds, "gru_step")
        pytorch = results["gru_step"].pytorch["NCHW"]
        put("back-propagation through time in PyTorch, ms", milliseconds(pytorch))
    add("memory copy, GB/s", each("copy_gbytes"), "roofline")
    add("multiply-add ceiling, GFLOP/s", each("fma_gflops"), "roofline")
    for name in ("step", "step_quarter_width", "convolutions", "inference"):
        add(f"{name}, direct equivalent GFLOP/s", each("direct_gflops"), name)
        add(f"{name}, useful GFLOP/s", each("useful_gflops"), name)
        add(f"{name}, useful share of the ceiling", share, name, "roofline")
    return columns(rows)

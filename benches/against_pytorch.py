#!/usr/bin/env python3
"""CLAPP against the same step in PyTorch, alternating on one machine.

Builds `clapp-bench`, runs it and `pytorch_clapp.py` in both of PyTorch's layouts one after another, every
workload in a process of its own, several rounds, and prints a table and one line of JSON with ratios
to the faster layout. `README.md` says what each number means. Needs PyTorch (`pip install torch`), a Rust
toolchain, and a machine that does nothing else.

    python3 benches/against_pytorch.py [--rounds 5] [--json] [--quick] [--only step,gru_step]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import comparison
import machine
from comparison import CASES, LAYOUTS, ComparisonError, Report, Runs

PYTORCH_PROGRAM = machine.ROOT / "benches" / "pytorch_clapp.py"

BUILD = [
    *("cargo", "build", "--release", "--locked", "--workspace", "--bin", "clapp-bench"),
    # Its own test brings the features that all tests are built with: the tensor library is built once
    # for `cargo test --release --workspace`, `cargo bench --workspace` and this.
    *("--test", "program", "--message-format=json-render-diagnostics"),
]


def build() -> Path:
    """Builds our program and returns where it is."""
    try:
        done = subprocess.run(
            BUILD, cwd=machine.ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ComparisonError(
            "cargo: expected a Rust toolchain, got none; see https://rustup.rs"
        ) from error
    if done.returncode != 0:
        raise ComparisonError(
            f"cargo: expected a build, got exit code {done.returncode}; its output stands above"
        )
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    programs = [
        message["executable"]
        for message in messages
        if message.get("executable") and message["target"]["kind"] == ["bin"]
    ]
    if len(programs) != 1:
        raise ComparisonError(f"cargo: expected one program, got {programs}")
    return Path(programs[0])


def check_torch() -> str:
    """The version of PyTorch."""
    command = [sys.executable, "-c", "import torch; print(torch.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    if "No module named 'torch'" in done.stderr:
        raise ComparisonError(
            f"torch: expected the package for {sys.executable}, got none; pip install torch"
        )
    raise ComparisonError(f"torch: expected to import it, got\n{done.stderr.strip()}")


def run(command: Sequence[str | Path]) -> Report:
    """Runs one measurement and reads its line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = " ".join(map(str, command))
    if done.returncode != 0:
        raise ComparisonError(
            f"{words}: expected a measurement, got exit code {done.returncode}\n{done.stderr.strip()}"
        )
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise ComparisonError(f"{words}: expected one line of JSON, got {done.stdout!r}") from error


def measure(program: Path, options: argparse.Namespace) -> dict[str, Runs]:
    """All rounds of all cases: ours, PyTorch in one layout, in the other, ours again."""
    cases = [case for case in CASES if case.name in options.only]
    results = {case.name: Runs() for case in cases}
    repeats = ["--steps", str(options.steps), "--warmup", str(options.warmup)]
    for number in range(1, options.rounds + 1):
        for case in cases:
            print(f"round {number} of {options.rounds}: {case.name}", file=sys.stderr)
            threads = str(case.threads or options.threads)
            arguments = [case.workload, *case.size, *repeats, "--threads", threads]
            results[case.name].ours.append(run([program, *arguments]))
            if case.in_pytorch:
                for layout in case.layouts:
                    flag = LAYOUTS[layout]
                    report = run([sys.executable, PYTORCH_PROGRAM, *arguments, *flag])
                    results[case.name].pytorch[layout].append(report)
    return results


def circumstances(results: dict[str, Runs], torch: str, options: argparse.Namespace) -> str:
    """Machine, versions, settings."""
    ours = [runs.ours[0] for runs in results.values()]
    pytorch = [
        reports[0] for runs in results.values() for reports in runs.pytorch.values() if reports
    ]
    parts = {
        "machine": [
            machine.processor(),
            f"{machine.cores()} cores",
            machine.installed_memory(),
            f"{platform.system()} {platform.release()}",
        ],
        "ours": [
            f"clapp {ours[0]['version']} at {machine.commit()}",
            f"burn {machine.burn_version()}",
            machine.output(["rustc", "--version"]),
        ],
        "PyTorch": [
            torch,
            f"Python {platform.python_version()}",
            *(f"{r['imported_memory_bytes'] / 2**20:.0f} MiB once imported" for r in pytorch[:1]),
        ],
        "settings": [
            f"{options.rounds} rounds of {options.steps} steps after {options.warmup} to warm up",
            "64×64 gray; full width with 8 images, quarter width with 32",
            "sound: 8 crops of 20,480 samples",
            "32×32 in colour: SoftHebb 10 images, CLAPP++ 64 pairs",
        ],
    }
    for name, reports in (("ours", ours), ("PyTorch", pytorch)):
        # One case is of a single thread.
        for report in sorted(reports, key=lambda report: report["threads"])[-1:]:
            parts[name] += [report["instruction_set"], f"{report['threads']} threads"]
    return "\n".join(f"{name:<9} {', '.join(part)}" for name, part in parts.items())


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, help="rounds to take the median of (default: 5; quick: 1)"
    )
    parser.add_argument(
        "--steps", type=int, help="steps of a process that count (default: 5; quick: 2)"
    )
    parser.add_argument("--warmup", type=int, help="steps before them (default: 2; quick: 1)")
    parser.add_argument(
        "--threads", type=int, default=machine.cores(), help="of both programs (default: all cores)"
    )
    parser.add_argument(
        "--json", action="store_true", help="nothing but the line of JSON on standard output"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, to see that everything runs"
    )
    parser.add_argument(
        "--only",
        metavar="NAME,NAME",
        type=lambda names: names.split(","),
        default=[case.name for case in CASES],
        help="cases to measure (default: all)",
    )
    options = parser.parse_args()
    unknown = sorted(set(options.only) - {case.name for case in CASES})
    if unknown:
        names = ", ".join(case.name for case in CASES)
        parser.error(f"--only: expected some of {names}, got {', '.join(unknown)}")
    for name, usual, quick in (("rounds", 5, 1), ("steps", 5, 2), ("warmup", 2, 1)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    if min(options.rounds, options.steps, options.threads) < 1 or options.warmup < 0:
        parser.error("expected rounds, steps and threads of at least 1")
    return options


def main() -> int:
    """Compares."""
    options = arguments()
    readable = sys.stderr if options.json else sys.stdout
    try:
        torch = check_torch()
        program = build()
        neighbours = machine.Neighbours()
        results = measure(program, options)
        found = comparison.ratios(results)
        parts = [
            comparison.table(results),
            comparison.layer_table(results),
            comparison.ours_table(results),
            circumstances(results, torch, options) + "\n" + neighbours.report(),
        ]
    except ComparisonError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    print("\n\n".join(filter(None, parts)), end="\n\n", file=readable, flush=True)
    medians = {name: round(comparison.median(values), 3) for name, values in found.items()}
    print(json.dumps(medians))
    return 0


if __name__ == "__main__":
    sys.exit(main())

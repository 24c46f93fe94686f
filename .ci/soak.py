#!/usr/bin/env python3
"""Breaks runs of `clapp train` at random instants, goes on, and compares the end with an undisturbed run.

    .ci/soak.py target/release/clapp --faults 1000 --seed 1

A fault is a signal (SIGKILL, SIGTERM, SIGINT, SIGHUP) or, through a small library that is loaded before the C library,
a write, flush or rename that fails (an I/O error once, a disk that stays full) or a clock that jumps by years. After
each the run has to go on. Ends with 1 if a checkpoint was lost or damaged, if a program ended otherwise than it
promises, or if the last bytes differ.
"""

import argparse
import collections
import itertools
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
static atomic_long calls;
static int failed(int file) {
    const char *fault = getenv("SOAK_FAULT"), *at = getenv("SOAK_AT");
    struct stat about;
    if (!fault || !at || (file >= 0 && (fstat(file, &about) || !S_ISREG(about.st_mode)))) return 0;
    long call = atomic_fetch_add(&calls, 1), place = atol(at);
    if (!strcmp(fault, "io") && call == place) return errno = EIO, 1;
    if (!strcmp(fault, "full") && call >= place) return errno = ENOSPC, 1;
    return 0;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t write(int f, const void *b, size_t n) { return failed(f) ? -1 : REAL(write)(f, b, n); }
ssize_t writev(int f, const struct iovec *v, int n) { return failed(f) ? -1 : REAL(writev)(f, v, n); }
int fsync(int f) { return failed(f) ? -1 : REAL(fsync)(f); }
int fdatasync(int f) { return failed(f) ? -1 : REAL(fdatasync)(f); }
int rename(const char *a, const char *b) { return failed(-1) ? -1 : REAL(rename)(a, b); }
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    const char *fault = getenv("SOAK_FAULT");
    if (clock == CLOCK_REALTIME && fault && !strcmp(fault, "clock"))
        now->tv_sec += (long[]){0, -1700000000, 900000000, 86400}[atomic_fetch_add(&calls, 1) % 4];
    return result;
}
"""
SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
SHIMMED = ["io", "full", "clock"]
FAULTS = [*SIGNALS, *SHIMMED]
# Runs that are broken for each that is not.
RUNS = 8
# Times and places differ from run to run.
UNSTABLE = {"environment.json", ".lock"}


def files(folder):
    """All bytes of a run. Of checkpoints the newest: a polite signal leaves one more on its way."""
    checkpoints = sorted((folder / "checkpoints").glob("step-*"))
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in UNSTABLE)
    found = (path for path in found if not set(path.parents) & set(checkpoints[:-1]))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


class Soak:
    def __init__(self, options, root):
        self.program, self.draws, self.root = options.program.resolve(), random.Random(options.seed), root
        self.counts, self.wrong = collections.Counter(), []
        self.shim = root / "shim.so"
        (root / "shim.c").write_text(SHIM)
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", self.shim, root / "shim.c", "-ldl"]
        subprocess.run(command, check=True)

    def complain(self, **about):
        self.wrong.append(about)
        print(json.dumps(about), file=sys.stderr)

    def start(self, arguments, environment=None):
        command = [self.program, *arguments, "--quiet", "--threads", "1"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.root), **(environment or {})}
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def finish(self, process, fault, expected):
        """The exit code, which has to be 0 or one of those expected."""
        try:
            _, said = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            said = "it hung for 120 s"
        code = process.returncode
        explained = code != 1 or "error: " in said
        if code not in (0, *expected) or not explained:
            self.complain(case=process.args[1:-3], fault=str(fault), code=code, said=said[-400:])
        return code

    def case(self, arguments):
        """Breaks runs of one kind, each until it is done; the number of faults."""
        whole, run = self.root / "whole", self.root / "run"
        shutil.rmtree(whole, ignore_errors=True)
        began = time.monotonic()
        first = self.start([*arguments, "--out", str(whole)])
        _, said = first.communicate()
        if first.returncode:
            # Some methods need another build.
            if "--features" not in said:
                self.complain(case=arguments, fault="none", code=first.returncode, said=said[-400:])
            return 0
        seconds, expected = time.monotonic() - began, files(whole)
        return sum(self.broken(arguments, run, seconds, expected) for _ in range(RUNS))

    def broken(self, arguments, run, seconds, expected):
        shutil.rmtree(run, ignore_errors=True)
        faults, most = 0, self.draws.randrange(1, 12)
        while True:
            begun = (run / "config.json").is_file()
            call = ["resume", str(run)] if begun else [*arguments, "--out", str(run)]
            # At last it may end.
            fault = self.draws.choice(FAULTS) if faults < most else None
            environment = {}
            if fault in SHIMMED:
                at = str(int(10 ** self.draws.uniform(0, 2.5)))
                environment = {"LD_PRELOAD": str(self.shim), "SOAK_FAULT": fault, "SOAK_AT": at}
            process = self.start(call, environment)
            codes = [1] if fault in SHIMMED else []
            if fault in SIGNALS:
                codes = [SIGNALS[fault], -fault]
                try:
                    process.wait(self.draws.uniform(0, seconds / 2))
                except subprocess.TimeoutExpired:
                    process.send_signal(fault)
            code = self.finish(process, fault, codes)
            if code != 0 or fault == "clock":
                faults += 1
                self.counts[getattr(fault, "name", fault)] += 1
            if code == 0:
                break
            if code not in codes:
                return faults
        got = files(run)
        if got != expected:
            other = [name for name in {**got, **expected} if got.get(name) != expected.get(name)]
            self.complain(case=arguments, differ=other)
        return faults


def train(data, method):
    return ["train", "--embedded", data, "--preset", "smoke", "--method", method, "--seed", "2"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    methods = json.loads(subprocess.check_output([options.program, "list", "--json"]))["methods"]
    data = {"images": "scenes", "sounds": "talkers", "videos": "moving-scenes"}
    cases = [train(data[sense], method) for sense, names in methods.items() for method in names]
    with tempfile.TemporaryDirectory() as root:
        soak = Soak(options, pathlib.Path(root))
        soak.draws.shuffle(cases)
        done = 0
        for number in itertools.count():
            done += soak.case(cases[number % len(cases)])
            print(f"{number + 1} kinds, {done} faults, {len(soak.wrong)} wrong", file=sys.stderr)
            if done >= options.faults or (number + 1 >= len(cases) and (soak.wrong or not done)):
                break
        print(json.dumps({"faults": done, **soak.counts, "wrong": soak.wrong}, indent=1))
    sys.exit(bool(soak.wrong) or not done)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Do two builds learn the same numbers, bit for bit?

    .ci/same_bits.py build REVISION FOLDER    builds the programs of a git revision into FOLDER
    .ci/same_bits.py compare BEFORE AFTER     compares two folders of built programs
    .ci/same_bits.py compare BEFORE           only makes the runs of one, for later: --runs

`compare` makes a small run of every method on images, sound and video with either folder's programs, from
the embedded data and from files in the layouts of the data sets, and compares metrics, the tensors of every
checkpoint and the table byte for byte; notes below a table may be worded otherwise. Every run of BEFORE is
then cut back to its last checkpoint but one and resumed by AFTER: it has to end in the same bytes, or be
refused with the reason. Exits 1 on a difference.

    --runs FOLDER    keeps BEFORE's runs there, and takes those that it made before
    --only TEXT      cases with TEXT in their names; may be repeated
    --features LIST  of `build`; "" for revisions or builds without the comparisons [default: baselines]

Videos need ffmpeg, to be made and to be read; without it they are left out, which the last line says.
"""

import argparse
import array
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

# The learning rules with a run each. A name that a build does not know is an error.
IMAGES = "clapp clapp-s gim clapp-s-retro clapp-s-blocked clapp-s-above clapp-symmetric"
SOUND = "clapp-s gim cpc hinge-cpc supervised greedy-supervised clapp-s-one-step clapp-s-no-gru clapp-s-bptt gim-one-step gim-no-gru gim-bptt"
VIDEO = "clapp-s clapp gim cpc hinge-cpc supervised"
# Programs without a run folder: what they print is compared.
PRINTED = "online_rule online_speech compare_updates"
# The bits are the same with any number; one is done soonest beside other work.
ONE_THREAD = ["--threads", "1"]


def cases(data, ffmpeg):
    """Name, program and arguments of every case. `{…}` in an argument is the run folder of that case."""
    smoke = ["train", "--preset", "smoke", "--seed", "2", *ONE_THREAD]
    listed = []

    def add(name, *arguments):
        listed.append((name, "clapp", [*smoke, *map(str, arguments)]))

    for method in IMAGES.split():
        add(f"images {method}", "--method", method)
    add("images clapp-s two seeds, exact", "--seed", "3", "--set", "encoder.arithmetic=exact")
    add("images clapp-s stl10", "--stl10", data / "stl10", "--any-size")
    for part in ("test", "validation"):
        cifar10 = ["--cifar10", data / "cifar10", "--any-size", "--set", f"data.tested_on={part}"]
        add(f"images gim cifar10 {part}", "--method", "gim", *cifar10)
    talkers, moving = ["--embedded", "talkers"], ["--embedded", "moving-scenes"]
    for method in SOUND.split():
        add(f"sound {method}", *talkers, "--method", method)
    folder = ["--sounds", data / "sound", "--part", "folder"]
    labels = ["--labels", data, "--set", "data.labels.classes=4"]
    add("sound clapp-s files", *folder, *labels)
    add("sound clapp-s unlabelled", *folder)
    add("sound greedy-supervised files", *folder, *labels, "--method", "greedy-supervised")
    for method in VIDEO.split():
        for still in ("", "-still"):
            add(f"video {method}{still}", *moving, "--method", f"{method}{still}")
    add("video fine-tuned", *moving, "--method", "supervised", "--set", "start={video clapp-s}")
    if ffmpeg:
        add("video clapp-s ucf101", "--videos", data / "ucf101")
        folder = data / "ucf101" / "UCF-101"
        add("video gim-still folders", "--method", "gim-still", "--videos", folder, "--layout", "folders")
    listed += [(name, name, None) for name in PRINTED.split()]
    return listed


# Data, the same bytes everywhere.


def noise(count, salt):
    return bytes(((i + salt) * 2_654_435_761 >> 13) & 255 for i in range(count))


def write_images(root):
    stl10 = root / "stl10"
    stl10.mkdir(parents=True)
    size = 3 * 96 * 96
    for part, count in (("unlabeled", 64), ("train", 120), ("test", 30)):
        (stl10 / f"{part}_X.bin").write_bytes(noise(count * size, count))
        if part != "unlabeled":
            (stl10 / f"{part}_y.bin").write_bytes(bytes(i % 10 + 1 for i in range(count)))
    # Without labels the first 40,000 of the training images, so that there have to be more.
    cifar = root / "cifar10"
    cifar.mkdir()
    images = [bytes([i % 10]) + noise(3072, 97 * i) for i in range(130)]
    for file in [*(f"data_batch_{b}" for b in range(1, 6)), "test_batch"]:
        count = 50 if file == "test_batch" else 8_200
        first = sum(file.encode())
        batch = (images[(first + i) % len(images)] for i in range(count))
        (cifar / f"{file}.bin").write_bytes(b"".join(batch))


def write_sound(root):
    """A tone for each of twelve talkers, with something new every 160 ms, and labels of what is new."""
    for talker in range(12):
        folder = root / "sound" / f"t{talker}"
        folder.mkdir(parents=True)
        pitches = [0.05 * (1 + i // 2_560 % 4) + 0.003 * talker for i in range(24_080)]
        samples = array.array("h", (int(6_000 * math.sin(i * pitch)) for i, pitch in enumerate(pitches)))
        if sys.byteorder == "big":
            samples.byteswap()
        with wave.open(str(folder / "a.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
    labels = " ".join(str(i // 16 % 4) for i in range(149))  # windows of 25 ms, every 10 ms
    (root / "converted_aligned_phones.txt").write_text("".join(f"t{t}/a {labels}\n" for t in range(12)))
    (root / "train_split.txt").write_text("".join(f"t{t}/a\n" for t in range(8)))
    (root / "test_split.txt").write_text("".join(f"t{t}/a\n" for t in range(8, 12)))


def write_videos(root):
    """Two classes of ten videos in the layout of UCF-101: a ramp that grows lighter or darker."""
    lists = root / "ucf101" / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    names = [("Fading", "-2"), ("Rising", "+2")]
    for name, step in names:
        folder = root / "ucf101" / "UCF-101" / name
        folder.mkdir(parents=True)
        for clip in range(1, 11):
            source = f"nullsrc=size=96x72:rate=25,geq=lum='128+X-Y+{clip}{step}*N':cb=128:cr=128"
            command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", source]
            command += ["-frames:v", "112", "-c:v", "mpeg4", "-q:v", "2", "-threads", "1"]
            subprocess.run([*command, folder / f"v_{name}_g{clip:02}_c01.avi"], check=True)

    def lines(clips):
        return "".join(f"{name}/v_{name}_g{clip:02}_c01.avi 1\r\n" for clip in clips for name, _ in names)

    (lists / "classInd.txt").write_text("1 Fading\r\n2 Rising\r\n")
    (lists / "trainlist01.txt").write_text(lines(range(1, 7)))
    (lists / "testlist01.txt").write_text(lines(range(7, 11)))


# Runs.


class Failure(Exception):
    """What a program printed instead of what was expected."""


def call(binary, arguments, folder):
    """Runs a program below `folder`, and returns what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([binary, *arguments], cwd=folder, capture_output=True, text=True, timeout=3600)
    if done.returncode != 0:
        printed = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        errors = [line for line in printed.splitlines() if line.startswith("error: ")]
        raise Failure(errors[-1] if errors else printed.splitlines()[-1])
    return done.stdout


def folder_of(name, parent):
    return parent / name.replace(",", "").replace(" ", "-")


def run_of(folder):
    """The run folder that a program made below `folder`."""
    config = next(folder.rglob("config.json"), None)
    if config is None:
        raise Failure(f"expected a run folder below {folder}, got none")
    return config.parent


def run(case, binaries, parent, starts):
    """Makes the run of a case below `parent`, unless this program has made it; returns its folder."""
    name, example, arguments = case
    folder = folder_of(name, parent)
    binary = binaries / example
    digest = hashlib.sha256(binary.read_bytes()).hexdigest() if binary.is_file() else None
    made_by = folder / "made-by"
    if made_by.is_file() and digest in (None, made_by.read_text()):
        return folder
    if digest is None:
        raise Failure(f"expected the program {binary}, got none; build with --features baselines")
    shutil.rmtree(folder, ignore_errors=True)
    # Starts from the run before in both builds, so that configurations agree and old checkpoints are read.
    named = lambda case: str(run_of(folder_of(case[1], starts)))
    started = [re.sub(r"\{(.*)\}", named, argument) for argument in arguments or []]
    (folder / "out").mkdir(parents=True)
    (folder / "printed").write_text(call(binary, started, folder / "out"))
    made_by.write_text(digest)
    return folder


def resume(case, binaries, before, parent):
    """Cuts a run back to its last checkpoint but one and resumes it; returns its folder."""
    name, example, _ = case
    folder = folder_of(name, parent)
    shutil.copytree(before, folder)
    checkpoints = sorted((folder / "checkpoints").iterdir())
    if len(checkpoints) < 2:
        raise Failure("expected at least two checkpoints to resume from the first, got one")
    shutil.rmtree(checkpoints[-1])
    for table in folder.glob("table.*"):
        table.unlink()
    call(binaries / example, ["resume", folder, *ONE_THREAD], folder.parent)
    return folder


# Comparisons. Each returns what differs, or an empty text.


def tensors(path):
    """Name, type, shape and digest of every tensor of a file of safetensors."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]

    def value(entry):
        start, end = entry["data_offsets"]
        return entry["dtype"], tuple(entry["shape"]), hashlib.sha256(body[start:end]).hexdigest()

    return {name: value(entry) for name, entry in header.items()}


def differing(before, after):
    """Keys whose values differ, or that one side lacks."""
    return [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]


def weights(before, after, last_only):
    def read(run):
        checkpoints = sorted((run / "checkpoints").iterdir())[-1 if last_only else 0 :]
        files = [file for checkpoint in checkpoints for file in checkpoint.rglob("*.safetensors")]
        if not files:
            raise Failure(f"expected checkpoints in {run}, got none")
        return {
            f"{file.relative_to(run / 'checkpoints')} {name}": value
            for file in files
            for name, value in tensors(file).items()
        }

    wrong = differing(read(before), read(after))
    return f"{len(wrong)} tensors, first {wrong[0]}" if wrong else ""


def file(before, after, name):
    """The first line of a file in which two runs differ."""
    sides = [folder / name for folder in (before, after)]
    if not all(side.is_file() for side in sides):
        return f"{name} is missing"
    texts = [side.read_bytes() for side in sides]
    if texts[0] == texts[1]:
        return ""
    lines = zip(*(text.splitlines() for text in texts))
    return f"line {next((i for i, (a, b) in enumerate(lines, 1) if a != b), 'past the end of one')}"


def table(before, after):
    """Whether two tables differ in more than their notes, which are sentences for a reader."""
    def numbers(folder):
        read = json.loads((folder / "table.json").read_text(), parse_float=str)
        return {name: value for name, value in read.items() if name != "notes"}

    difference = file(before, after, "table.json")
    if not difference.startswith("line") or numbers(before) != numbers(after):
        return difference
    return ""


def results(before, after, last_only=False):
    """What has to be the same of two runs."""
    found = {
        "metrics.jsonl": file(before, after, "metrics.jsonl"),
        "weights": weights(before, after, last_only),
        "table.json": table(before, after),
    }
    return {what: difference for what, difference in found.items() if difference}


def check(case, before_binaries, after_binaries, kept, scratch):
    """Compares one case; returns differences and remarks."""
    name, _, arguments = case
    starts = kept / "before"
    old = run(case, before_binaries, starts, starts)
    if after_binaries is None:
        return [], []
    new = run(case, after_binaries, scratch / "after", starts)
    if arguments is None:
        difference = file(old, new, "printed")
        return ([f"printed: {difference}"] if difference else []), []
    old, new = run_of(old / "out"), run_of(new / "out")
    wrong = [f"{what}: {difference}" for what, difference in results(old, new).items()]
    remarks = [f"{what} differs in {d}" for what in ("config.json", "table.txt") if (d := file(old, new, what))]
    try:
        resumed = resume(case, after_binaries, old, scratch / "resumed")
    except Failure as refusal:
        text = str(refusal)
        if not text.startswith("error: "):
            wrong.append(f"resumed: expected the same bytes or a refusal, got {text}")
        else:
            remarks.append(f"resuming is refused: {text.removeprefix('error: ')}")
    else:
        found = results(old, resumed, last_only=True)
        wrong += [f"resumed {what}: {difference}" for what, difference in found.items()]
    return wrong, remarks


def compare(options):
    scratch = Path(tempfile.mkdtemp(prefix="same-bits-"))
    kept = (options.runs or scratch / "kept").resolve()
    data = kept / "data"
    ffmpeg = bool(shutil.which("ffmpeg")) or (data / "ucf101").is_dir()
    for name, write in (("stl10", write_images), ("sound", write_sound), ("ucf101", write_videos)):
        if not (data / name).exists() and (name != "ucf101" or ffmpeg):
            write(data)
    binaries = [folder and folder.resolve() for folder in (options.before, options.after)]
    chosen = [case for case in cases(data, ffmpeg) if all(text in case[0] for text in options.only)]
    failed = 0
    for case in chosen:
        start = time.monotonic()
        try:
            wrong, remarks = check(case, *binaries, kept, scratch)
        except Failure as failure:
            wrong, remarks = [str(failure)], []
        failed += bool(wrong)
        verdict = "DIFFERENT" if wrong else "same" if options.after else "made"
        print(f"{case[0]:<34} {verdict:<10} {time.monotonic() - start:6.0f} s", flush=True)
        for line in wrong + remarks:
            print(f"    {line}", flush=True)
    are = "are the same bit for bit" if options.after else "have a run to compare with"
    print(f"{len(chosen) - failed} of {len(chosen)} cases {are}", end="")
    print("" if ffmpeg else "; videos were left out, because there is no ffmpeg")
    if failed:
        print(f"runs of AFTER: {scratch}")
    else:
        shutil.rmtree(scratch)
    return 1 if failed or not chosen else 0


def build(options):
    """Builds the programs of a revision from its own sources."""
    folder = options.folder.resolve()
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", options.revision], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", str(folder / "target"))
    command = ["cargo", "build", "--release", "--workspace", "--bins", "--examples", "--locked"]
    command += ["--features", options.features] if options.features else []
    subprocess.run(command, cwd=source, check=True, env={**os.environ, "CARGO_TARGET_DIR": target})
    release = Path(target) / "release"
    for program in [release / "clapp", *(release / "examples").iterdir()]:
        if program.is_file() and "-" not in program.name and os.access(program, os.X_OK):
            shutil.copy2(program, folder)
    print(f"built the programs of {options.revision} into {folder}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build")
    command.add_argument("revision")
    command.add_argument("folder", type=Path)
    command.add_argument("--features", default="baselines")
    command.set_defaults(do=build)
    command = commands.add_parser("compare")
    command.add_argument("before", type=Path)
    command.add_argument("after", type=Path, nargs="?")
    command.add_argument("--runs", type=Path)
    command.add_argument("--only", action="append", default=[])
    command.set_defaults(do=compare)
    options = parser.parse_args()
    return options.do(options)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes the seed corpus beside it, a few small inputs a target. Needs Pillow, and ffmpeg for FLAC."""

import io, json, pathlib, random, struct, subprocess, sys, wave

from PIL import Image

HERE = pathlib.Path(__file__).parent
DATA = HERE / "../crates/clapp-datasets/tests"


def put(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def wav(kind, channels, rate, bits, data, extra=b"", before=b""):
    align = channels * bits // 8
    fmt = struct.pack("<HHIIHH", kind, channels, rate, rate * align, align, bits) + extra
    body = b"WAVE" + before + chunk(b"fmt ", fmt) + chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", len(body)) + body


draws = random.Random(1)
steps = [draws.randrange(-9000, 9000) for _ in range(64)]
for bits, code in ((8, "B"), (16, "h"), (32, "i")):
    values = [step // 128 + 128 if bits == 8 else step for step in steps]
    data = struct.pack(f"<64{code}", *values)
    put("wav", f"pcm{bits}", wav(1, 2, 16_000, bits, data, before=chunk(b"LIST", b"abc")))
put("wav", "pcm24", wav(1, 1, 44_100, 24, bytes(96)))
put("wav", "float", wav(3, 1, 16_000, 32, struct.pack("<64f", *(step / 9000 for step in steps))))
guid = bytes.fromhex("0100000000001000800000aa00389b71")
extra = struct.pack("<HHI", 22, 16, 3) + guid
put("wav", "extensible", wav(0xFFFE, 2, 8_000, 16, bytes(64), extra=extra))
raw = struct.pack("<64h", *steps)
for name, options in (("16", []), ("24", ["-sample_fmt", "s32"]), ("tags", ["-metadata", "title=a"])):
    command = ["ffmpeg", "-v", "error", "-f", "s16le", "-ar", "16000", "-ac", "2", "-i", "-"]
    command += [*options, "-f", "flac", "-"]
    put("flac", name, subprocess.run(command, input=raw, stdout=subprocess.PIPE, check=True).stdout)
for kind in ("mp3", "ogg", "m4a"):
    put("flac", kind, (DATA / f"sound_lossy/sweep.{kind}").read_bytes())

picture = Image.new("RGB", (9, 7))
picture.putdata([(29 * i % 256, 53 * i % 256, 101 * i % 256) for i in range(63)])
for name, options in {
    "png": {}, "jpeg": {}, "gif": {}, "bmp": {}, "tiff": {}, "webp": {}, "ppm": {},
    "jpeg progressive": {"progressive": True}, "webp lossless": {"lossless": True},
    "tiff deflate": {"compression": "tiff_deflate"},
}.items():
    buffer = io.BytesIO()
    picture.save(buffer, name.split()[0], **options)
    put("photograph", name.replace(" ", "_"), buffer.getvalue())
    if "jpeg" in name:
        put("frame", name.replace(" ", "_"), buffer.getvalue())
put("frame", "red", (DATA / "data/red_3x2.jpg").read_bytes())

put("labels", "comma", "1.png,cat,train\n2.png,dog,test\n")
put("labels", "quoted", "name,class\n\"1.png\",\"a, b\"\r\nb.png,c\r\n")
put("labels", "marks", "\ufeff1.png;cat\n2.png;dog\n")
put("lists", "videos", "A/v_A_g01_c01.avi 1\r\nB/v.avi 2\r\n")
put("lists", "phones", "\ufeff19-198-0000 0 1 40\n26-495-0000\t3 3 3\n")
put("lists", "names", "a_0.avi 1 \nb.avi 2\n\n")
put("stl10", "labels", bytes([0, 1, 10]))
put("stl10", "folds", b"\x010 1\n1 0\n")
put("stl10", "names", b"\x02airplane\nbird\n")
put("cifar", "one", bytes(at % 10 for at in range(3_073)))
put("metrics", "lines", "".join(json.dumps({"step": at, "loss": 1.5}) + "\n" for at in range(4)))
header = json.dumps({"layer1.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}})
header += " " * (-len(header) % 8)
put("state", "one", struct.pack("<Q", len(header)) + header.encode() + bytes(16))

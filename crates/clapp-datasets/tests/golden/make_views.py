"""Writes views.json and views.bin: what torchvision makes of pictures of Pillow, for `tests/views.rs`.

    pip install torch torchvision 'pillow<13' numpy
    python make_views.py

One line of views.json is one case: a picture, changes with their parameters, and the bytes that the
result has, as their place in views.bin or, for large ones, as their CRC-32.

Pillow 13 resizes columns before rows where that is less work, and rounds to bytes between the two, so that
its results differ from those of all earlier ones by up to one level.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms.functional as F
from PIL import Image

FOLDER = Path(__file__).parent
assert int(PIL.__version__.split(".")[0]) < 13, PIL.__version__


def noise(height, width):
    """All pixels differ: ANSI C's `rand` with seed 1, its bits 16 to 23."""
    state, values = 1, []
    for _ in range(height * width * 3):
        state = (state * 1103515245 + 12345) % (1 << 31)
        values.append((state >> 16) & 255)
    return Image.fromarray(np.array(values, np.uint8).reshape(height, width, 3))


def shades(height, width):
    """Slow waves, different in each colour, as in photographs: 4·(y + 1)·(x + 3) and so on, folded at 255."""
    y, x = np.mgrid[:height, :width]
    planes = [(y + 1) * (x + 3) * 4 // 5, 7 * y + 3 * x, 255 - 5 * x + 2 * y]
    folded = [np.abs((plane + 255) % 510 - 255) for plane in planes]
    return Image.fromarray(np.stack(folded, axis=2).astype(np.uint8))


def colours():
    """Every colour once: 4096×4096 pixels, red slowest."""
    all_of_them = np.arange(1 << 24, dtype=np.uint32)
    planes = [all_of_them >> 16 & 255, all_of_them >> 8 & 255, all_of_them & 255]
    return Image.fromarray(np.stack(planes, axis=1).astype(np.uint8).reshape(4096, 4096, 3))


PICTURES = {"noise": noise, "shades": shades}


def change(picture, name, *parameters):
    if name == "resized_crop":
        top, left, height, width, side = parameters
        return F.resized_crop(picture, top, left, height, width, [side, side])
    if name == "mirror":
        return F.hflip(picture)
    if name == "gray":
        return F.rgb_to_grayscale(picture, num_output_channels=3)
    if name == "blur":
        side, sigma = parameters
        return F.gaussian_blur(picture, [side, side], [sigma, sigma])
    return getattr(F, f"adjust_{name}")(picture, *parameters)


def crc(data):
    return zlib.crc32(data)



def cases():
    """Small results, kept as bytes."""
    size = (24, 20)
    for picture in PICTURES:
        for cut in [(0, 0, 24, 20), (3, 2, 7, 9), (5, 1, 18, 13), (20, 4, 3, 16), (0, 0, 24, 1)]:
            yield picture, size, [("resized_crop", *cut, 16)]
        yield picture, size, [("mirror",)]
        yield picture, size, [("gray",)]
        for name in ["brightness", "contrast", "saturation"]:
            for factor in [0.2, 0.73, 1.0, 1.31, 1.8]:
                yield picture, size, [(name, factor)]
        for shift in [-0.2, -0.061, 0.0, 0.13, 0.2]:
            yield picture, size, [("hue", shift)]
        for side, sigma in [(3, 0.1), (3, 0.8), (3, 2.0), (7, 1.3), (9, 0.45), (9, 2.0)]:
            yield picture, size, [("blur", side, sigma)]


def long_cases():
    """Whole views and large pictures, kept as checksums."""
    jitter = [("brightness", 0.61), ("contrast", 1.47), ("saturation", 1.72), ("hue", -0.17)]
    for picture, size, cut, side in [
        ("noise", (32, 32), (4, 7, 25, 19, 32), 3),
        ("shades", (32, 32), (0, 3, 32, 28, 32), 3),
        ("noise", (96, 96), (31, 12, 40, 33, 96), 9),
        ("shades", (96, 96), (2, 40, 91, 55, 96), 9),
    ]:
        for order in [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)]:
            start = [("resized_crop", *cut), ("mirror",)] + [jitter[i] for i in order]
            yield picture, size, start
            yield picture, size, start + [("gray",)]
            yield picture, size, start + [("blur", side, 1.1)]


def main():
    data, lines = bytearray(), []
    for picture, size, changes in cases():
        result = PICTURES[picture](*size)
        for each in changes:
            result = change(result, *each)
        result = np.asarray(result).tobytes()
        line = {"picture": picture, "size": size, "changes": changes}
        lines.append(line | {"start": len(data), "bytes": len(result)})
        data += result
    for picture, size, changes in long_cases():
        result = PICTURES[picture](*size)
        for each in changes:
            result = change(result, *each)
        line = {"picture": picture, "size": size, "changes": changes}
        lines.append(line | {"crc": crc(np.asarray(result).tobytes())})
    # Every cut that begins at (0, 0), and every colour.
    sweep = noise(32, 32)
    cuts = b"".join(
        np.asarray(change(sweep, "resized_crop", 0, 0, height, width, 32)).tobytes()
        for height in range(1, 33)
        for width in range(1, 33)
    )
    hues = crc(np.asarray(change(colours(), "hue", 0.17)).tobytes())
    saturations = crc(np.asarray(change(colours(), "saturation", 1.37)).tobytes())
    # Blurs of many deviations.
    blurs = b"".join(
        np.asarray(change(noise(48, 40), "blur", side, sigma / 32)).tobytes()
        for side in [3, 7, 9]
        for sigma in range(4, 65, 3)
    )
    # As numbers for a network.
    last = F.normalize(F.to_tensor(shades(32, 32)), [0.4313, 0.4156, 0.3663], [0.2683, 0.2610, 0.2687])
    golden = {
        "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}",
        "all_cuts": crc(cuts),
        "all_hues": hues,
        "all_saturations": saturations,
        "all_blurs": crc(blurs),
        "normalised": crc(last.numpy().astype("<f4").tobytes()),
        "cases": lines,
    }
    (FOLDER / "views.bin").write_bytes(data)
    text = json.dumps({**golden, "cases": []})[:-2] + "\n"
    text += ",\n".join(json.dumps(line) for line in lines) + "\n]}\n"
    (FOLDER / "views.json").write_text(text)


main()

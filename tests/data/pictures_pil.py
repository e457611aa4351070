"""Writes pictures_pil.json: small picture files made with Pillow, and their pixels as Pillow reads them.

    python pictures_pil.py > pictures_pil.json

Transparent parts are laid over white, EXIF orientation is applied with ImageOps.exif_transpose, of an animation the
first frame counts, of a TIFF file the first page.
"""

import base64
import io
import json

import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(3)
W, H = 5, 3
rgb = Image.fromarray(rng.integers(0, 256, (H, W, 3), dtype=np.uint8))
other = Image.fromarray(rng.integers(0, 256, (H, W, 3), dtype=np.uint8))
grey = rgb.convert("L")
rgba = rgb.convert("RGBA")
rgba.putalpha(Image.fromarray(rng.choice([0, 90, 255], (H, W)).astype(np.uint8)))
palette = rgb.quantize(8)
sixteen = Image.fromarray((np.arange(W * H, dtype=np.uint16).reshape(H, W) * 4369))

cases = []


def exif(orientation):
    tags = Image.Exif()
    tags[274] = orientation
    return tags.tobytes()


def case(name, image, tolerance=0, expected=None, step=1, **options):
    out = io.BytesIO()
    image.save(out, **options)
    file = out.getvalue()
    if expected is None:
        read = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
        read = read.convert("RGBA")
        read = Image.alpha_composite(Image.new("RGBA", read.size, "white"), read).convert("RGB")
        expected = np.asarray(read)
    cases.append(
        {
            "name": name,
            "file": base64.b64encode(file).decode(),
            "width": expected.shape[1],
            "height": expected.shape[0],
            "tolerance": tolerance,
            # Every step-th pixel of every step-th row, from the middle of the first step on.
            "step": step,
            "rgb": expected[step // 2 :: step, step // 2 :: step].reshape(-1).tolist(),
        }
    )


case("bmp", rgb, format="BMP")
case("bmp of a palette", palette, format="BMP")
case("bmp in black and white", grey.convert("1"), format="BMP")
case("gif", palette, format="GIF")
case("gif in grey", grey, format="GIF")
case("gif, animated", palette, format="GIF", save_all=True, append_images=[other.quantize(8)], duration=100)
transparent = palette.copy()
case("gif, transparent", transparent, format="GIF", transparency=transparent.getpixel((2, 1)))
case("tiff", rgb, format="TIFF")
case("tiff, lzw", rgb, format="TIFF", compression="tiff_lzw")
case("tiff, deflate", rgb, format="TIFF", compression="tiff_adobe_deflate")
case("tiff, packbits", grey, format="TIFF", compression="packbits")
case("tiff in black and white", grey.convert("1"), format="TIFF")
case("tiff, transparent", rgba, 1, format="TIFF")
case("tiff of two pages", rgb, format="TIFF", save_all=True, append_images=[other])
# 16 bits: 65535 is 255.
case("tiff of 16 bits", sixteen, expected=np.repeat(np.arange(15).reshape(H, W, 1) * 17, 3, 2), format="TIFF")
case("tiff in CMYK", Image.merge("CMYK", [*rgb.split(), Image.new("L", (W, H), 0)]), 1, format="TIFF")
case("webp", rgb, format="WEBP", lossless=True)
case("webp, transparent", rgba, 1, format="WEBP", lossless=True, exact=True)
case("webp, lossy", Image.new("RGB", (16, 16), (200, 60, 20)), 4, format="WEBP", quality=90)
case("webp, animated", rgb, format="WEBP", lossless=True, save_all=True, append_images=[other], duration=100)
case("png of a palette, transparent", palette, format="PNG", transparency=palette.getpixel((0, 0)))
for orientation in range(1, 9):
    for form in ["PNG", "WEBP", "TIFF"]:
        more = {"lossless": True} if form == "WEBP" else {}
        case(f"{form.lower()}, orientation {orientation}", rgb, format=form, exif=exif(orientation), **more)
    big = rgb.resize((16 * W, 16 * H), Image.NEAREST)
    case(f"jpeg, orientation {orientation}", big, 6, step=16, format="JPEG", quality=100, subsampling=0, exif=exif(orientation))

print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")

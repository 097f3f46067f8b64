"""Copy a picture in 256 colours, which makes it smaller: small_png.py SOURCE TARGET."""

import sys

from PIL import Image


def main(source: str, target: str) -> None:
    """Copy the picture."""
    with Image.open(source) as picture:
        few = picture.convert("RGB").quantize(
            256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    few.save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Pictures as Pillow decodes them: EXIF's eight orientations in JPEG and PNG, CMYK, and bytes before a marker."""
import io
import sys

import numpy

from _exchange import call

try:
    from PIL import Image, ImageOps
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install pillow")
    sys.exit(77)


def smooth(width, height, channels):
    y, x = numpy.mgrid[0:height, 0:width]
    return numpy.stack([(20 + 5 * x + 3 * y + 40 * c) % 256 for c in range(channels)], 2).astype(numpy.uint8)


def saved(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def main():
    files = {}
    photo = Image.fromarray(smooth(33, 20, 3))
    for orientation in range(0, 10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010F] = "a camera"
        for form in ("JPEG", "PNG"):
            files[f"{form} {orientation}"] = saved(photo, form, exif=exif)
    files["JPEG without"] = saved(photo, "JPEG")
    for quality in (60, 95):
        files[f"CMYK {quality}"] = saved(Image.fromarray(smooth(33, 20, 4), "CMYK"), "JPEG", quality=quality)
    files["grey"] = saved(photo.convert("L"), "JPEG")
    with_noise = bytearray(files["JPEG without"])
    table = with_noise.index(b"\xff\xdb")
    files["bytes before a marker"] = bytes(with_noise[:table]) + b"\x00\x01\x02" + bytes(with_noise[table:])

    given = {name: numpy.frombuffer(content, numpy.uint8).astype(numpy.int64) for name, content in files.items()}
    good = True
    for what in ("stored", "turned"):
        found = call("picture_file", what, given)
        for name, content in files.items():
            wanted = Image.open(io.BytesIO(content))
            if what == "turned":
                wanted = ImageOps.exif_transpose(wanted)
            wanted = numpy.asarray(wanted.convert("RGB")).astype(numpy.int64)
            shape = found[name].shape == wanted.shape
            # Pillow brings its own libjpeg, whose rounding may differ by a little.
            worst = numpy.abs(found[name] - wanted).max() if shape else None
            if not shape or worst > (0 if name.startswith("PNG") else 2):
                print(f"  {what} {name}: shape {found[name].shape} and {wanted.shape}, largest difference {worst}")
                good = False
    print(f"picture_file: {len(files)} files, stored and turned: {'equal' if good else 'DIFFERENT'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

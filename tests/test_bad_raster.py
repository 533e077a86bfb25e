"""Bad image files: one line that says what is wrong and what to do, never a traceback or made-up pixels."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from raster_files import gradient, write_raster
from surveyor.core.errors import UsageError
from surveyor.core.scene import Scene


def refused(path, **options):
    """The message with which a file is refused, on opening or on reading all of it."""
    with pytest.raises(UsageError) as caught:
        Scene.open(path, **options).read()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def test_missing_file_suggests_a_near_name(tmp_path):
    path = write_raster(tmp_path / "harbour.png", gradient())
    assert f"did you mean {str(path)!r}" in refused(tmp_path / "harbor.png")
    assert "check the path" in refused(tmp_path / "x.tif")
    assert "does not exist" in refused(tmp_path / "no" / "x.tif")


def test_folder(tmp_path):
    assert "is a folder" in refused(tmp_path)
    write_raster(tmp_path / "a.png", gradient())
    assert "'a.png'" in refused(tmp_path)


@pytest.mark.parametrize(
    "address",
    ["https://example.org/a.tif", "http://x/y.png", "s3://bucket/a.tif", "file:///a.tif", "/vsicurl/http://x"],
)
def test_address(address):
    assert "address" in refused(address) or address.startswith("file")


def test_path_that_no_system_takes():
    assert "there is no file" in refused("a\0b.tif") or "cannot be used" in refused("a\0b.tif")
    assert "cannot be used" in refused("a" * 5000 + ".tif")


def test_pipe(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert "pipe" in refused(tmp_path / "a.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_no_permission(tmp_path):
    path = write_raster(tmp_path / "a.png", gradient())
    path.chmod(0)
    assert "permission" in refused(path)


def test_no_permission_as_the_system_reports_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "permission" in refused(write_raster(tmp_path / "a.png", gradient()))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_empty_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert "0 bytes" in refused(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am no picture",
        b"\x00" * 64,
        b"<VRTDataset rasterXSize='9' rasterYSize='9'></VRTDataset>",
        b"x",
        b"%PDF-1.7",
    ],
    ids=["text", "zeros", "virtual file", "one byte", "pdf"],
)
def test_not_an_image(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert "is not an image" in refused(path)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_cut_short(tmp_path, suffix, share):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (3, 120, 160)).astype(np.uint8)
    path = write_raster(tmp_path / f"a{suffix}", pixels)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    message = refused(path)
    assert "damaged" in message or "cut short" in message


def test_only_the_magic_number(tmp_path):
    for magic in (
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"II*\0",
        b"MM\0*",
        b"BM",
        b"RIFF....WEBP",
        b"\xff\x4f\xff\x51",
    ):
        path = tmp_path / "a.img"
        path.write_bytes(magic)
        assert "damaged or cut short" in refused(path)


def test_flipped_bits_in_a_png(tmp_path):
    path = write_raster(tmp_path / "a.png", gradient(200, 200))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "damaged PNG" in refused(path)


def test_cut_short_and_read_by_windows(tmp_path, monkeypatch):
    monkeypatch.setattr("surveyor.core.raster._KEEP_DECODED_BYTES", 0)
    path = write_raster(tmp_path / "a.tif", gradient(300, 300), tiled=True, blockxsize=64, blockysize=64)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    scene = Scene.open(path)
    assert scene.read((0, 0, 60, 60)).any()
    with pytest.raises(UsageError, match="damaged"):
        scene.read((200, 200, 300, 300))


def huge_png(path, width, height):
    """A valid PNG head that declares a size it does not hold."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    return path


def test_decompression_bomb(tmp_path, monkeypatch):
    path = huge_png(tmp_path / "a.png", 60_000, 60_000)
    message = refused(path)
    assert "10,300 MB" in message  # 60000 * 60000 * 3 / 2**20
    assert "SURVEYOR_MAX_DECODED_MB=10300" in message
    small = write_raster(tmp_path / "b.png", gradient(600, 600))
    assert "limit is 1 MB" in refused(small, max_decoded_mb=1)
    monkeypatch.setenv("SURVEYOR_MAX_DECODED_MB", "1")
    assert "limit is 1 MB" in refused(small)
    assert Scene.open(small, max_decoded_mb=2).size_wh == (600, 600)
    monkeypatch.setenv("SURVEYOR_MAX_DECODED_MB", "lots")
    assert "'lots'" in refused(small)


def test_tiff_in_huge_blocks(tmp_path):
    path = write_raster(tmp_path / "a.tif", gradient(600, 600), tiled=True, blockxsize=1024, blockysize=1024)
    assert "blocks of 1024 x 1024 px" in refused(path, max_decoded_mb=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_hardly_any_pixels(tmp_path, shape):
    path = write_raster(tmp_path / "a.tif", np.ones((3, *shape), np.uint8))
    assert "expected at least 2 x 2" in refused(path)


@pytest.mark.parametrize("kind", ["bytes", "floats", "nan", "alpha"])
def test_nothing_but_nodata(tmp_path, kind):
    from rasterio.enums import ColorInterp

    pixels = np.zeros((3, 20, 20), "uint8" if kind in ("bytes", "alpha") else "float32")
    options = {"bytes": {"nodata": 0}, "floats": {"nodata": 0}, "nan": {}, "alpha": {}}[kind]
    if kind == "nan":
        pixels[:] = np.nan
    if kind == "alpha":
        pixels = np.concatenate([pixels, pixels[:1]])
        options["colorinterp"] = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    assert "no valid pixel" in refused(write_raster(tmp_path / "a.tif", pixels, **options))


def test_complex_numbers(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 8, 8), np.complex64))
    assert "complex64" in refused(path)


@pytest.mark.parametrize("bands", [(1, 2), (1, 2, 9), (0,), (), ("red", "green", "blue")])
def test_bands_that_are_not_there(tmp_path, bands):
    assert "expected one or three" in refused(write_raster(tmp_path / "a.tif", gradient()), bands=bands)

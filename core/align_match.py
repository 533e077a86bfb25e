"""How well two images of one size lie on each other, whatever their light: correlation of edge directions.

Each pixel becomes a complex number that points along its grey-level gradient, with a length that says only whether
there is an edge at all (orientation correlation: Fitch, Kadyrov, Christmas and Kittler, BMVC 2002), once signed and
once with the angle doubled, which forgets which side is the brighter one. These maps are correlated over shifts with a
half-whitened spectrum, between plain and phase correlation (Kuglin and Hines, "The phase correlation image alignment
method", 1975). Heights are in robust standard deviations of the surface.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

_BORDER_PX = 4
_SIGMA_PX = 0.7
_LEAST_GRADIENT = 0.25
_NEAR_PX = 4
_FINE, _COARSE = (0.6, 1.0), (1.0, 2.0, 4.0)
_COLOUR = (2.0, 4.0)
_TEXTURE_SIGMA_PX, _LEAST_TEXTURE = 3.0, 0.5


def edge_maps(grey: np.ndarray, valid: np.ndarray, sigma_px: float = _SIGMA_PX) -> np.ndarray:
    """(2, H, W) complex64: gradient directions, signed and with their angle doubled; 0 where nothing is known.

    Args:
        grey: (H, W) float32, 0..255.
        valid: (H, W) bool, where there is data.
        sigma_px: standard deviation of the smoothing.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), sigma_px)
    gradient = np.empty((*grey.shape, 2), np.float32)
    gradient[..., 0] = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    gradient[..., 1] = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    z = gradient.view(np.complex64)[..., 0]
    length = np.abs(z)
    middle = max(float(np.median(length[::3, ::3])), _LEAST_GRADIENT)
    maps = np.stack([z / (length + middle), z * z / (length * length + middle * middle)])
    keep: np.ndarray = np.zeros(grey.shape, np.uint8)
    edge = _BORDER_PX
    keep[edge:-edge, edge:-edge] = valid[edge:-edge, edge:-edge]
    if not valid.all():
        keep = cv2.erode(keep, np.ones((2 * edge + 1, 2 * edge + 1), np.uint8))
    maps *= keep
    return maps


def spectra(maps: np.ndarray, shape_hw: tuple[int, int]) -> np.ndarray:
    """(2, *shape_hw) complex64: Fourier transforms of edge maps, padded with zeros at the right and below."""
    padded = np.zeros((len(maps), *shape_hw), np.complex64)
    padded[:, : maps.shape[1], : maps.shape[2]] = maps
    turned = [cv2.dft(part.view(np.float32).reshape(*shape_hw, 2)) for part in padded]
    return np.stack(turned).view(np.complex64)[..., 0]


def correlation(first: np.ndarray, second: np.ndarray, reach_px: int) -> np.ndarray:
    """(2 r + 1, 2 r + 1) surface; entry (r + dy, r + dx) tells how well first(p + d) fits second(p).

    Args:
        first: `spectra` of one image's edge maps, padded by at least r.
        second: those of the other's, of the same shape.
        reach_px: r, the farthest shift.
    """
    side = 2 * reach_px + 1
    total = np.zeros((side, side), np.float32)
    for one, other in zip(first, second, strict=True):
        product: Any = cv2.mulSpectrums(_pairs(one), _pairs(other), 0, conjB=True)
        size: Any = _length(product[..., 0], product[..., 1])
        size += 1e-3 * float(size.mean()) + 1e-12
        product /= cv2.sqrt(size)[..., None]
        back = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)[..., 0]
        rows, columns = (np.arange(-reach_px, reach_px + 1) % length for length in back.shape)
        total += standing_out(back[np.ix_(rows, columns)])
    return total


def _length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Length of each vector; cv2.magnitude rounds as the memory happens to lie, and a peak may hang on that."""
    return np.asarray(np.sqrt(x * x + y * y))


def _pairs(spectrum: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs of floats, as OpenCV wants them; the same memory."""
    return spectrum.view(np.float32).reshape(*spectrum.shape, 2)


def padded_shape(shape_hw: tuple[int, int], reach_px: int) -> tuple[int, int]:
    return cv2.getOptimalDFTSize(shape_hw[0] + reach_px), cv2.getOptimalDFTSize(shape_hw[1] + reach_px)


def standing_out(surface: np.ndarray) -> np.ndarray:
    """The surface in robust standard deviations (1.4826 times the median deviation) from its median."""
    middle = float(np.median(surface))
    spread = 1.4826 * float(np.median(np.abs(surface - middle)))
    return np.asarray((surface - middle) / max(spread, 1e-9))


def has_texture(grey: np.ndarray, valid: np.ndarray) -> bool:
    """Whether there is anything to align by: edges that outlast a smoothing in which noise is lost.

    Args:
        grey: (H, W) float32, 0..255.
        valid: (H, W) bool.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), _TEXTURE_SIGMA_PX)
    x, y = (cv2.Scharr(smooth, cv2.CV_32F, *axes, scale=1 / 32) for axes in ((1, 0), (0, 1)))
    known = cv2.erode(valid.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    if not known.any():
        return False
    return float(np.percentile(_length(x, y)[known], 98)) >= _LEAST_TEXTURE


def lie_together(before_rgb: np.ndarray, after_rgb: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """How far the match within 4 px of where the images lie stands out, by fine edges and by large forms and colours.

    For pairs in which so much has changed that a search over shifts and turns finds nothing: where only one place is
    asked about, less evidence is enough.

    Args:
        before_rgb, after_rgb: (H, W, 3) uint8.
        valid: (H, W) bool, where both have data.
    """
    reach = 6 * _NEAR_PX
    shape = padded_shape(valid.shape, reach)
    heights = []
    for sigmas, colour in ((_FINE, ()), (_COARSE, _COLOUR)):
        total = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        maps = [_many_maps(each, valid, sigmas, colour) for each in (before_rgb, after_rgb)]
        for first, second in zip(*maps, strict=True):
            total += correlation(spectra(first, shape), spectra(second, shape), reach)
        near = slice(reach - _NEAR_PX, reach + _NEAR_PX + 1)
        heights.append(float(standing_out(total)[near, near].max()))
    return heights[0], heights[1]


def _many_maps(
    rgb: np.ndarray, valid: np.ndarray, sigmas: tuple[float, ...], colour: tuple[float, ...]
) -> list[np.ndarray]:
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    maps = [edge_maps(grey, valid, sigma) for sigma in sigmas]
    return maps + [edge_maps(lab[..., band], valid, sigma)[:1] for sigma in colour for band in (1, 2)]

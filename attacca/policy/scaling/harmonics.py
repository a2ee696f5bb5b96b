"""What comes next, if what was so far goes on: its trend, and the strongest of the waves in it."""

from collections.abc import Sequence
from math import atan2, cos, hypot, pi, sin


def forecast(past: Sequence[float], ahead: int, waves: int) -> list[float]:
    """The next so many values after `past`, which are at equal distances.

    The slope p of the straight line that fits best is taken out, x[i] - p * i; of the discrete Fourier transform X of
    that, the constant and the `waves` frequencies k with the largest |X[k]| stay (the lower ones where they are equal):

        x[n + j] = sum of |X[k]| / n * cos(2 pi k (n + j) / n + phase[k]) over those and their mirrors, + p * (n + j)
    """
    count = len(past)
    slope = trend(past)
    level = [value - slope * at for at, value in enumerate(past)]
    circle = [2 * pi * at / count for at in range(count)]
    cosines, sines = [cos(angle) for angle in circle], [sin(angle) for angle in circle]
    found: list[tuple[float, float, int]] = []  # amplitude, phase, frequency
    for frequency in range(1, count // 2 + 1):
        real = sum(value * cosines[frequency * at % count] for at, value in enumerate(level))
        imaginary = -sum(value * sines[frequency * at % count] for at, value in enumerate(level))
        mirrored = 1 if 2 * frequency == count else 2
        found.append((mirrored * hypot(real, imaginary) / count, atan2(imaginary, real), frequency))
    found.sort(key=lambda wave: (-round(wave[0], 9), wave[2]))
    mean = sum(level) / count
    return [
        mean
        + slope * (count + at)
        + sum(size * cos(circle[frequency * at % count] + phase) for size, phase, frequency in found[:waves])
        for at in range(ahead)
    ]


def trend(values: Sequence[float]) -> float:
    """By how much a value exceeds the one before it, by the line that fits best."""
    count = len(values)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(values) / count
    covariance = sum(((at - middle) * (value - mean) for at, value in enumerate(values)), 0.0)
    return covariance / sum(((at - middle) ** 2 for at in range(count)), 0.0)

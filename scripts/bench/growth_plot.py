"""The picture of `bench growth`: seconds by what grows, both on scales of powers of ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.measure import BenchError


@dataclass(frozen=True)
class Curve:
    """One way: seconds by what grows."""

    name: str
    points: Mapping[int, float]


@dataclass(frozen=True)
class Panel:
    """What grows, and the ways beside each other."""

    grows: str
    curves: Sequence[Curve]


def draw(panels: Sequence[Panel], file: Path) -> None:
    """Writes an SVG of the panels. Raises BenchError where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise BenchError("the picture needs matplotlib: pip install matplotlib") from None
    mpl.use("svg")
    # Texts stay texts, and the same figures give the same file.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "dapu", "font.size": 10}
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.8), squeeze=False)
    for axis, panel in zip(axes[0], panels, strict=True):
        for curve in panel.curves:
            axis.plot(list(curve.points), list(curve.points.values()), "o-", ms=4, label=curve.name)
        axis.set(xscale="log", yscale="log", xlabel=panel.grows, ylabel="seconds")
        for scale in (axis.xaxis, axis.yaxis):
            scale.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.10g}"))
            scale.set_minor_formatter(NullFormatter())
        axis.grid(visible=True, which="major", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None, "Creator": None}, facecolor="white")

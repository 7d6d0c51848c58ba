"""Small plots as SVG: one line for each series, on axes that both grow by powers, with the least and largest of each point."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 42
# Told apart by people who see few colours too, and by dashes.
LOOKS = [("#0b62a4", ""), ("#c2410c", "6 3"), ("#3f7d20", "2 3"), ("#6b21a8", "8 3 2 3")]


class Axis:
    """From values to places on paper, logarithmic."""

    def __init__(self, values, start, end):
        self.low, self.high = math.log10(min(values)), math.log10(max(values))
        if self.high - self.low < 0.3:
            self.low, self.high = self.low - 0.15, self.high + 0.15
        self.start, self.end = start, end

    def at(self, value):
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self):
        for power in range(math.floor(self.low), math.ceil(self.high) + 1):
            # Where there are few powers, steps between them.
            for step in (1,) if self.high - self.low > 1.6 else (1, 2, 5):
                value = step * 10 ** power
                if self.low - 1e-9 <= math.log10(value) <= self.high + 1e-9:
                    yield value


def svg(plot):
    points = [point for series in plot["series"].values() for point in series]
    across = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = Axis([spread[which] for _, spread in points for which in ("least", "largest")], HEIGHT - BOTTOM, TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
             f'font-family="sans-serif" font-size="11" role="img">', f"<title>{escape(plot['title'])}</title>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             f'<text x="{LEFT}" y="16" font-size="13">{escape(plot["title"])}</text>']
    counts = sorted({x for x, _ in points})
    for value in counts if len(counts) < 7 else across.ticks():
        x = across.at(value)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{short(value)}</text>')
    for value in up.ticks():
        y = up.at(value)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{milliseconds(value)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(plot["x"])}</text>')
    for number, (name, series) in enumerate(plot["series"].items()):
        parts.extend(line(name, series, number, across, up))
    return "\n".join([*parts, "</svg>", ""])


def line(name, series, number, across, up):
    colour, dashes = LOOKS[number % len(LOOKS)]
    places = [(across.at(x), up.at(spread["median"]), up.at(spread["least"]), up.at(spread["largest"])) for x, spread in series]
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in places)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
    for x, y, least, largest in places:
        yield f'<line x1="{x:.1f}" y1="{least:.1f}" x2="{x:.1f}" y2="{largest:.1f}" stroke="{colour}"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>'
    top = TOP + 6 + number * 15
    yield f'<line x1="{LEFT + 8}" y1="{top}" x2="{LEFT + 30}" y2="{top}" stroke="{colour}" stroke-width="1.6"{dash}/>'
    yield f'<text x="{LEFT + 35}" y="{top + 4}">{escape(name)}</text>'


def short(value):
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def milliseconds(value):
    return f"{value / 1000:g} s" if value >= 1000 else f"{value:g} ms"

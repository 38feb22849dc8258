"""The cost of each call on a small and a large desk, as an SVG of horizontal bars."""

from __future__ import annotations

from typing import Any

ROW, BAR, LEFT, WIDTH, TOP = 34, 11, 190, 760, 46


def bars(rows: list[dict[str, Any]]) -> str:
    """Medians in milliseconds, on a linear scale."""
    most = max(max(row["small"]["p50_ms"], row["large"]["p50_ms"]) for row in rows)
    scale = (WIDTH - LEFT - 90) / most
    height = TOP + ROW * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>Median time of each call at a thousand and at a million tickets</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="14" y="26" font-weight="600" fill="#1d2433">Median milliseconds, 4 clients: '
        '<tspan fill="#8a94a8">small desk</tspan> and <tspan fill="#2f4bc4">large desk</tspan></text>',
    ]
    for n, row in enumerate(rows):
        y = TOP + n * ROW
        name = row["call"].replace("_", " ")
        parts.append(f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end" fill="#1d2433">{name}</text>')
        for k, (size, colour) in enumerate((("small", "#8a94a8"), ("large", "#2f4bc4"))):
            value = row[size]["p50_ms"]
            top = y + 2 + k * (BAR + 2)
            parts.append(
                f'<rect x="{LEFT}" y="{top}" width="{max(1, value * scale):.1f}" height="{BAR}" fill="{colour}"/>'
            )
            end = LEFT + value * scale + 6
            parts.append(f'<text x="{end:.1f}" y="{top + 10}" font-size="11" fill="#5a6378">{value:.2f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"

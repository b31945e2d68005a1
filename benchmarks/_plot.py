"""Charts as SVG, without a plotting library."""
from xml.sax.saxutils import escape

BAR, GAP, LABEL, WIDTH, VALUE = 18, 6, 260, 420, 90
OURS, OTHERS = "#1b7837", "#9e9e9e"
COLOURS = ["#1b7837", "#d95f02", "#7570b3", "#e7298a", "#a6761d", "#1f78b4", "#666666"]


def bars(path, title, panels):
    """panels: (title, unit, [(label, value, least, most, whether it is ours)]). Each panel has its own scale, from zero."""
    rows, top = [f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>'], 38
    for heading, unit, values in panels:
        rows.append(f'<text x="12" y="{top + 14}" font-weight="bold">{escape(heading)}</text>')
        top += 24
        largest = max(most for _, _, _, most, _ in values) or 1
        for label, value, least, most, ours in values:
            at = lambda number: LABEL + number / largest * WIDTH
            middle = top + BAR / 2
            rows.append(f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>')
            rows.append(f'<rect x="{LABEL}" y="{top}" width="{at(value) - LABEL:.1f}" height="{BAR}" fill="{OURS if ours else OTHERS}"/>')
            rows.append(f'<path d="M{at(least):.1f} {middle}H{at(most):.1f}" stroke="#000"/>')
            rows.append(f'<text x="{at(most) + 6:.1f}" y="{middle + 4}">{value:.3g} {escape(unit)}</text>')
            top += BAR + GAP
        top += 10
    written(path, LABEL + WIDTH + VALUE, top, rows)


def lines(path, title, x_label, panels):
    """panels: (title, unit, [(label, [(x, value, half of the interval)])]), side by side, with one legend. Each has its own scale, from zero;
    the colour of a line is that of its label in all of them."""
    left, side, high, head = 50, 300, 230, 62
    labels = list(dict.fromkeys(label for _, _, series in panels for label, _ in series))
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    rows = [f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>']
    for number, (heading, unit, series) in enumerate(panels):
        x0 = left + number * (side + left + 10)
        xs = sorted({x for _, points in series for x, _, _ in points})
        most = max(value + half for _, points in series for _, value, half in points) * 1.05 or 1
        across = lambda x: x0 + (x - xs[0]) / ((xs[-1] - xs[0]) or 1) * side
        above = lambda value: head + high * (1 - value / most)
        rows.append(f'<text x="{x0}" y="{head - 14}" font-weight="bold">{escape(heading)}, {escape(unit)}</text>')
        step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if most / s <= 8)
        for k in range(int(most / step) + 1):
            rows.append(f'<path d="M{x0} {above(k * step):.1f}h{side}" stroke="#ddd"/>')
            rows.append(f'<text x="{x0 - 6}" y="{above(k * step) + 4:.1f}" text-anchor="end">{k * step:g}</text>')
        for x in xs:
            rows.append(f'<text x="{across(x):.1f}" y="{head + high + 18}" text-anchor="middle">{x:g}</text>')
        rows.append(f'<text x="{x0 + side / 2}" y="{head + high + 36}" text-anchor="middle">{escape(x_label)}</text>')
        for label, points in series:
            path_of = "L".join(f"{across(x):.1f} {above(value):.1f}" for x, value, _ in points)
            bars_of = "".join(f"M{across(x):.1f} {above(value - half):.1f}V{above(value + half):.1f}" for x, value, half in points)
            rows.append(f'<path d="M{path_of}{bars_of}" fill="none" stroke="{colour[label]}" stroke-width="1.8"/>')
    width, below = left + len(panels) * (side + left + 10), head + high + 62
    columns = max(1, (width - left) // 180)
    for i, label in enumerate(labels):
        x, y = left + i % columns * 180, below + i // columns * 18
        rows.append(f'<path d="M{x} {y - 4}h24" stroke="{colour[label]}" stroke-width="3"/><text x="{x + 30}" y="{y}">{escape(label)}</text>')
    written(path, width, below + (len(labels) - 1) // columns * 18 + 14, rows)


def written(path, width, height, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
                   f'font-family="sans-serif" font-size="12">\n<rect width="{width}" height="{height}" fill="#fff"/>\n')
        file.write("\n".join(rows) + "\n</svg>\n")

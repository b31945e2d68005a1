"""Bar charts as SVG, without a plotting library."""
from xml.sax.saxutils import escape

BAR, GAP, LABEL, WIDTH, VALUE = 18, 6, 260, 420, 90
OURS, OTHERS = "#1b7837", "#9e9e9e"


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
    width = LABEL + WIDTH + VALUE
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}" '
                   f'font-family="sans-serif" font-size="12">\n<rect width="{width}" height="{top}" fill="#fff"/>\n')
        file.write("\n".join(rows) + "\n</svg>\n")

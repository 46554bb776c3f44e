"""Numbers as people read them."""

from __future__ import annotations

import math

NOTHING = "–"


def known(value: float | None) -> bool:
    """True where there is a number to show."""
    return value is not None and not math.isnan(value)


def proportion(value: float | None, digits: int = 3) -> str:
    """0.4123 as ".412"."""
    if value is None or math.isnan(value):
        return NOTHING
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text.replace("-0.", "-.", 1)


def percent(value: float | None) -> str:
    """0.0048 as "0.5%"; whole numbers from 100% on."""
    if value is None or math.isnan(value):
        return NOTHING
    shown = 100 * value
    if 0 < abs(shown) < 0.05:
        return "<0.1%"
    return f"{shown:.0f}%" if abs(shown) >= 99.95 else f"{shown + 0.0:.1f}%"


def seconds(value: float | None) -> str:
    """0.03 as "0.03", 12.3 as "12.3", 134 as "2m14", 7300 as "2h02"."""
    if value is None or math.isnan(value):
        return NOTHING
    if value < 9.995:
        return f"{value:.2f}"
    if value < 99.95:
        return f"{value:.1f}"
    whole = round(value)
    return f"{whole // 60}m{whole % 60:02d}" if whole < 3600 else f"{whole // 3600}h{whole % 3600 // 60:02d}"


def duration(value: float) -> str:
    """Seconds in a sentence: "0.4 s", "12 s", "2 min 14 s", "2 h 02 min"."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )


def of_all(done: int, total: int, left: float | None) -> str:
    """How far several runs are: "3 of 12 runs done · about 31 min 20 s left"."""
    said = f"{done} of {total} runs done"
    return (
        f"{said} · time left not known before the first ends"
        if left is None
        else f"{said} · about {duration(left)} left"
    )


def milliseconds(value: float | None) -> str:
    """Three significant digits at least."""
    if value is None or math.isnan(value):
        return NOTHING
    if value < 0.1:
        return f"{value:.4f}".lstrip("0")
    return f"{value:.3f}".lstrip("0") if value < 1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Bytes as "312 MB" or "1.2 GB" (powers of 1,000)."""
    if value is None or math.isnan(value):
        return NOTHING
    number, units = float(value), ["B", "kB", "MB", "GB", "TB"]
    while number >= 999.5 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return f"{number:.1f} {units[0]}" if number < 9.95 and units[0] not in ("B", "kB") else f"{number:.0f} {units[0]}"


def count(value: float | None) -> str:
    """1234567 as "1,234,567"."""
    return NOTHING if value is None or math.isnan(value) else f"{value:,.0f}"


def short_count(value: float | None) -> str:
    """Five characters at most: 9,312; 31.2k; 1.2M."""
    if value is None or math.isnan(value):
        return NOTHING
    for limit, divisor, unit in ((9_999.5, 1, ""), (999_950, 1e3, "k"), (999_950_000, 1e6, "M")):
        if value < limit:
            shown = value / divisor
            return f"{shown:,.0f}{unit}" if divisor == 1 or shown >= 99.95 else f"{shown:.1f}{unit}"
    return f"{value / 1e9:.1f}G"


def amount(value: float | None) -> str:
    """Money or energy with three significant digits: "0.000623", "1.30", "24.1", "1,312"; six decimals at most."""
    if value is None or math.isnan(value):
        return NOTHING
    if 0 < value < 5e-7:
        return "<0.000001"
    digits = 2 - math.floor(math.log10(value)) if value else 2
    return f"{value:,.{min(max(digits, 0), 6)}f}"


def one_line(header: str) -> str:
    """A column's header on one line: "recall@50", "p50 ms", "req/s"."""
    return header.replace("\n@", "@").replace("\n/", "/").replace("\n", " ")

"""Help that teaches by examples."""

from __future__ import annotations


def examples(*pairs: tuple[str, str], title: str = "Examples") -> str:
    """The end of a help page: what one may want, and the command that does it."""
    blocks = [f"[bold]{title}[/]", *(f"{what}\n\n[cyan]{command}[/]" for what, command in pairs)]
    return "\n\n\n\n".join(blocks)

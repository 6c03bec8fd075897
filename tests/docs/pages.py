"""Reading the Markdown pages of the docs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md'), *ROOT.glob('docs/results/*.md'),
                *ROOT.glob('benchmarks/**/*.md')])


def blocks(page: Path, language: str) -> list[str]:
    """Contents of the fenced blocks of one language, without their indentation."""
    found = re.findall(rf'^( *)```{language}\n(.*?)^ *```', page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(f'^{indent}', '', text, flags=re.MULTILINE) for indent, text in found]


def commands(page: Path) -> list[str]:
    """Shell commands of a page, one line each, without comments."""
    lines = '\n'.join(blocks(page, 'shell')).replace('\\\n', ' ').split('\n')
    return [' '.join(re.sub(r'\s#.*', '', line).split()) for line in lines if line.strip()]


def commands_within_text(page: Path) -> list[str]:
    """Make targets that stand in a sentence."""
    return re.findall(r'`(make [a-z-]+)`', page.read_text())

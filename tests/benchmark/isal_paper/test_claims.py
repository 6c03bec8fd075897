import subprocess
import sys
from pathlib import Path

import pytest

from mmal.benchmark.isal_paper.claims import CLAIMS, check, line, report

ROOT = Path(__file__).parents[3]


def of(table, other):
    return check(next(c for c in CLAIMS if (c.table, c.other) == (table, other)))


@pytest.mark.parametrize(('table', 'other', 'percent'), [
    (4, 'Coreset', 11.75), (4, 'Random', 23.65), (5, 'Coreset', 2.95), (5, 'Random', 9.11), (6, 'Coreset', 12.61),
    (6, 'Random', 14.88), (8, 'Coreset', 13.28), (8, 'Localization stability', 25.19), (9, 'Random', 13.68),
    (9, 'Learning loss', 59.75), (10, 'Coreset', 7.55), (11, 'Random', 10.77)])
def test_recomputed_savings(table, other, percent):
    assert of(table, other).percent == pytest.approx(percent, abs=0.005)


def test_one_by_hand():
    # ISAL on CIFAR10: 88.05599827 with 8000 images, 89.2639981 with 9000; coreset ends at 89.05199809 with 10000
    found = of(4, 'Coreset')
    assert found.ours == pytest.approx(8000 + 1000 * (89.05199809 - 88.05599827) / (89.2639981 - 88.05599827))
    assert found.other == 10000
    assert found.agrees


def test_the_target_that_isal_never_reaches_is_said():
    found = of(9, 'Random')
    assert found.target == 0.218
    assert found.ours == 80139
    assert 'not both reach 22.00 %' in line(found)


def test_what_reproduces_a_figure_that_differs():
    name, ours, other = of(8, 'Localization stability').reproduced_by
    assert 'nearest' in name
    assert (ours, other) == (5616, pytest.approx(7601.66667))
    assert of(8, 'Coreset').reproduced_by is None  # it agrees as it is
    assert 'Differs' not in line(of(8, 'Coreset'))


def test_every_claim_is_a_line():
    assert len(CLAIMS) == 12
    lines = report().splitlines()
    assert len(lines) == 13
    assert 'recomputed 60.75 % (522,488 of 860,001 boxes' in lines[-1]
    assert all('published' in text and 'points' in text for text in lines)


def test_the_tool_prints_them():
    command = [sys.executable, 'tools/paper_claims.py']
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout == report() + '\n'

"""Figures of the book and of the exported code: book_figures.py [CHECKOUT]

Words of prose in each chapter, words before the first training, exported cells, long lines, private words."""
import io
import json
import re
import statistics
import sys
import tokenize
from pathlib import Path

from private_words import SAY

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1])
TRAINS = re.compile(r'\.fit(_flat_linear|_one_cycle)?\(|fit_coarse_to_fine\(')


def cells(path): return json.loads(path.read_text(encoding='utf-8'))['cells']


def source(cell): return ''.join(cell['source'])


def words(path): return sum(len(source(c).split()) for c in cells(path) if c['cell_type'] == 'markdown')


def before_training(paths):
    "Words of prose that stand before the first cell that trains a network."
    total = 0
    for path in paths:
        for cell in cells(path):
            if cell['cell_type'] == 'markdown': total += len(source(cell).split())
            elif TRAINS.search(source(cell)): return total
    return total


def exported(paths):
    "Lines of every exported cell, without directives and empty lines."
    for path in paths:
        for cell in cells(path):
            lines = [line for line in source(cell).split('\n') if line.strip() and not re.match(r'\s*#\s*\|', line)]
            if cell['cell_type'] == 'code' and re.match(r'#\s*\|\s*exports?\b', source(cell)) and lines: yield len(lines)


def long_lines(path):
    "Lines over 120 characters; those of them whose code, comments and messages aside, is too long."
    text = path.read_text(encoding='utf-8')
    comments, strings = {}, {}
    for t in tokenize.generate_tokens(io.StringIO(text).readline):
        if t.type == tokenize.COMMENT: comments[t.start[0]] = t.start[1]
        if t.type == tokenize.STRING or tokenize.tok_name[t.type].startswith('FSTRING'):
            for row in range(t.start[0], t.end[0] + 1): strings[row] = strings.get(row, 0) + (t.end[1] - t.start[1] if t.start[0] == t.end[0] else 999)
    long = [(n, line) for n, line in enumerate(text.split('\n'), 1) if len(line) > 120]
    return len(long), sum(len(line[:comments.get(n, len(line))].rstrip()) > 120 and strings.get(n, 0) < 50 for n, line in long)


def main():
    pages = [p for p in sorted(ROOT.glob('nbs/**/*.ipynb')) if '.ipynb_checkpoints' not in str(p)]
    book = [p for p in pages if p.parent.name == 'book'] or [p for p in pages if p.parent.name == 'nbs' and p.name[0].isdigit()]
    counts = {p.stem: words(p) for p in book}
    for name, n in counts.items(): print(f'{n:6} words  {name}')
    print(f'{sum(counts.values()):6} words in {len(counts)} chapters, the longest {max(counts.values())}')
    print(f'{before_training(book):6} words before the first training')
    sizes = sorted(exported(pages))
    print(f'{statistics.median(sizes):6} lines in an exported cell (median of {len(sizes)}), longest {sizes[-1]}, {sum(n < 20 for n in sizes) / len(sizes):.0%} under 20')
    code = [p for p in ROOT.glob('pix2pixhd_nb/**/*.py') if p.name not in ('_modidx.py', '__init__.py')]
    total, of_code = map(sum, zip(*map(long_lines, code)))
    print(f'{total:6} lines over 120 characters, {of_code} of them for their code')
    hits = sum(len(re.findall(word, source(c), re.IGNORECASE)) for p in pages for c in cells(p) for word in SAY)
    print(f'{hits:6} private words in notebooks')


if __name__ == '__main__': main()

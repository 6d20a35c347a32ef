"""Counts words that the field has other words for, in the notebooks, the library and the screens: private_words.py [--list]

Left: the word found. Right of the table in CONTRIBUTING.md: the word to use. A plain use of a word (to look at something, to draw a line) is not counted."""
import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAY = { # private word: the field's
    r'\b(?:drawn|toy) (?:scene|street|photo|world|image|picture)s?\b': 'synthetic scene, or generated image',
    r'\bdrawings?\b(?! (?:of the rectangle|tool))': 'generated image',
    r'\b(?:its|the|their|own|ten|of|with|random|chosen|same|other|new|more|all|whose|every|each) looks\b(?! (?:at|like|for|up|into))': 'styles',
    r'\ba look\b(?! at)': 'a style',
    r'\bjudg(?:e|es|ed|ing)\b': 'discriminate; discriminator outputs; grade',
    r'\b(?:one|a|the|this|that|with a|their|its own) sentences?\b': 'error message',
    r'\bcompetitors?\b': 'baselines',
    r'\brecorded (?:training|steps?)\b': 'CUDA graph',
    r'\baveraged weights\b': 'exponential moving average, EMA',
    r'\bgraphics cards?\b': 'GPU',
    r'\bby lot\b': 'at random',
    r'\blearn(?:s|ed|ing)? .{0,20}by heart\b': 'overfitting',
}


def texts():
    "What people read: cells and module docstrings are both in the notebooks; the pages and programs beside them."
    for path in sorted(ROOT.glob('nbs/**/*.ipynb')):
        if '.ipynb_checkpoints' in str(path): continue
        for cell in json.loads(path.read_text(encoding='utf-8'))['cells']: yield path, ''.join(cell['source'])
    for pattern in ('*.md', 'benchmarks/*.py', 'tools/*.py', 'tests/*.py'):
        for path in sorted(ROOT.glob(pattern)):
            if path != Path(__file__).resolve(): yield path, path.read_text(encoding='utf-8')


def found():
    "(path, word, line) of every private word."
    for path, text in texts():
        for line in text.splitlines():
            for word in SAY:
                for m in re.finditer(word, line, re.IGNORECASE): yield path.relative_to(ROOT).as_posix(), m[0].lower(), line.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--list', action='store_true', help='every line, not only the counts')
    args = parser.parse_args()
    hits = list(found())
    if args.list:
        for path, word, line in hits: print(f'{path}: {word}: {line[:140]}')
    for path, n in Counter(path for path, _, _ in hits).most_common(): print(f'{n:5} {path}')
    print(f'{len(hits):5} private words')


if __name__ == '__main__': sys.exit(main())

"""Says where a notebook's stored text no longer comes out.

Compared are what a cell prints and the plain text of what it shows. Left out is what differs from run to run: times and memory, addresses,
folders, dates. Other numbers may differ by `TOLERANCE`, since machines round sums differently.
A cell whose text depends on more than that says so: it holds the comment `# differs from run to run`.
"""
import re
from clean_notebooks import PHOTOS, TEMPORARY, is_progress

TOLERANCE = 0.02
TINY = 1e-4 # numbers written as 2e-07 are errors of rounding
DIFFERS = '# differs from run to run'
TABLE = re.compile(r'<IPython.core.display.HTML object>|<div><table class="fastprogress">.*', re.DOTALL) # of a training, on a page
BARS = re.compile(r'^█.*\n?', re.MULTILINE) # the same in a terminal
NUMBER = r'[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?'
UNIT = r'(?:[µμumn]?s|sec(?:ond)?s?|min(?:ute)?s?|h|hours?|days?|[kKMGT]i?B|bytes)\b|(?:[a-z]+/s|[a-z]+ (?:a|per) second|times (?:as fast|faster|slower))\b'
MASKED = [(re.compile(r' at 0x[0-9a-fA-F]+'), ''), # which cleaning takes out as well
          (re.compile(r'0x[0-9a-fA-F]{6,}'), '<address>'),
          (re.compile(r'(?<![\w/])/(?:[\w.~-]+/)+[\w.~-]*'), '<path>'),
          (re.compile(r'\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?|\b\d+:\d\d(?::\d\d)?\b'), '<time>'),
          (re.compile(rf'{NUMBER}\s?(?:{UNIT})'), '<measured>')]


def texts(cell):
    "What a cell wrote: what it printed, and the plain texts of what it showed."
    outputs = [o for o in cell.get('outputs', []) if not is_progress(o)]
    printed = ''.join(''.join(o['text']) for o in outputs if o.get('name') == 'stdout')
    shown = sorted(''.join(o['data']['text/plain']) for o in outputs if 'text/plain' in o.get('data', {}))
    return [TEMPORARY.sub('', text) for text in (BARS.sub('', printed), *shown) if not TABLE.fullmatch(text)]


def masked(text):
    "`text` without what no two runs share."
    for pattern, name in MASKED: text = pattern.sub(name, text)
    return text


def close(a, b):
    "Are two numbers, as they are written, the same but for rounding?"
    try: x, y = (float(text.replace(',', '')) for text in (a, b))
    except ValueError: return False # versions
    digits = re.split('[eE]', a)[0].partition('.')[2]
    last = TINY if 'e' in a.lower() else 1.001 * 10. ** -len(digits) if digits else 0
    return abs(x - y) <= max(TOLERANCE * max(abs(x), abs(y)), last)


def same(stored, new):
    "Do two texts say the same, but for rounding and spaces?"
    words, others = (re.split(f'({NUMBER})', masked(text)) for text in (stored, new))
    if len(words) != len(others): return False
    pairs = list(zip(words, others))
    return all(a.split() == b.split() for a, b in pairs[::2]) and all(a == b or close(a, b) for a, b in pairs[1::2])


def differences(stored, new, folder='nowhere'): # the checkout where `new` ran
    "For each cell of the notebook `new` whose text is not the one of `stored`: its id and both texts."
    before, found = {cell.id: cell for cell in stored.cells}, []
    for cell in new.cells:
        old = before.get(cell.id)
        if cell.cell_type != 'code' or DIFFERS in old.source or old.source.startswith(PHOTOS): continue
        a, b = texts(old), [text.replace(f'{folder}/', '') for text in texts(cell)]
        if len(a) != len(b) or not all(map(same, a, b)): found.append((cell.id, '\n'.join(a), '\n'.join(b)))
    return found

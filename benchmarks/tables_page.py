"""Makes benchmarks/results/tables/README.md from the rows that benchmarks/tables.py measured: .venv/bin/python benchmarks/tables_page.py"""
import json
import re
import statistics
import sys
from pathlib import Path
from PIL import Image, ImageDraw, ImageFont
sys.path[:0] = [str(p) for p in Path(__file__).resolve().parents[:2]]
from pix2pixhd_nb.core import colorize, to_pil
from pix2pixhd_nb.data.toy import ToyScenes
from rows import CLAIMS, RUNS, SCALES, TABLES

RESULTS = Path(__file__).resolve().parent/'results'/'tables'
COLUMNS = { # name of a score: heading, decimals
    'accuracy': ('pixel accuracy', 3), 'mean_iou': ('mean IoU', 3), 'share': ("share of the photos' mean IoU", 3), 'edges': ('touching objects with an edge', 3),
    'edges_share': ('the same, as a share of the photos', 3), 'edges_chance': ('by chance', 3), 'diversity': ('distance between draws', 4), 'colours': ("objects' colours explained (R²)", 3), 'l1': ('L1 to the photo', 3)}
FULL = f"python benchmarks/tables.py {' '.join(map(str, TABLES))} --scale full"


def missing(results, scale, data, row):
    "Why a row has no figures."
    if data == 'camvid_256' and RUNS.get(row, {}).get('boundary') is False: return 'not run (no true instances)'
    return 'not run (no GPU)' if scale == 'full' and not any(Path(results).glob('full-*.json')) else 'not run'


def name_of(row, table):
    "What a row is called in a table."
    if row == 'oracle': return 'the photos (oracle)'
    if row == 'read:oracle': return 'the photos themselves'
    if row.startswith('read:'): return f"drawings of {name_of(row[5:], TABLES[1])}"
    return table.get('names', {}).get(row) or RUNS[row]['name']


def known(results, scale, data, row):
    "The measured rows, one for each seed, in the order of the seeds."
    found = [json.loads(p.read_text()) for p in sorted(Path(results).glob(f"{scale}-{data}-{row.replace(':', '_')}-seed*.json"))]
    return sorted(found, key=lambda r: r['seed'])


def figure(rows, column):
    "Mean and, of several seeds, spread (standard deviation) of a score; empty where it does not apply."
    values = [r['scores'][column] for r in rows if r['scores'].get(column) is not None]
    if not values: return ''
    digits = COLUMNS[column][1]
    mean = f'{statistics.mean(values):.{digits}f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.{digits}f}'


def table_lines(results, scale, data, number):
    "One table as Markdown, the paper's figures in its last columns."
    t = TABLES[number]
    paper = ['paper: accuracy', 'paper: mean IoU'] if t['paper'] else []
    heads = ['', *(COLUMNS[c][0] for c in t['columns']), 'seeds', *paper]
    lines = ['| ' + ' | '.join(heads) + ' |', '| --- |' + ' ---: |' * (len(heads) - 1)]
    for row in t['rows']:
        rows = known(results, scale, data, row)
        cells = [figure(rows, c) for c in t['columns']] + [str(len(rows))] if rows else [missing(results, scale, data, row), *[''] * len(t['columns'])]
        published = [f'{v:.4f}' for v in t['paper'].get(row, ())] or [''] * len(paper)
        lines.append('| ' + ' | '.join([name_of(row, t), *cells, *published]) + ' |')
    return lines


def side_by_side(pictures):
    "Pictures in a row, four pixels apart."
    (w, h), n = pictures[0].size, len(pictures)
    sheet = Image.new('RGB', (n * (w + 4) - 4, h), 'white')
    for i, p in enumerate(pictures): sheet.paste(p, (i * (w + 4), 0))
    return sheet


def scene_strips(scale, data):
    "Label maps and pictures of the first held-out scenes, where they are drawn by this package; photos are not ours to show."
    if data != 'drawn': return []
    scenes = ToyScenes(4, size=SCALES[scale]['size'], seed=1)
    return [('label map', side_by_side([to_pil(colorize(s.label_map, scenes.label_space)) for s in scenes])), ('the held-out scenes', side_by_side([to_pil(s.image) for s in scenes]))]


def grid(results, scale, data, number):
    "The first drawn pictures of each row that has some, as one picture; its name, or None."
    t = TABLES[number]
    strips = [(name_of(r, t), Path(results)/'pictures'/f'{scale}-{data}-{r}.jpg') for r in t['rows']]
    strips = [(name, Image.open(p).convert('RGB')) for name, p in strips if p.is_file()]
    if not strips: return None
    strips = scene_strips(scale, data) + strips
    font = ImageFont.load_default(13)
    (w, h), top = strips[0][1].size, 18
    sheet = Image.new('RGB', (w, len(strips) * (h + top + 4)), 'white')
    pen = ImageDraw.Draw(sheet)
    for i, (name, strip) in enumerate(strips):
        pen.text((2, i * (h + top + 4) + 1), name, fill='black', font=font)
        sheet.paste(strip.resize((w, h)), (0, i * (h + top + 4) + top))
    path = Path(results)/'pictures'/f'{scale}-{data}-table{number}.jpg'
    sheet.save(path, quality=78)
    return f'pictures/{path.name}'


def about(results, scale, data):
    "How the rows of a scale were measured."
    rows = [r for p in sorted(Path(results).glob(f'{scale}-{data}-*-seed*.json')) for r in [json.loads(p.read_text())]]
    trained = [r for r in rows if r['minutes']]
    if not trained: return 'No row has been run.'
    s, machines = rows[0]['config']['settings'], sorted({r['setup']['machine'] for r in rows})
    slices = max((r['perceptual_slices'] for r in rows), key=len)
    lines = [f"{len(rows)} rows; {rows[0]['setup']['n_scenes']} held-out scenes at {rows[0]['setup']['size'][1]}x{rows[0]['setup']['size'][0]}; {sum(s['steps'])} steps of one scene each, the same for every row, "
             f"the first {s['steps'][0]} at the full rate; median {statistics.median(r['minutes'] for r in trained):.1f} minutes of training a row ({min(r['minutes'] for r in trained):.1f} to {max(r['minutes'] for r in trained):.1f}) on {' and '.join(machines)}; "
             f"{', '.join(sorted({r['precision'] for r in rows}))}; PyTorch {', '.join(sorted({r['setup']['versions']['torch'] for r in rows}))}."]
    if data != 'drawn': lines.append(f"The segmenter has a backbone that had seen ImageNet, and {s['segmenter_steps']:,} batches of the training photos.")
    if slices: lines.append(f"The perceptual loss has {len(slices)} of the paper's five slices ({slices[0]} to {slices[-1]}): the weights at hand stop there.")
    return ' '.join(lines)


def verdict(results, scale, data, claim):
    "Whether an order of the paper came out here: a row of Markdown."
    number, better, worse, column, source = claim
    by_seed = [{r['seed']: r['scores'][column] for r in known(results, scale, data, row) if column in r['scores']} for row in (better, worse)]
    if 'oracle' in (better, worse): by_seed = [v if len(v) > 1 or not v else dict.fromkeys(by_seed[1 - i] or v, next(iter(v.values()))) for i, v in enumerate(by_seed)]
    shared = sorted(by_seed[0].keys() & by_seed[1].keys())
    what = f"{number}: {name_of(better, TABLES[number])} above {name_of(worse, TABLES[number])}, {COLUMNS[column][0]}"
    if not shared: return f'| {what} | {source} | {missing(results, scale, data, worse)} | |'
    gaps = [by_seed[0][s] - by_seed[1][s] for s in shared]
    held = sum(g > 0 for g in gaps)
    said = ('yes' if held == len(gaps) else 'no' if not held else 'undecided') + f' ({held} of {len(gaps)} seed{"s" * (len(gaps) > 1)})'
    return f'| {what} | {source} | {said} | {statistics.mean(gaps):+.{COLUMNS[column][1]}f} |'


def filled(text, results, scale, data):
    "A text in which {row.score}, {row.iou.class}, {long/row.score} and {photos-facades_256/row.score} stand for measured figures, so that words cannot outlive them."
    def measured(match):
        row, *keys = match[2].split('.')
        values, where = [], (match[1] or scale).split('-')
        for r in known(results, where[0], where[1] if where[1:] else data, row):
            value = r['scores']
            for k in keys: value = value[k]
            values.append(value)
        if not values: return '(not run)'
        return f'{statistics.mean(values):.3f}' + (f' ± {statistics.stdev(values):.3f}' if len(values) > 1 else '')
    return re.sub(r'\{(?:([\w-]+)/)?([\w:]+(?:\.\w+)+)\}', measured, text)


def nothing_run(results, scale, data):
    "The rows of all tables, where none was run, and the command that measures them."
    lines = []
    for n, t in TABLES.items():
        by_reason = {}
        for r in t['rows']: by_reason.setdefault(missing(results, scale, data, r), []).append(name_of(r, t))
        lines += [f"- {n}. {t['title']}. {reason[0].upper() + reason[1:]}: {'; '.join(names)}." for reason, names in by_reason.items()]
    return [f"On a machine with a GPU, `{FULL}` measures these rows (`PIX2PIXHD_DATA` names the folder that holds {data} and the weights), at most ten minutes a row and sitting; the same command goes on where it stopped. "
            '`python benchmarks/tables_page.py` then writes this page.', '', *lines, '']


def section(results, scale, data, account):
    "All tables of one data set at one scale."
    lines = [f"## {scale}, {'drawn scenes' if data == 'drawn' else data}", '', about(results, scale, data), '']
    runs = {n: [r for r in t['rows'] if known(results, scale, data, r)] for n, t in TABLES.items()}
    any_run, skipped = any(set(rows) - {'oracle'} for rows in runs.values()), [str(n) for n in TABLES if scale in ('long', 'photos') and len(runs[n]) < 2] # a row alone compares nothing
    if scale == 'full' and not any_run: return lines + nothing_run(results, scale, data)
    if skipped: lines += [f"Not run at this scale: table{'s' * (len(skipped) > 1)} {', '.join(skipped)}.", '']
    for n, t in TABLES.items():
        if str(n) in skipped: continue
        lines += [f"### {n}. {t['title']}", '', t['asks'], '', *table_lines(results, scale, data, n), '']
        if any_run and (picture := grid(results, scale, data, n)): lines += [f"![Drawn pictures of table {n}: the same four held-out scenes in every row]({picture})", '']
        if any_run and (said := account.get(str(n))): lines += [filled(said, results, scale, data), '']
    if any_run: lines += ['### The orders of the paper', '', '| the first scores higher than the second | where it is said | came out here? | mean difference |', '| --- | --- | --- | ---: |', *(verdict(results, scale, data, c) for c in CLAIMS if str(c[0]) not in skipped), '']
    return lines


def page(results):
    "The whole page."
    note = Path(results)/'account.json' # what agreed and what did not, in words, by whoever looked at the figures
    account = json.loads(note.read_text()) if note.is_file() else {}
    lines = ['# The tables of the paper, made again', '', "`make tables` runs what is missing and writes this page. The paper's figures are of Cityscapes at 2048x1024, read by a segmenter trained on it; "
             'ours are of other data, smaller and shorter, so compare orders and ratios, not levels. `± ` is the standard deviation over seeds of training; a row of one seed has none.', '']
    if account.get('summary'): lines += ['## What agreed, and what did not', '', *(x for text in account['summary'] for x in (filled(text, results, 'quick', 'drawn'), ''))]
    for scale in ('quick', 'long'): lines += section(results, scale, 'drawn', account.get(scale, {}))
    for scale in ('photos', 'full'):
        for data in SCALES[scale]['data']: lines += section(results, scale, data, account.get(f'{scale}-{data}', {}))
    return '\n'.join(lines).rstrip() + '\n'


def main(results=RESULTS):
    text = page(results)
    (Path(results)/'README.md').write_text(text)
    print(Path(results)/'README.md')


if __name__ == '__main__': main(*sys.argv[1:])

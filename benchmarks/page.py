"""Makes benchmarks/results/README.md and its plots from what benchmarks/speed.py and benchmarks/gpu.py measured: .venv/bin/python benchmarks/page.py"""
import json
from pathlib import Path
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parent/'results'
AIMS = { # (part, competitor): how many times as fast as the recipe it should be, on a CPU
    ('step', 'ours, fp32'): 1.25, ('step', 'ours, bf16'): 2.5, ('drawing', 'ours, bf16, kept in 16 bits'): 2.5, ('pooling', 'ours'): 10, ('boundaries', 'ours'): 2,
    ('gpu_step', 'ours, bf16, recorded'): 6, ('gpu_pooling', 'ours'): 50}
VERDICTS = { # of the part `means`
    'without the shared discriminator pass': ('kept', 'one pass of the discriminator on the fake serves both networks, to the same bits (chapter 13); its share of a step on a processor is within the scatter'),
    'without gradients only where needed': ('kept', 'the generator\'s loss computes no gradients of the discriminator\'s weights, which nobody would use'),
    'without fused Adam': ('kept', 'all updates of a network in one call, and each weight is read once'),
    'without memory let go early': ('kept', 'for the memory: the graph of a step is freed while its backward pass runs, not a step later'),
    'without freed memory kept for the next use': ('kept', 'the system need not hand out new pages for every feature map (chapter 13a)'),
    'without leaving out absent classes': ('kept', 'the first layers multiply the channels of the classes that a scene holds, nine of 35 here; with all of them there is no gain (chapter 07)'),
    'without an image\'s columns': ('kept', 'three outputs leave a processor\'s sixteen places idle; seven columns of three do not (chapter 07)'),
    'with channels_last': ('dropped on processors', 'a processor\'s Adam first copies weights that lie in this order, and the library has an order of its own for layers of many pixels; on a GPU in 16 bits it is the default'),
    'with recompute': ('an option', 'for memory, not for time'),
    'ours, bf16': ('an option', 'the same training up to rounding; the default where it is faster'),
    'bf16 with the other memory format': ('dropped on processors', 'channels_last costs here what it gains on a GPU'),
    'bf16 with recompute': ('an option', 'for the largest pictures'),
    'with a compiled generator': ('dropped on processors', 'fused normalisation and activation come with it, and gain nothing that could be told from the scatter beside the convolutions, and each size must be compiled first'),
    'bf16 with a compiled generator': ('dropped on processors', 'the same')}
NOTES = { # below the table of a part
    'first_layer': 'Kept, on a processor: channels of classes that are not there are left out, and the table draws where more than sixteen channels remain. The gradient of a table was tried and took twice as long as the products, so training does without it (chapter 07).',
    'loader': 'Either way a batch is there long before the step before it has ended, so decoded scenes are not kept: memory is worth more.'}
NOT_RUN = ['compile, CUDA graphs, memory formats and fp16', 'maps and photos brought to the card from pinned memory, as bytes and as floats']
NEEDS_GPU = ['training step at 1024x512, 6 times the fp32 recipe and 35 % of the matrix peak', 'drawing 2048x1024 in 10 ms', 'first picture under 20 s',
             'training 2048x1024 within 11 GB by one argument, within 20 GB without', 'pooling 50 times the loop']


def number(x): return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"

def ms(v): return f"{number(1000 * v['median'])} ({number(1000 * v['least'])} to {number(1000 * v['most'])})"

def table(part, rows):
    "The competitors of one part, each beside the recipe."
    lines = ['| | ms: median (least to most) | times as fast | aim |', '| --- | ---: | ---: | ---: |']
    for name, v in rows.items():
        if not isinstance(v, dict) or 'median' not in v: continue
        ratio = rows['recipe']['median'] / v['median'] if 'recipe' in rows and name != 'recipe' else None
        aim = AIMS.get((part, name))
        lines.append(f"| {name} | {ms(v)} | {f'{ratio:.2f}' if ratio else ''} | {aim or ''} |")
    return lines

def means_table(rows):
    "What single means are worth."
    lines = ['| | ms: median (least to most) | ours, fp32, is so many times as fast | highest memory | | |', '| --- | ---: | ---: | ---: | --- | --- |']
    for name, v in rows.items():
        if not isinstance(v, dict) or 'median' not in v: continue
        verdict, why = VERDICTS.get(name, ('', ''))
        lines.append(f"| {name} | {ms(v)} | {1 / v['to_ours'] if v['to_ours'] != 1 else 1:.2f} | {f'''{v['peak'] / 1e9:.2f} GB''' if 'peak' in v else ''} | {verdict} | {why} |")
    return lines

def memory_table(rows):
    "What the plan said beside what was measured."
    lines = ['| | `pix2pixhd plan` | measured | ratio |', '| --- | ---: | ---: | ---: |']
    return lines + [f"| {name} | {v['said'] / 1e9:.2f} GB | {v['measured'] / 1e9:.2f} GB | {v['ratio']:.2f} |" for name, v in rows.items() if isinstance(v, dict) and 'said' in v]

def share_table(rows):
    "Competitors on a graphics card, with the share of the measured matrix rate that each reaches."
    lines = ['| | ms: median (least to most) | times as fast as the recipe | aim | TFLOP a second | of the matrix rate | seconds until warm |', '| --- | ---: | ---: | ---: | ---: | ---: | ---: |']
    for name, v in rows.items():
        if not isinstance(v, dict) or not ('median' in v or 'failed' in v): continue
        if 'failed' in v:
            lines.append(f"| {name} | failed: {v['failed'].splitlines()[0]} | | | | | |")
            continue
        kind = 'bf16' if '16' in name else 'tf32' if 'TF32' in name else 'fp32'
        rate, top, first = rows.get('operations', 0) / v['median'], rows['rates'].get(kind), rows.get('recipe')
        ratio = f"{first['median'] / v['median']:.2f}" if first and 'median' in first and name != 'recipe' else ''
        lines.append(f"| {name} | {ms(v)} | {ratio} | {AIMS.get(('gpu_step', name), '') if 'operations' in rows and first else ''} | {f'{rate / 1e12:.1f}' if rate else ''} | {f'{rate / top:.0%}' if rate and top else ''} | {v['warm_up']:.1f} |")
    return lines

def card_table(rows):
    "Memory on a graphics card: PyTorch's tensors, what it reserved, and the whole process."
    gb = lambda v, k: f'{v[k] / 1e9:.2f} GB' if k in v else ''
    lines = ['| | tensors | reserved | on the device | ms a step: median (least to most) |', '| --- | ---: | ---: | ---: | ---: |']
    return lines + [f"| {name} | {gb(v, 'tensors')} | {gb(v, 'reserved')} | {gb(v, 'device')} | {ms(v) if 'median' in v else 'failed: ' + v['failed'].splitlines()[0]} |" for name, v in rows.get('rows', {}).items()]

def first_table(rows):
    "The seconds of a fresh process until its first picture."
    lines = ['| | import | load | first picture | second picture | until the first |', '| --- | ---: | ---: | ---: | ---: | ---: |']
    return lines + [f"| {name} | " + ' | '.join(f'{v[k]:.2f} s' for k in ('import', 'load', 'first', 'second', 'until_first')) + ' |' for name, v in rows['seconds'].items()]

def rates_table(rows):
    "What the card can do at most."
    return ['| | |', '| --- | ---: |'] + [f"| {k} | {v / 1e12:.2f} {'TB' if k == 'copy' else 'TFLOP'} a second |" for k, v in rows['rates'].items()]

def growth_table(rows):
    "The growth of a step, one row for each size."
    lines = ['| | recipe, ms | ours, ms |', '| --- | ---: | ---: |']
    for key, label in (('by_pixels', 'pixels'), ('by_batch', 'scenes in a batch of 256x128'), ('by_objects', 'objects in 256x128'), ('by_ranks', 'ranks of one thread, a scene of 256x128 each')):
        for n, v in rows.get(key, {}).items(): lines.append(f"| {int(n):,} {label} | {1000 * v['recipe']:.0f} | {1000 * v['ours']:.0f} |" if v.get('recipe') and v.get('ours') else f"| {n} {label} | | {1000 * v['ours']:.0f} |" if v.get('ours') else f"| {n} {label} | | |")
    return lines

TABLES = dict(means=means_table, memory=memory_table, growth=growth_table, gpu_rates=rates_table, gpu_step=share_table, gpu_small_step=share_table, gpu_copies=share_table, gpu_drawing=share_table,
              gpu_memory=card_table, gpu_in_eleven=card_table, gpu_first_picture=first_table, gpu_growth=growth_table)

def plot_parts(step, path):
    "Where the time of a step goes."
    fig, ax = plt.subplots(figsize=(7, 2.2), layout='constrained')
    kinds = sorted({p for parts in step['parts'].values() for p in parts}, key=['condition', 'encoder', 'generator', 'discriminators', 'backward', 'adam'].index)
    names, left = list(step['parts']), [0] * len(step['parts'])
    for color, kind in zip(plt.cm.tab10.colors, kinds):
        widths = [step['parts'][n].get(kind, 0) for n in names]
        ax.barh(names, widths, left=left, color=color, label=kind)
        left = [a + b for a, b in zip(left, widths)]
    ax.invert_yaxis()
    ax.set_xlabel('seconds of one training step')
    ax.legend(fontsize=8, ncols=4, loc='upper center', bbox_to_anchor=(0.5, 1.35), frameon=False)
    fig.savefig(path, dpi=90)
    plt.close(fig)

def plot_growth(pooling, path):
    "How pooling grows with objects and with pixels."
    fig, axes = plt.subplots(1, 2, figsize=(7, 2.4), layout='constrained', sharey=True)
    for ax, key, label in zip(axes, ('by_objects', 'by_pixels'), ('objects (1024x512)', 'pixels (41 objects)')):
        ax.loglog([int(k) for k in pooling[key]], [1000 * v for v in pooling[key].values()], 'o-')
        ax.set_xlabel(label)
    axes[0].set_ylabel('ms')
    fig.savefig(path, dpi=90)
    plt.close(fig)

def page(path):
    "The section of one machine."
    r = json.loads(path.read_text())
    what = next(iter(r.values()))['machine']
    lines = [f"## {what['gpu'] or what['processor']}", '', f"{what['cores']} cores, {what['threads']} threads, Python {what['python']}, PyTorch {what['torch']}. Measured in one run each, in turns.", '']
    for part, rows in r.items():
        rows = rows | dict(rates=r.get('gpu_rates', {}).get('rates', {}))
        lines += [f'### {part.replace("_", " ")}', '', rows['what'], '', *(TABLES[part](rows) if part in TABLES else table(part, rows)), '']
        if part in NOTES: lines += [NOTES[part], '']
        if part == 'step':
            plot_parts(rows, RESULTS/f'{path.stem}_step.png')
            floors = ', '.join(f'{v:.2f} s in {k}' for k, v in rows['floor'].items())
            lines += [f"![Where the time goes]({path.stem}_step.png)", '', f"One step of ours is {rows['operations'] / 1e12:.2f} TFLOP; at the best rate that a matrix product or a convolution reached on this machine that is at least {floors}.", '']
        if 'pooling' in part and 'by_pixels' in rows:
            plot_growth(rows, RESULTS/f'{path.stem}_pooling.png')
            lines += [f"![Growth of pooling]({path.stem}_pooling.png)", '']
    return lines + (['Not run here, for want of a GPU (`python benchmarks/gpu.py` on a machine that has one, then `python benchmarks/page.py`, adds its section; `make bench` does both): ' + '; '.join(NEEDS_GPU + NOT_RUN) + '.', ''] if not what['gpu'] else [])

def main():
    files = sorted(p for p in RESULTS.glob('*.json') if any(isinstance(v, dict) and 'machine' in v and 'what' in v for v in json.loads(p.read_text()).values()))
    lines = ['# Speed', '', 'This library beside a plain rendering of the recipe of 2018 (`benchmarks/recipe.py`): fp32, three discriminator passes, a loop over objects. `make bench` measures again; the ratio is what carries over to another machine.', '']
    for path in files: lines += page(path)
    (RESULTS/'README.md').write_text('\n'.join(lines).rstrip() + '\n')
    print(RESULTS/'README.md')

if __name__ == '__main__': main()

"""Runs the rows of the paper's tables, each once, and writes a JSON for each: .venv/bin/python benchmarks/paper_tables.py 1 2 --scale quick

Rows that are there already, with the same configuration, are left alone; so the same command goes on after a stop, and fills what is missing.
A row may take several sittings (--minutes): its training goes on from its newest checkpoint. benchmarks/rows.py says what is run."""
import argparse
import hashlib
import json
import os
import platform
import signal
import sys
import time
import warnings
from functools import cached_property, partial
from pathlib import Path
import torch
from fastai.callback.core import Callback
from fastai.torch_core import default_device
from fastprogress import fastprogress
from fastcore.basics import patch
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT/'benchmarks')]
from pix2pixhd_nb.training.checkpoints import Checkpoint, Stopped, latest_checkpoint
from pix2pixhd_nb.data.memory_scenes import ScenesInMemory
from pix2pixhd_nb.training.baselines import crn_learner, pix2pix_learner
from pix2pixhd_nb.core import from_pil, to_pil
from pix2pixhd_nb.data.layouts import open_dataset
from pix2pixhd_nb.data.loaders import resize, scene_dataloaders
from pix2pixhd_nb.data.toy import SyntheticScenes
from pix2pixhd_nb.evaluation.touching import compare_edges
from pix2pixhd_nb.evaluation.scores import compare_to_oracle, ratio, train_segmenter
from pix2pixhd_nb.training.losses import PerceptualLoss
from pix2pixhd_nb.models.baselines import CascadedRefinementNetwork, UNet
from pix2pixhd_nb.models.synthesizer import Synthesizer
from pix2pixhd_nb.synthesis.pipeline import Pix2PixHD
from pix2pixhd_nb.evaluation.distances import kernel_distance, picture_features, segmenter_features, squeezenet_features
from pix2pixhd_nb.evaluation.report import SizedScenes, described, jsonable
from pix2pixhd_nb.evaluation.segmenters import load_segmenter, photo_segmenter, save_segmenter
from pix2pixhd_nb.evaluation.diversity import colour_faithfulness, diversity
from pix2pixhd_nb.synthesis.styles import StyleBook, styles_of, measure_features
from pix2pixhd_nb.training.learner import fastest_precision, pix2pixhd_learner
from pix2pixhd_nb.training.coarse_to_fine import grow_learner
from rows import RUNS, SCALES, TABLES, rows_at, run_of, stages_of, tables_at, training_of
from tables_page import side_by_side

DATA = Path(os.environ.get('PIX2PIXHD_DATA', ROOT/'../shared/data')) # of real scenes
WEIGHTS = DATA/'weights'


class ByClass(Synthesizer):
    "Styles pooled over each class of a picture, not over each object."
    def generate(self, condition, instance_map=None, image=None, features=None):
        return super().generate(condition, condition[:, :self.n_classes].argmax(1, keepdim=True), image, features)


class Sitting(Callback):
    "Asks the run to stop, as Ctrl-C would, once its minutes are over; the checkpoint then saves."
    def __init__(self, until): self.until = until # time.time()
    def after_batch(self):
        if self.training and time.time() > self.until:
            self.until = float('inf')
            os.kill(os.getpid(), signal.SIGTERM)


class Bench:
    "One data set at one scale: its scenes, its segmenter, its folders."
    def __init__(self, scale, data, results, work, vgg=None, squeezenet=None, folder=None):
        self.scale, self.data, self.settings = scale, data, SCALES[scale]
        self.results, self.work = Path(results), Path(work)/f'{scale}-{data}'
        self.vgg, self.squeezenet, self.folder = vgg, squeezenet, folder

    def scenes(self, split, n, seed):
        if self.data == 'synthetic': return ScenesInMemory(SyntheticScenes(n, size=self.settings['size'], seed=seed))
        photos = open_dataset(self.folder, 'val' if split == 'test' and (Path(self.folder)/'val').is_dir() else split)
        def fitted(x, by=self.settings.get('shrink', 1)):
            size = x is not None and (self.settings['size'] or (x.shape[-2] // by, x.shape[-1] // by))
            return x if x is None or tuple(x.shape[-2:]) == size else resize(x, size)
        return ScenesInMemory([type(s)(*map(fitted, (s.label_map, s.instance_map, s.image)), s.name) for s in (photos[i] for i in range(len(photos))[:n])], photos.label_space)

    @cached_property
    def train(self): return self.scenes('train', self.settings['n_train'], 0)

    @cached_property
    def test(self): return self.scenes('test', self.settings['n_test'], 1)

    def as_read(self, scenes):
        "Scenes as the segmenters read them: made smaller at a scale that says to what."
        at = self.settings.get('read_at')
        return ScenesInMemory(SizedScenes(scenes, at), scenes.label_space) if at else scenes

    @cached_property
    def read(self): return self.as_read(self.test)

    @cached_property
    def small(self): return ScenesInMemory(self.train[:self.settings['n_small']], self.train.label_space)

    def kept(self, kind, steps): # the file of a segmenter
        "Segmenters lie beside the rows that they graded, so that rows of another day and machine are graded by the same."
        return self.results/'segmenters'/f"{self.settings.get('graders', f'{self.scale}-{self.data}')}-{kind}-{steps}-{self.settings.get('balance', 0):g}.safetensors"

    @cached_property
    def segmenter(self):
        "Trained once on the real images, then kept."
        path = self.kept('first', self.settings['segmenter_steps'])
        if not path.is_file(): save_segmenter(self.new_segmenter(self.as_read(self.train)), path)
        return load_segmenter(path, default_device())

    @cached_property
    def second(self):
        "A second segmenter, of another kind and seed: it has seen these photos alone, where the first has a backbone that knew others. None at scales without."
        if not (steps := self.settings.get('second_steps')): return None
        path = self.kept('second', steps)
        if not path.is_file(): save_segmenter(train_segmenter(self.as_read(self.train), steps, seed=1, balance=self.settings.get('balance', 0.)), path)
        return load_segmenter(path, default_device())

    def graded(self, pictures, segmenter=None):
        "The scores of pictures of the held-out scenes over the classes that the segmenter reads well enough in the real ones; the others by name."
        if self.read is not self.test: pictures = [resize(p if torch.is_tensor(p) else from_pil(p), s.size) for p, s in zip(pictures, self.read)]
        found = compare_to_oracle(segmenter or self.segmenter, self.read, pictures)
        kept = [k for k, v in found['real']['iou'].items() if v >= self.settings.get('read_from', 0)]
        if not kept: raise ValueError(f"The segmenter reads no class of the real images with an IoU of {self.settings['read_from']:g} or more: train it longer.")
        mean, real = (sum(found[which]['iou'][k] for k in kept) / len(kept) for which in ('generated', 'real'))
        return dict(accuracy=found['generated']['accuracy'], mean_iou=mean, share=ratio(mean, real), iou=found['generated']['iou'], unread=[k for k in found['real']['iou'] if k not in kept])

    def second_opinion(self, pictures):
        "What the second segmenter says of them."
        return {f'second_{k}': v for k, v in self.graded(pictures, self.second).items()} if self.second else {}

    def new_segmenter(self, scenes):
        real = self.data != 'synthetic'
        network = photo_segmenter(scenes.label_space.n_classes, self.squeezenet) if real else None
        return train_segmenter(scenes, self.settings['segmenter_steps'], network=network, lr=1e-3 if real else 5e-3, balance=self.settings.get('balance', 0.))

    @cached_property
    def network(self): # by which generated images are compared
        return segmenter_features(self.segmenter) if self.data == 'synthetic' or not self.squeezenet else squeezenet_features(self.squeezenet).to(default_device())

    @cached_property
    def precision(self):
        "Found once, then kept: every sitting of a row must go on in the same."
        path = self.work/'precision.txt'
        if not path.is_file():
            self.work.mkdir(parents=True, exist_ok=True)
            path.write_text(fastest_precision(default_device().type))
        return path.read_text()

    @cached_property
    def perceptual(self):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore') # fewer slices: the row says which
            return PerceptualLoss(self.vgg).to(memory_format=torch.channels_last)


@patch
def learner(self:Bench, run, dls):
    "The learner of a run, as the configuration says."
    s, run = self.settings, {k: v for k, v in run.items() if k not in ('name', 'small', 'lr', 'bs')}
    method, generator, pool = run.pop('method', 'ours'), run.pop('generator', None), run.pop('pool', 'instance')
    shared = dict(lr=s['lr'], precision=self.precision, channels_last=default_device().type == 'cuda')
    if run.pop('perceptual', False): run['perceptual'] = self.perceptual
    if method == 'pix2pix': return pix2pix_learner(dls, **s['unet'], **shared, **run, discriminator_width=s['ours']['discriminator_width'])
    if method == 'crn': return crn_learner(dls, **s['crn'], **shared, **run)
    other = {'unet': partial(UNet, **s['unet']), 'crn': partial(CascadedRefinementNetwork, **s['crn']), None: None}[generator]
    if run.get('feature_channels'): run['encoder_width'] = s['encoder_width']
    ours = {k: v for k, v in s['ours'].items() if not other or k == 'discriminator_width'}
    learn = pix2pixhd_learner(dls, make_generator=other, **ours, **shared, **{k: v for k, v in run.items() if k != 'n_enhancers'})
    if pool == 'class':
        m = learn.model.synthesizer
        learn.model.synthesizer = ByClass(m.generator, m.n_classes, m.encoder, m.boundary, m.ignore_id)
    return learn


@patch
def train_row(self:Bench, run, seed, until):
    "Train a run to its end, from its newest checkpoint if there is one; `Stopped` if the sitting ends first."
    s, folder = self.settings, self.place(run, seed)
    scenes, enhancers = self.small if RUNS[run].get('small') else self.train, RUNS[run].get('n_enhancers', 0)
    try: state = latest_checkpoint(folder)
    except FileNotFoundError: state = None
    torch.manual_seed(seed)
    h, w = s['size'] or scenes[0].size
    load = lambda k: scene_dataloaders(scenes, scenes[:2], size=(h >> k, w >> k), policy='resize', bs=RUNS[run].get('bs', 1), seed=seed)
    learn = self.learner(RUNS[run], load(enhancers))
    for stage, (n_flat, n_falling, alone) in enumerate(stages_of(s, run, len(scenes))):
        if alone: learn = grow_learner(learn, load(0), 1, add_discriminator=False)
        elif enhancers and stage: learn.unfreeze_coarse()
        if state and state['stage'] > stage: continue
        if alone: learn.freeze_coarse()
        saver = Checkpoint(folder, stage, keep=1, resume=state if state and state['stage'] == stage else None)
        with learn.no_bar(), learn.no_logging(): learn.fit_flat_linear(n_flat, n_falling, RUNS[run].get('lr', s['lr']), cbs=[saver, Sitting(until)])
    return learn


def forget_peak():
    "From here on the most memory is measured anew."
    if torch.cuda.is_available(): torch.cuda.reset_peak_memory_stats()
    elif os.access('/proc/self/clear_refs', os.W_OK): Path('/proc/self/clear_refs').write_text('5')


def peak_gb():
    "The most memory since then, in GB: the GPU's, or the whole process's; None where the system does not tell."
    if torch.cuda.is_available(): return torch.cuda.max_memory_allocated() / 1e9
    lines = Path('/proc/self/status').read_text().splitlines() if os.access('/proc/self/clear_refs', os.W_OK) else ()
    return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith('VmHWM')), None)


@patch
def pipeline(self:Bench, run, seed, until=float('inf')):
    "The trained model of a run, from its folder or trained now; minutes of training and the most memory so far."
    folder = self.place(run, seed)
    clock, model = folder/'cost.json', folder/'model'
    minutes, peak = json.loads(clock.read_text()) if clock.is_file() else (0, 0)
    if (model/'pipeline.json').is_file(): return Pix2PixHD.load(model, default_device()), minutes, peak
    start = time.time()
    forget_peak()
    try:
        learn = self.train_row(run, seed, until)
        pipe = Pix2PixHD.from_learner(learn)
        if RUNS[run].get('pool') == 'class':
            pipe.style_book = StyleBook.fit(measure_features(pipe.synthesizer, self.train, by='class'), pipe.label_space)
        pipe.save(model)
        for checkpoint in folder.glob('stage*.pth'): checkpoint.unlink()
    finally:
        minutes += (time.time() - start) / 60
        peak = max(peak or 0, peak_gb() or 0)
        if folder.is_dir(): clock.write_text(json.dumps((minutes, peak)))
    return Pix2PixHD.load(model, default_device()), minutes, peak


def generate(pipe, scenes, run, styles='target', seed=0):
    "An image of every scene, with the styles of its target or sampled ones, pooled as the run was."
    pictures, model = [], pipe.synthesizer
    for i, s in enumerate(scenes):
        chosen = None
        if RUNS[run].get('pool') == 'class':
            label, instances = pipe.prepare(s.label_map, s.instance_map)
            by_class = styles_of(model, s.image[None].to(pipe.device), label.to(pipe.device))
            chosen = {o: by_class[int(label[instances == o][0])].cpu() for o in instances.unique().tolist()} if styles == 'target' else pipe.style_book.sample(label, instances, seed + i, 'class')
        elif styles == 'random' and pipe.style_book: chosen = pipe.random_styles(s.label_map, s.instance_map, seed + i, 'instance') # as the paper samples them
        reference = to_pil(s.image) if styles == 'target' and model.encoder and chosen is None else None
        pictures.append(pipe.predict(s.label_map, s.instance_map, reference, seed + i, chosen))
    return pictures


@patch
def scores(self:Bench, run, pipe):
    "What the tables show of a run, and its pictures of the first scenes."
    pictures = generate(pipe, self.test, run)
    found = self.graded(pictures) | self.second_opinion(pictures)
    found['l1'] = sum((from_pil(p) - s.image).abs().mean().item() for p, s in zip(pictures, self.test)) / len(pictures)
    if self.data != 'synthetic' and self.squeezenet: found['kernel'], found['kernel_noise'] = kernel_distance(*(picture_features(x, self.network) for x in (pictures, [s.image for s in self.test])))
    if self.data not in ('camvid_256', 'cityscapes_256'): # whose objects are connected regions, so none of one class touch
        edges = compare_edges(pictures, self.test)
        found |= dict(edges=edges['generated']['accuracy'], edges_share=edges['share'], edges_chance=edges['chance'], edges_by_class=edges['generated']['classes'], crossings=edges['real']['crossings'])
    found |= dict(colours=colour_faithfulness(pictures, self.test)['explained'], diversity=0.)
    if pipe.synthesizer.feature_channels:
        few = self.test[:20]
        samples = [generate(pipe, few, run, 'random', 100 * k) for k in range(4)]
        found['diversity'] = sum(diversity(d, self.network) for d in zip(*samples)) / len(few)
    return found, pictures


@patch
def oracle(self:Bench):
    "The scores of the real images themselves."
    photos = [s.image for s in self.test]
    return self.graded(photos) | self.second_opinion(photos) | dict(l1=0., colours=1.)


@patch
def read_by(self:Bench, run, seed, both=False):
    "The scores, on real images, of a segmenter trained on a run's images of the training scenes, or on those and the real ones."
    oracle, photos = self.oracle(), [s.image for s in self.test]
    if run == 'oracle': return oracle
    pipe = self.pipeline(run, seed)[0]
    pictures = generate(pipe, self.train, run, 'random')
    seen = [type(s)(s.label_map, s.instance_map, from_pil(p), s.name) for s, p in zip(self.train, pictures)] + (list(self.train) if both else [])
    found = compare_to_oracle(self.new_segmenter(ScenesInMemory(seen, self.train.label_space)).to(default_device()), self.test, photos)['real']
    mean = sum(v for k, v in found['iou'].items() if k not in oracle['unread']) / (len(found['iou']) - len(oracle['unread']))
    return dict(accuracy=found['accuracy'], mean_iou=mean, share=ratio(mean, oracle['mean_iou']), iou=found['iou'], unread=oracle['unread'])


def plain(x):
    "As JSON gives it back: lists for tuples, strings for keys."
    return json.loads(json.dumps(jsonable(x)))


@patch
def config(self:Bench, row):
    "All that decides what a row measures, but for the seed."
    run = run_of(row)
    return plain(dict(scale=self.scale, data=self.data, settings={k: v for k, v in self.settings.items() if k != 'tables'} | dict(data=self.data), run={k: v for k, v in RUNS.get(run, {}).items() if k != 'name'}, row=row))


@patch
def place(self:Bench, run, seed):
    "Where a run's checkpoints and model are: another configuration has another place; how images are scored is no part of it."
    config = self.config(run)
    for k in ('segmenter_steps', 'balance', 'n_test', 'second_steps', 'read_from', 'read_at', 'graders'): config['settings'].pop(k, None)
    what = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
    return self.work/f'{run}-seed{seed}-{what}'


@patch
def path(self:Bench, row, seed): return self.results/f"{self.scale}-{self.data}-{row.replace(':', '_')}-seed{seed}.json"


@patch
def needs(self:Bench, row):
    "Why a row cannot be measured here; None if it can."
    run = RUNS.get(run_of(row), {})
    if self.folder and not Path(self.folder).is_dir(): return 'not run (no data)'
    if run.get('perceptual') and not (self.vgg and Path(self.vgg).is_file()): return 'not run (no VGG19 weights)'
    if run.get('boundary') is False and self.data == 'camvid_256': return 'not run (no true instances)'


def machine():
    "The processor or GPU, without any name of its owner's."
    lines = open('/proc/cpuinfo') if os.path.exists('/proc/cpuinfo') else ()
    cpu = next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), platform.processor())
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f'{cpu}, {torch.get_num_threads()} thread' + 's' * (torch.get_num_threads() > 1)


@patch
def measure(self:Bench, row, seed, minutes=10.):
    "Measure one row, unless it is there; what was done, in a word or two."
    path = self.path(row, seed)
    if path.is_file() and json.loads(path.read_text())['config'] == self.config(row): return 'there'
    if (reason := self.needs(row)): return reason
    start, spent, peak = time.time(), 0, None
    if row == 'oracle': found, pictures = self.oracle(), None
    elif ':' in row: found, pictures = self.read_by(run_of(row), seed, both=row.startswith('both:')), None
    else:
        try: pipe, spent, peak = self.pipeline(row, seed, start + 60 * minutes)
        except Stopped:
            if time.time() < start + 60 * minutes: raise # someone else asked
            return f'stopped after {minutes:g} minutes; the same command goes on'
        start = time.time() # of the scoring
        found, pictures = self.scores(row, pipe)
    if pictures and seed == 0: self.strip(row, pictures[:4])
    about = described(None, self.test, self.segmenter)
    slices = self.perceptual.names if RUNS.get(row, {}).get('perceptual') else []
    scenes = self.small if RUNS.get(row, {}).get('small') else self.train
    trained = dict(training=training_of(self.settings, row, len(scenes))) if spent else {}
    out = dict(config=self.config(row), seed=seed, scores=found, **trained, minutes=round(spent, 2), peak_gb=round(peak, 2) if peak else None, scoring_minutes=round((time.time() - start) / 60, 2) if spent else None,
               perceptual_slices=slices, precision=self.precision, date=time.strftime('%Y-%m-%d'), setup=about | dict(machine=machine()))
    self.results.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix('.part')
    part.write_text(json.dumps(plain(out), indent=1))
    os.replace(part, path)
    return f"mean IoU {found['mean_iou']:.3f}, {spent:.1f} minutes of training"


@patch
def strip(self:Bench, row, pictures):
    "The first generated images, side by side."
    folder = self.results/'pictures'
    folder.mkdir(parents=True, exist_ok=True)
    side_by_side(pictures).save(folder/f'{self.scale}-{self.data}-{row}.jpg', quality=92)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('tables', nargs='+', type=int, choices=TABLES, help='numbers of tables')
    parser.add_argument('--scale', default='quick', choices=SCALES)
    parser.add_argument('--rows', nargs='+', help='only these rows of the tables')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='of weights and order')
    parser.add_argument('--data', nargs='+', help='folders of data sets, for the scales on real photos')
    parser.add_argument('--minutes', type=float, default=10, help='of one sitting of a row; what is left goes on with the same command')
    parser.add_argument('--vgg', default=WEIGHTS/'vgg19_imagenet_to_relu3_4.pth', help='VGG19 weights, for the perceptual loss')
    parser.add_argument('--squeezenet', default=WEIGHTS/'squeezenet1_1_imagenet.pth', help='SqueezeNet 1.1 weights, for the segmenter of photos')
    parser.add_argument('--results', default=ROOT/'benchmarks/results/tables', help='where the JSON files go')
    parser.add_argument('--work', default=ROOT/'benchmarks/work', help='where models and checkpoints go')
    parser.add_argument('--anyway', action='store_true', help='run the full scale without a GPU')
    return parser.parse_args(argv)


def main(argv=None):
    a = parse(argv)
    fastprogress.NO_BAR = True # a line a row is enough
    if a.scale == 'full' and not torch.cuda.is_available() and not a.anyway:
        print('The full scale needs a GPU and there is none: its rows stay "not run (no GPU)"; --anyway runs them on the processor, for days.')
        return 1
    offered = list(dict.fromkeys(r for t in a.tables if t in tables_at(a.scale) for r in rows_at(a.scale, t)))
    if unknown := [r for r in a.rows or () if r not in offered] or [f'of table {t}' for t in a.tables if not offered]:
        print(f"The scale {a.scale} has no row {', '.join(unknown)}. Its tables are {', '.join(map(str, tables_at(a.scale)))}" + f"; the rows of those asked for: {', '.join(offered)}." * bool(offered), file=sys.stderr)
        return 1
    data = SCALES[a.scale]['data']
    places = {'synthetic': None} if data == 'synthetic' else {Path(f).name: f for f in a.data or [DATA/d for d in data]}
    squeezenet = a.squeezenet if Path(a.squeezenet).is_file() else None
    for data, folder in places.items():
        bench = Bench(a.scale, data, a.results, a.work, a.vgg, squeezenet, folder)
        for seed in a.seeds:
            for row in (r for r in offered if not a.rows or r in a.rows):
                if row in ('oracle', 'read:oracle') and seed != a.seeds[0]: continue
                print(f'\r{data}, seed {seed}, {row}:', bench.measure(row, seed, a.minutes), flush=True)
    return 0


if __name__ == '__main__':
    try: sys.exit(main())
    except Stopped as e: sys.exit(str(e).replace('--resume', 'the same command'))

"""The paper's tables as configuration: at which scales, which models, in which tables. benchmarks/paper_tables.py runs them."""
from pix2pixhd_nb.training.recipes import RECIPES, SCENES_A_BATCH

PHOTOS = dict(recipe='photos', bs=SCENES_A_BATCH['photos'], lr=(RECIPES['photos']['lr'],) * 2, notch=False) # as that recipe is meant; the rows are older than its notch filter

SCALES = {
    'toy': dict( # seconds: to see that everything runs; no figure of it says anything
        data='synthetic', size=(32, 64), n_train=6, n_test=3, n_small=4, steps=(2, 4), lr=(1e-3, 2e-4), segmenter_steps=4,
        ours=dict(width=8, n_downsample=2, n_blocks=1, discriminator_width=4), encoder_width=4,
        unet=dict(width=4, n_downsample=5, dropout=0.5), crn=dict(widths=(16, 8, 8, 8))),
    'quick': dict( # minutes: synthetic scenes, one core
        data='synthetic', size=(64, 128), n_train=200, n_test=60, n_small=20, steps=(300, 700), lr=(1e-3, 2e-4), segmenter_steps=400,
        ours=dict(width=32, n_downsample=2, n_blocks=3, discriminator_width=24), encoder_width=8,
        unet=dict(width=32, n_downsample=6, dropout=0.5), crn=dict(widths=(128, 128, 128, 64, 64, 32))),
    'long': dict( # the same for four times as long: half an hour a row
        data='synthetic', size=(64, 128), n_train=200, n_test=60, n_small=20, steps=(1200, 2800), lr=(1e-3, 2e-4), segmenter_steps=400,
        ours=dict(width=32, n_downsample=2, n_blocks=3, discriminator_width=24), encoder_width=8,
        unet=dict(width=32, n_downsample=6, dropout=0.5), crn=dict(widths=(128, 128, 128, 64, 64, 32))),
    'photos': dict( # real photos at half their size, small networks: some minutes a row on one core
        data=('camvid_256', 'facades_256'), size=None, shrink=2, n_train=None, n_test=None, n_small=50, steps=(1000, 2000), lr=(1e-3, 2e-4), segmenter_steps=3000, balance=0.5,
        ours=dict(width=32, n_downsample=2, n_blocks=3, discriminator_width=24), encoder_width=8,
        unet=dict(width=32, n_downsample=5, dropout=0.5), crn=dict(widths=(128, 128, 128, 64, 64, 32))),
    'full': dict( # real photos, one GPU, a minute or two a row
        data=('camvid_256', 'facades_256'), size=None, n_train=None, n_test=None, n_small=50, steps=(5000, 5000), lr=(2e-4, 2e-4), segmenter_steps=3000, balance=0.5,
        ours=dict(width=64, n_downsample=4, n_blocks=9, discriminator_width=64), encoder_width=16,
        unet=dict(width=64, n_downsample=6, dropout=0.5), crn=dict(widths=(1024, 1024, 1024, 1024, 1024, 512, 512))),
    'streets_short': dict( # the paper's own photos, small: twice through all 2,208
        data=('cityscapes_256',), size=(64, 128), n_train=None, n_test=None, n_small=50, steps=(2208, 2208), lr=(1e-3, 2e-4), segmenter_steps=4000, balance=0.5, second_steps=4000, read_from=0.2, tables=(1, 2, 3, 4, 7),
        ours=dict(width=32, n_downsample=2, n_blocks=3, discriminator_width=24), encoder_width=8,
        unet=dict(width=32, n_downsample=6, dropout=0.5), crn=dict(widths=(128, 128, 128, 64, 64, 32))),
    'streets': dict( # the same at twice the size, larger networks: five times through all
        data=('cityscapes_256',), size=(128, 256), n_train=None, n_test=None, n_small=50, steps=(4416, 6624), lr=(4e-4, 2e-4), segmenter_steps=4000, balance=0.5, second_steps=4000, read_from=0.2, tables=(1, 2, 3, 4, 7),
        ours=dict(width=32, n_downsample=3, n_blocks=6, discriminator_width=32), encoder_width=16,
        unet=dict(width=32, n_downsample=7, dropout=0.5), crn=dict(widths=(256, 256, 128, 128, 64, 64, 32))),
    'fine_short': dict( # coarse to fine at 512x512, four times through its 243 photos: an hour a row on one core; read at 128x128, by the segmenter of the scale photos
        data=('facades_512',), size=None, n_train=None, n_test=None, n_small=50, steps=(486, 486), lr=(2e-4, 2e-4), segmenter_steps=3000, balance=0.5, read_at=(128, 128), graders='photos-facades_256', tables=(9,),
        ours=dict(width=32, n_downsample=3, n_blocks=6, discriminator_width=32), encoder_width=16,
        unet=dict(width=32, n_downsample=7, dropout=0.5), crn=dict(widths=(256, 256, 128, 128, 64, 64, 32, 32))),
    'fine': dict( # coarse to fine at 512x512
        data=('facades_512',), size=None, n_train=None, n_test=None, n_small=50, steps=(5000, 5000), lr=(2e-4, 2e-4), segmenter_steps=3000, balance=0.5, tables=(9,),
        ours=dict(width=32, n_downsample=3, n_blocks=6, discriminator_width=32), encoder_width=16,
        unet=dict(width=32, n_downsample=7, dropout=0.5), crn=dict(widths=(256, 256, 128, 128, 64, 64, 32, 32)))}



# What makes each model. Everything not said is `pix2pixhd_learner`'s default, the paper's. 'perceptual' needs VGG19 weights.
RUNS = {
    'pix2pix': dict(name='pix2pix', method='pix2pix'),
    'pix2pix_slow': dict(name='pix2pix, its own learning rate', method='pix2pix', lr=(2e-4, 2e-4)),
    'crn': dict(name='cascaded refinement (CRN)', method='crn', perceptual=True),
    'ours': dict(name='this method', perceptual=True),
    'ours_slow': dict(name="this method, the paper's learning rate", perceptual=True, lr=(2e-4, 2e-4)),
    'styles': dict(name='this method, styles of the target, no perceptual loss', feature_channels=3),
    'ours_resize': dict(name='this method, resize-convolution', perceptual=True, upsampling='resize'),
    'styles_set': dict(name='the same, EMA, styles of the target', perceptual=True, upsampling='resize', ema=0.99, feature_channels=3),
    'gan_fm': dict(name='GAN + feature matching'),
    'gan': dict(name='GAN alone', feature_weight=0),
    'perceptual': dict(name='perceptual alone', gan_weight=0, feature_weight=0, perceptual=True),
    'unet': dict(name='U-Net', generator='unet'),
    'crn_objective': dict(name='CRN', generator='crn'),
    'enhancer': dict(name='global generator and an enhancer', n_enhancers=1),
    'one_scale': dict(name='one discriminator', n_scales=1),
    'two_scales': dict(name='two discriminators', n_scales=2),
    'no_boundary': dict(name='without the boundary map', boundary=False),
    'resize_no_boundary': dict(name='resize-convolution, perceptual, without the boundary map', perceptual=True, upsampling='resize', boundary=False),
    'resize_one_scale': dict(name='resize-convolution, perceptual, one discriminator', perceptual=True, upsampling='resize', n_scales=1),
    'styles_by_class': dict(name='features pooled by class', feature_channels=3, pool='class'),
    'small': dict(name="the paper's choices", small=True),
    'small_hinge': dict(name='hinge loss', small=True, gan='hinge'),
    'small_spectral': dict(name='spectral normalisation', small=True, spectral=True),
    'small_augmentation': dict(name='differentiable augmentation', small=True, augmentation='colour,translation,cutout'),
    'small_translation': dict(name='augmentation, translation alone', small=True, augmentation='translation'),
    'small_average': dict(name='EMA', small=True, ema=0.995),
    'small_resize': dict(name='resize-convolution', small=True, upsampling='resize'),
    'small_set': dict(name='EMA, resize-convolution, translation', small=True, ema=0.995, upsampling='resize', augmentation='translation'),
    'small_four': dict(name='hinge loss, resize-convolution, EMA, differentiable augmentation', small=True, gan='hinge', ema=0.995, upsampling='resize', augmentation='colour,translation,cutout'),
    'small_perceptual': dict(name='perceptual loss, resize-convolution, EMA', small=True, perceptual=True, ema=0.995, upsampling='resize'),
    'recipe_photos': dict(name='the recipe photos', **PHOTOS, feature_channels=0),
    'recipe_photos_styles': dict(name='the recipe photos, styles of the target', **PHOTOS, feature_channels=3),
    'ours_styles': dict(name='this method, styles of the target', perceptual=True, feature_channels=3),
    'coarse_to_fine': dict(name='this method: global generator and an enhancer', n_enhancers=1, perceptual=True)}

# The rows of each table: a run, or 'oracle' (the real images), or 'read:RUN' (a segmenter trained on the generated images of a run; 'read:oracle' on the
# real ones), or 'both:RUN' (on generated and real images together).
READ = ['accuracy', 'mean_iou', 'share']
TABLES = {
    1: dict(title='Methods', rows=['pix2pix', 'pix2pix_slow', 'crn', 'ours', 'ours_slow', 'styles', 'ours_resize', 'styles_set', 'oracle'], columns=READ,
            streets=['pix2pix', 'crn', 'ours', 'ours_styles', 'recipe_photos', 'recipe_photos_styles', 'oracle'],
            asks='A segmenter trained on real images labels the images generated from held-out label maps. How near does each method come to its scores on the real images?',
            paper={'pix2pix': (0.7834, 0.3948), 'crn': (0.7055, 0.3483), 'ours': (0.8378, 0.6389), 'oracle': (0.8429, 0.6857)}),
    2: dict(title='Generators under one objective', rows=['unet', 'crn_objective', 'gan_fm', 'enhancer'], columns=READ,
            asks='Three discriminators and feature matching for all: which generator makes the most of them?', names={'gan_fm': 'global generator'},
            paper={'unet': (0.7786, 0.3905), 'crn_objective': (0.7896, 0.3994), 'gan_fm': (0.8378, 0.6389)}),
    3: dict(title='How many discriminators', rows=['one_scale', 'two_scales', 'gan_fm', 'resize_one_scale', 'ours_resize'], columns=READ,
            streets=['one_scale', 'two_scales', 'gan_fm'], names={'gan_fm': 'three discriminators', 'ours_resize': 'resize-convolution, perceptual, three discriminators'},
            asks='Does a discriminator more, at half the size, help?', paper={'one_scale': (0.8287, 0.5775), 'gan_fm': (0.8378, 0.6389)}),
    4: dict(title='Losses', rows=['gan', 'gan_fm', 'ours', 'perceptual'], columns=READ, names={'ours': 'GAN + feature matching + perceptual'},
            asks='What does each term of the objective bring? (The paper asked people, not a segmenter.)', paper={}),
    5: dict(title='The boundary map', rows=['no_boundary', 'gan_fm', 'resize_no_boundary', 'ours_resize'], columns=['edges', 'edges_share', 'edges_chance', 'mean_iou'], names={'gan_fm': 'with the boundary map', 'ours_resize': 'resize-convolution, perceptual, with the boundary map'},
            asks='Where two objects of one class touch, is there an edge in the generated image? (The paper asked people.)', paper={}),
    6: dict(title='Instance features', rows=['gan_fm', 'styles', 'styles_by_class'], columns=['diversity', 'colours', 'l1', 'mean_iou'],
            names={'gan_fm': 'without features', 'styles': 'features pooled by instance'},
            asks='Images of one label map in sampled styles: how different? In the styles of its target: how near to the target? (The paper shows pictures.)', paper={}),
    7: dict(title='Trained on generated images, tested on real ones', rows=['read:pix2pix', 'read:crn', 'read:ours', 'read:styles', 'read:oracle'], columns=READ,
            streets=['read:pix2pix', 'read:crn', 'read:ours', 'read:recipe_photos_styles', 'both:recipe_photos_styles', 'read:oracle'],
            asks="A segmenter that has seen only images generated from the training label maps: how well does it label held-out real images? (The paper names this use, without a figure.)", paper={}),
    8: dict(title='Beyond the paper, with small data', rows=['small', 'small_resize', 'small_average', 'small_translation', 'small_set', 'small_augmentation', 'small_spectral', 'small_hinge', 'small_four', 'small_perceptual'], columns=READ,
            asks='Few scenes: which switch helps? All but the last row have GAN and feature matching alone.', paper={}),
    9: dict(title='High resolution', rows=['pix2pix', 'ours', 'coarse_to_fine', 'oracle'], columns=[*READ, 'minutes', 'peak_gb'], names={'ours': 'this method: the global generator alone, at the full size'},
            asks='What does coarse to fine buy at 512x512, beside the global generator trained there from the start?', paper={})}


def tables_at(scale):
    "The numbers of the tables that are made at a scale: where nothing is said all but that of high resolution, which takes photos of 512x512."
    return SCALES[scale].get('tables', tuple(n for n in TABLES if n != 9))


def rows_at(scale, number):
    "The rows of a table at a scale; the toy scale has those of all."
    t = TABLES[number]
    if scale == 'toy': return list(dict.fromkeys([*t['rows'], *t.get('streets', ())]))
    return t['streets'] if scale.startswith('streets') and 'streets' in t else t['rows']


def run_of(row):
    "What a row is of: the run whose images are scored, or are read by the segmenter that is."
    return row.rpartition(':')[2]


def stages_of(settings, run, n_scenes):
    "The stages of a run's training, in whole epochs of its scenes: at the full rate, falling to 0, and whether they are of the enhancer alone. With an enhancer the first is of the global generator, at half the size."
    flat, falling = (max(1, round(n / n_scenes)) for n in settings['steps'])
    if not RUNS[run].get('n_enhancers'): return [(flat, falling, False)]
    half = max(1, flat // 2)
    return [(flat, 0, False), (half, 0, True), (half, falling, False)]


def training_of(settings, run, n_scenes):
    "How long a run is trained, counted: scenes, scenes a step, steps at the full size, those of them at the full rate, and steps at half the size before."
    stages, bs = stages_of(settings, run, n_scenes), RUNS[run].get('bs', 1)
    full = stages[1:] or stages
    steps = lambda epochs: epochs * (n_scenes // bs)
    return dict(scenes=n_scenes, batch=bs, steps=steps(sum(a + b for a, b, _ in full)), flat=steps(sum(a for a, _, _ in full)), half_size=steps(sum(a + b for a, b, _ in stages[:-len(full)])))


# What the paper says, or lets one expect, as pairs: the first row scores higher than the second.
CLAIMS = [
    (1, 'ours', 'pix2pix', 'mean_iou', 'Table 1'), (1, 'ours', 'crn', 'mean_iou', 'Table 1'), (1, 'pix2pix', 'crn', 'mean_iou', 'Table 1'), (1, 'oracle', 'ours', 'mean_iou', 'Table 1'),
    (1, 'ours_resize', 'ours', 'mean_iou', 'not in the paper'), (1, 'ours_resize', 'crn', 'mean_iou', 'not in the paper'), (1, 'ours_resize', 'pix2pix', 'mean_iou', 'not in the paper'),
    (1, 'ours_slow', 'ours', 'mean_iou', 'not in the paper'), (1, 'ours_slow', 'pix2pix', 'mean_iou', 'not in the paper'), (1, 'ours_slow', 'crn', 'mean_iou', 'not in the paper'),
    (2, 'gan_fm', 'unet', 'mean_iou', 'Table 3'), (2, 'gan_fm', 'crn_objective', 'mean_iou', 'Table 3'), (2, 'crn_objective', 'unet', 'mean_iou', 'Table 3'),
    (1, 'recipe_photos', 'ours', 'mean_iou', 'not in the paper'), (1, 'recipe_photos', 'crn', 'mean_iou', 'not in the paper'), (1, 'recipe_photos', 'pix2pix', 'mean_iou', 'not in the paper'),
    (3, 'gan_fm', 'one_scale', 'mean_iou', 'Table 5'), (4, 'gan_fm', 'gan', 'mean_iou', 'people preferred the full objective (68.55 %)'), (4, 'ours', 'gan_fm', 'mean_iou', 'people preferred it (58.90 %)'),
    (5, 'gan_fm', 'no_boundary', 'edges', 'people preferred it (64.34 %)'), (3, 'ours_resize', 'resize_one_scale', 'mean_iou', 'Table 5, with resize-convolution'), (5, 'ours_resize', 'resize_no_boundary', 'edges', 'people preferred it, with resize-convolution'), (6, 'styles', 'gan_fm', 'diversity', 'Sec. 3.4'), (6, 'styles', 'styles_by_class', 'colours', 'Sec. 3.4'),
    (7, 'read:ours', 'read:pix2pix', 'mean_iou', 'not in the paper'), (7, 'read:ours', 'read:crn', 'mean_iou', 'not in the paper'), (7, 'read:recipe_photos_styles', 'read:ours', 'mean_iou', 'not in the paper'),
    (7, 'both:recipe_photos_styles', 'read:oracle', 'mean_iou', 'not in the paper'), (9, 'coarse_to_fine', 'ours', 'mean_iou', 'Sec. 3.2'), (9, 'ours', 'pix2pix', 'mean_iou', 'Table 1'),
    (8, 'small_hinge', 'small', 'mean_iou', 'not in the paper'), (8, 'small_perceptual', 'small', 'mean_iou', 'not in the paper')]

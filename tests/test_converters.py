"Other programs' formats, each from a fixture written by its specification."
import base64
import io
import json
import numpy as np
import pytest
import torch
from PIL import Image
from pix2pixhd_nb.commands.main import main
from pix2pixhd_nb.data.converters import CONVERTERS, _unpacked, convert_dataset, polygon_mask, run_lengths
from pix2pixhd_nb.data.doctor import examine
from pix2pixhd_nb.data.layouts import open_dataset

H, W = 24, 40
SQUARE = [4, 2, 14, 2, 14, 12, 4, 12] # 10 x 10
POINTS = [[4, 2], [14, 2], [14, 12], [4, 12]]


def photo(path, size=(W, H), color=(90, 120, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, color).save(path)


def png(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def packed(counts):
    "COCO's string of counts, by the reference code's rule (maskApi.c, rleToString)."
    text = ''
    for i, x in enumerate(counts):
        if i > 2: x -= counts[i - 2]
        while True:
            bits, x = x & 31, x >> 5
            more = x != -1 if bits & 16 else x != 0
            text += chr((bits | 32 * more) + 48)
            if not more: break
    return text


def coco_file(folder, annotations):
    photo(folder/'a.png')
    d = dict(images=[dict(id=5, file_name='a.png', height=H, width=W)], categories=[dict(id=3, name='car'), dict(id=18, name='dog')],
             annotations=[dict(id=n, image_id=5, **a) for n, a in enumerate(annotations)])
    (folder/'c.json').write_text(json.dumps(d))
    return folder/'c.json'


def column_counts(mask):
    flat = np.concatenate([[0], mask.ravel('F'), [0]]).astype(int)
    edges = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()


def test_coco_instances(tmp_path):
    dog = np.zeros((H, W), bool); dog[14:20, 20:30] = True
    crowd = np.zeros((H, W), bool); crowd[0:2] = True
    source = coco_file(tmp_path, [
        dict(category_id=3, segmentation=[SQUARE], area=100, iscrowd=0), dict(category_id=3, segmentation=[[x + 10 * (i % 2 == 0) for i, x in enumerate(SQUARE)]], area=100, iscrowd=0),
        dict(category_id=18, segmentation=dict(size=[H, W], counts=packed(column_counts(dog))), area=60, iscrowd=0),
        dict(category_id=3, segmentation=dict(size=[H, W], counts=column_counts(crowd)), area=80, iscrowd=1)])
    scene = open_dataset(convert_dataset('coco', source, tmp_path/'out'))[0]
    assert scene.instance_map.unique().tolist() == [0, 1, 1000, 1001, 2000] # cars that touch are two; a crowd is none
    assert [(scene.instance_map == i).sum().item() for i in (1, 1000, 1001, 2000)] == [80, 100, 100, 60]
    assert (scene.label_map[0].numpy() == 2).tolist() == dog.tolist() and scene.image.shape == (3, H, W)


def test_run_lengths_and_polygons_against_pycocotools():
    mask = pytest.importorskip('pycocotools.mask')
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = rng.random((37, 53)) < rng.random()
        theirs = mask.encode(np.asfortranarray(found.astype(np.uint8)))
        assert (run_lengths(theirs['counts'].decode(), (37, 53)) == found).all()
        assert packed(_unpacked(theirs['counts'].decode(), '')) == theirs['counts'].decode()
        angle = np.sort(rng.random(9)) * 2 * np.pi
        points = (np.stack([26 + 20 * np.cos(angle), 18 + 15 * np.sin(angle)], 1)).ravel().tolist()
        a, b = polygon_mask(points, (37, 53)), mask.decode(mask.merge(mask.frPyObjects([points], 37, 53))).astype(bool)
        assert (a & b).sum() / max(1, (a | b).sum()) > .93, ((a & b).sum(), (a | b).sum())


def test_coco_panoptic_there_and_back(tmp_path):
    numbers = np.full((H, W), 7, np.int64)
    numbers[:8] = 0; numbers[10:16, :10] = 300; numbers[10:16, 10:20] = 70000
    png(tmp_path/'pan'/'a.png', np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1).astype(np.uint8))
    photo(tmp_path/'a.jpg')
    segments = [dict(id=7, category_id=100), dict(id=300, category_id=3), dict(id=70000, category_id=3)]
    (tmp_path/'pan.json').write_text(json.dumps(dict(images=[dict(id=1, file_name='a.jpg', height=H, width=W)],
        annotations=[dict(image_id=1, file_name='a.png', segments_info=[s | dict(iscrowd=0) for s in segments])],
        categories=[dict(id=3, name='car', isthing=1, color=[0, 0, 142]), dict(id=100, name='road', isthing=0, color=[128, 64, 128])])))
    there = convert_dataset('coco-panoptic', tmp_path/'pan.json', tmp_path/'out')
    scenes = open_dataset(there)
    assert scenes.label_space.names == ('road', 'car') and scenes.label_space.colors[1] == (0, 0, 142)
    assert scenes[0].instance_map.unique().tolist() == [0, 255, 1000, 1001] and (scenes[0].label_map == 255).sum() == 8 * W
    back = convert_dataset('coco-panoptic', convert_dataset('to-coco-panoptic', there, tmp_path/'coco')/'panoptic.json', tmp_path/'again')
    again = open_dataset(back)[0]
    assert torch.equal(again.label_map, scenes[0].label_map) and torch.equal(again.instance_map, scenes[0].instance_map)
    with pytest.warns(UserWarning, match="1 of 1 scenes have pixels without a class .the first: 'a'.*background"): convert_dataset('to-labelme', there, tmp_path/'lm')
    shapes = open_dataset(convert_dataset('labelme', tmp_path/'lm', tmp_path/'lm2'))[0]
    assert (shapes.instance_map >= 1000).any() and (shapes.label_map != 0).sum() == (scenes[0].label_map != 255).sum()


def brush(mask):
    "Label Studio's packing of an RGBA picture: runs of 8-bit words, lengths of 16 bits."
    bits = []
    def put(value, n): bits.extend(value >> (n - 1 - i) & 1 for i in range(n))
    flat = np.repeat(mask.astype(np.uint8).ravel() * 255, 4)
    put(len(flat), 32); put(7, 5)
    for n in (3, 7, 11, 15): put(n, 4)
    at = 0
    while at < len(flat):
        n = next((k for k in range(at, min(len(flat), at + 65536)) if flat[k] != flat[at]), min(len(flat), at + 65536)) - at
        if n == 4: put(0, 1); put(0, 2); put(n - 1, 4); [put(255 & int(v), 8) for v in flat[at:at + n]]
        else: put(1, 1); put(3, 2); put(n - 1, 16); put(int(flat[at]), 8)
        at += n
    bits += [0] * (-len(bits) % 8)
    return np.packbits(bits).tolist()


def test_label_studio(tmp_path):
    photo(tmp_path/'0a1b-a.png')
    mask = np.zeros((H, W), bool); mask[16:22, 30:38] = True; mask[23, 0] = True
    percent = [[x / W * 100, y / H * 100] for x, y in POINTS]
    results = [dict(type='polygonlabels', original_width=W, original_height=H, value=dict(points=percent, polygonlabels=['car'])),
               dict(type='rectanglelabels', value=dict(x=50, y=0, width=25, height=25, rotation=0, rectanglelabels=['sign'])),
               dict(type='brushlabels', value=dict(format='rle', rle=brush(mask), brushlabels=['car'])), dict(type='choices', value=dict(choices=['day']))]
    (tmp_path/'ls.json').write_text(json.dumps([dict(id=1, data=dict(image='/data/upload/1/0a1b-a.png'), annotations=[dict(result=results)])]))
    scene = open_dataset(convert_dataset('label-studio', tmp_path/'ls.json', tmp_path/'out'))[0]
    assert scene.instance_map.unique().tolist() == [0, 1000, 1001, 2000]
    assert [(scene.instance_map == i).sum().item() for i in (1000, 1001, 2000)] == [100, mask.sum(), 60]


CVAT = f'''<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>car</name><color>#0000ff</color></label><label><name>sky</name><color>#00ff00</color></label></labels></task></meta>
<image id="0" name="a.png" width="{W}" height="{H}">
<polygon label="car" source="manual" occluded="0" points="4.00,2.00;14.00,2.00;14.00,12.00;4.00,12.00" z_order="1"></polygon>
<box label="sky" occluded="0" xtl="0.00" ytl="0.00" xbr="40.00" ybr="6.00" z_order="0"></box>
<mask label="car" occluded="0" rle="1, 2, 3, 1, 1" left="20" top="10" width="4" height="2" z_order="2"></mask>
</image></annotations>'''


def test_cvat(tmp_path):
    photo(tmp_path/'images'/'a.png')
    (tmp_path/'annotations.xml').write_text(CVAT)
    scenes = open_dataset(convert_dataset('cvat', tmp_path/'annotations.xml', tmp_path/'out'))
    assert scenes.label_space.names == ('background', 'car', 'sky') and scenes.label_space.colors[1:] == ((0, 0, 255), (0, 255, 0))
    ids = scenes[0].instance_map[0]
    assert [(ids == i).sum().item() for i in (1000, 1001, 2000)] == [100, 3, 6 * W - 40]
    assert ids[10:12, 20:24].tolist() == [[0, 1001, 1001, 0], [0, 0, 1001, 0]] # z_order: the sky lies below
    (tmp_path/'bad.xml').write_text('<!DOCTYPE a [<!ENTITY b "c">]>' + CVAT[39:])
    with pytest.raises(ValueError, match='declares entities'): convert_dataset('cvat', tmp_path/'bad.xml', tmp_path/'no')


def spans(mask): return [(k.min().item(), k.max().item()) for k in np.nonzero(mask)[::-1]] # of x and of y


def test_turned_boxes_and_ellipses():
    from xml.etree import ElementTree
    from pix2pixhd_nb.data.converters import _cvat_mask, _ls_mask
    cvat = lambda text: spans(_cvat_mask(ElementTree.fromstring(text), (100, 100), 'a.xml'))
    assert cvat('<box xtl="10" ytl="45" xbr="90" ybr="55" rotation="90.0"/>') == [(45, 54), (10, 89)]
    assert cvat('<box xtl="10" ytl="45" xbr="90" ybr="55"/>') == [(10, 89), (45, 54)]
    assert cvat('<ellipse cx="50" cy="60" rx="30" ry="5" rotation="90.0"/>') == [(45, 54), (30, 89)]
    falling = _cvat_mask(ElementTree.fromstring('<ellipse cx="50" cy="50" rx="40" ry="3" rotation="45"/>'), (100, 100), 'a.xml')
    assert falling[70, 70] and falling[30, 30] and not falling[30, 70] # clockwise: the right end is below
    box = _cvat_mask(ElementTree.fromstring('<box xtl="10" ytl="47" xbr="90" ybr="53" rotation="45"/>'), (100, 100), 'a.xml')
    assert box[70, 70] and box[30, 30] and not box[30, 70]
    studio = lambda kind, **value: spans(_ls_mask(dict(type=kind, value=value), (100, 200), 'ls.json'))
    assert studio('ellipselabels', x=50, y=50, radiusX=20, radiusY=5, rotation=90) == [(95, 104), (10, 89)] # in pixels: 40 and 5
    assert studio('rectanglelabels', x=50, y=10, width=30, height=10, rotation=90) == [(90, 99), (10, 69)] # about its first corner


def test_a_skipped_annotation_of_label_studio_does_not_count(tmp_path):
    photo(tmp_path/'a.png')
    result = lambda name, width: dict(result=[dict(type='rectanglelabels', value=dict(x=0, y=0, width=width, height=50, rectanglelabels=[name]))])
    skipped, real, later = result('dog', 100) | dict(was_cancelled=True), result('car', 50) | dict(was_cancelled=False), result('cat', 25)
    (tmp_path/'ls.json').write_text(json.dumps([dict(data=dict(image='a.png'), annotations=[skipped, real, later])]))
    scenes = open_dataset(convert_dataset('label-studio', tmp_path/'ls.json', tmp_path/'out'))
    assert scenes.label_space.names == ('background', 'car') and (scenes[0].label_map == 1).sum() == H * W / 4


def test_labelme(tmp_path):
    photo(tmp_path/'lm'/'a.png')
    m = io.BytesIO(); Image.fromarray(np.ones((3, 5), bool)).save(m, 'PNG')
    shape = lambda label, points, kind='polygon', group=None, **k: dict(label=label, points=points, group_id=group, shape_type=kind, flags={}, **k)
    shapes = [shape('car', POINTS, group=1), shape('car', [[20, 2], [30, 8]], 'rectangle', 1), shape('ball', [[30, 16], [33, 16]], 'circle'),
              shape('car', [[2, 18], [6, 20]], 'mask', mask=base64.b64encode(m.getvalue()).decode())]
    (tmp_path/'lm'/'a.json').write_text(json.dumps(dict(version='5.5.0', flags={}, shapes=shapes, imagePath='a.png', imageData=None, imageHeight=H, imageWidth=W)))
    ids = open_dataset(convert_dataset('labelme', tmp_path/'lm', tmp_path/'out'))[0].instance_map
    assert [(ids == i).sum().item() for i in (2000, 2001)] == [160, 15] # one car of two parts, another
    assert abs((ids == 1000).sum().item() - np.pi * 9) < 5


def test_pascal_voc(tmp_path):
    voc = tmp_path/'VOC2012'
    label, objects = np.zeros((H, W), np.uint8), np.zeros((H, W), np.uint8)
    label[2:12, 4:14] = label[2:12, 15:25] = 7; objects[2:12, 4:14] = 1; objects[2:12, 15:25] = 2
    label[2:12, 14] = objects[2:12, 14] = 255
    for kind, array in (('SegmentationClass', label), ('SegmentationObject', objects)):
        (voc/kind).mkdir(parents=True)
        p = Image.fromarray(array); p.putpalette([(i * 37) % 256 for i in range(768)]); p.save(voc/kind/'a.png')
    photo(voc/'JPEGImages'/'a.jpg')
    (voc/'ImageSets'/'Segmentation').mkdir(parents=True); (voc/'ImageSets'/'Segmentation'/'val.txt').write_text('a\n')
    scenes = open_dataset(convert_dataset('voc', voc, tmp_path/'out'), 'val')
    assert scenes.label_space.colors[7] == (128, 128, 128) and scenes.label_space.colors[15] == (192, 128, 128)
    assert scenes[0].instance_map.unique().tolist() == [0, 255, 7000, 7001]


def test_cityscapes_train_ids(tmp_path):
    base = tmp_path/'gtFine'/'train'/'ulm'
    train, ids = np.full((H, W), 255, np.uint8), np.full((H, W), 3, np.int32)
    train[10:] = 0; ids[10:] = 7; train[12:16, 4:12] = 13; ids[12:16, 4:8] = 26000; ids[12:16, 8:12] = 26001
    png(base/'ulm_0_0_gtFine_labelTrainIds.png', train)
    png(base/'ulm_0_0_gtFine_instanceIds.png', ids.astype(np.uint16))
    photo(tmp_path/'leftImg8bit'/'train'/'ulm'/'ulm_0_0_leftImg8bit.png')
    scenes = open_dataset(convert_dataset('cityscapes-train-ids', tmp_path, tmp_path/'out'))
    assert scenes.label_space.n_classes == 19 and scenes.label_space.names[13] == 'car' and scenes.label_space.names[18] == 'bicycle'
    assert scenes[0].instance_map.unique().tolist() == [0, 255, 13000, 13001]


def test_color_masks_propose_a_table_and_go_back(tmp_path):
    mask = np.zeros((H, W, 4), np.uint8); mask[..., 3] = 255; mask[:8] = 10, 20, 30, 128
    png(tmp_path/'c'/'train'/'masks'/'a.png', mask)
    photo(tmp_path/'c'/'train'/'images'/'a.png')
    out = convert_dataset('colors', tmp_path/'c', tmp_path/'out')
    scenes = open_dataset(out)
    assert scenes.label_space.colors == ((0, 0, 0), (10, 20, 30)) and (scenes[0].label_map == 1).sum() == 8 * W
    back = convert_dataset('colors', convert_dataset('to-colors', out, tmp_path/'back'), tmp_path/'again')
    assert torch.equal(open_dataset(back)[0].label_map, scenes[0].label_map)
    mask[0, 0] = 11, 20, 30, 255
    png(tmp_path/'back'/'masks'/'a.png', mask[..., :3])
    with pytest.raises(ValueError, match=r'\(11, 20, 30\) \(1 pixels, nearest color 0a141e\)'): convert_dataset('colors', tmp_path/'back', tmp_path/'no')


def masks_with_objects(folder, inst='inst', kind=np.uint16, meta=False, more=lambda ids: ids):
    "Two scenes of ground, and of two boxes that touch."
    ids = np.zeros((H, W), np.int64)
    ids[4:12, 4:14], ids[4:12, 14:24] = 1000, 1001
    for name in 'ab':
        png(folder/'train'/'masks'/f'{name}.png', np.array([[0, 0, 0], [200, 0, 0]], np.uint8)[ids // 1000])
        photo(folder/'train'/'images'/f'{name}.png')
        png(folder/'train'/inst/f'{name}.png', more(ids).astype(kind))
    if meta: (folder/'meta.json').write_text(json.dumps(dict(classes=[dict(id=0, name='ground', color=[0, 0, 0]), dict(id=1, name='box', color=[200, 0, 0], thing=True)])))
    return folder, ids


@pytest.mark.parametrize('meta', [False, True])
@pytest.mark.parametrize('inst', ['inst', 'instances', 'SegmentationObject'])
@pytest.mark.parametrize('form', ['coded', 'plain', 'plain in 8 bits'])
def test_instance_maps_beside_color_masks_come_along(tmp_path, meta, inst, form):
    plain = form != 'coded'
    folder, ids = masks_with_objects(tmp_path/'in', inst, np.uint8 if form == 'plain in 8 bits' else np.uint16, meta, (lambda ids: ids - 999 * (ids > 0)) if plain else lambda ids: ids)
    out = convert_dataset('colors', folder, tmp_path/'out')
    assert (out/'train/inst/a.png').read_bytes() == (folder/'train'/inst/'a.png').read_bytes() and len([*(out/'train/inst').iterdir()]) == 2
    assert (open_dataset(out)[1].instance_map[0].numpy() == (ids - 999 * (ids > 0) if plain else ids)).all()
    assert json.loads((out/'meta.json').read_text()).get('instance_ids') == ('any' if plain else None) and not examine(out).problems
    back = convert_dataset('colors', convert_dataset('to-colors', out, tmp_path/'back'), tmp_path/'again')
    assert (open_dataset(back)[0].instance_map == open_dataset(out)[0].instance_map).all() and open_dataset(back).instances == ('any' if plain else 'coded')


@pytest.mark.parametrize('said', ['any', 'components'])
def test_what_meta_says_of_instance_maps_comes_along(tmp_path, said):
    folder, _ = masks_with_objects(tmp_path/'in', meta=True)
    (folder/'meta.json').write_text(json.dumps(json.loads((folder/'meta.json').read_text()) | dict(instance_ids=said)))
    assert open_dataset(convert_dataset('colors', folder, tmp_path/'out')).instances == said


@pytest.mark.parametrize('why,spoil', [('1 of 2 masks have no instance map \\(b\\)', lambda inst: (inst/'b.png').unlink()), ('holds colours', lambda inst: png(inst/'b.png', np.arange(H * W * 3, dtype=np.uint8).reshape(H, W, 3))),
                                       ('export both at one size', lambda inst: png(inst/'b.png', np.zeros((8, 8), np.uint16))), ('both a.bmp and a.png', lambda inst: png(inst/'a.bmp', np.zeros((H, W), np.uint8))),
                                       ('cannot be decoded', lambda inst: (inst/'b.png').write_text('no picture'))])
def test_instance_maps_that_cannot_come_along_are_told(tmp_path, why, spoil):
    folder, _ = masks_with_objects(tmp_path/'in')
    spoil(folder/'train/inst')
    with pytest.warns(UserWarning, match=f'The instance maps in .*inst were left out, since .*{why}') as said: out = convert_dataset('colors', folder, tmp_path/'out')
    assert len(said) == 1 and not [*(out/'train/inst').iterdir()] and examine(out).verdict.startswith('Fit to train on') and len(open_dataset(out)) == 2


def test_a_mask_that_cannot_be_read_is_no_matter_of_instance_maps(tmp_path, recwarn):
    folder, _ = masks_with_objects(tmp_path/'in', meta=True)
    png(folder/'train/masks/b.png', np.full((H, W, 3), 77, np.uint8))
    with pytest.raises(ValueError, match='b.png has colours that the label space does not list'): convert_dataset('colors', folder, tmp_path/'out')
    assert not [w for w in recwarn if 'left out' in str(w.message)]
    assert not list(tmp_path.glob('*no*'))


def test_pairs(tmp_path):
    ab = np.zeros((H, 2 * W, 3), np.uint8); ab[:, W:] = 200
    png(tmp_path/'ab'/'train'/'1.png', ab); png(tmp_path/'ab'/'val'/'2.png', ab)
    scenes = open_dataset(convert_dataset('side-by-side', tmp_path/'ab', tmp_path/'out'), 'val')
    assert scenes[0].label_map.shape == (3, H, W) and scenes[0].label_map.max() < 0 < scenes[0].image.min()
    for a in ('A/train', 'B/train', '../cyc/trainA', '../cyc/trainB'): photo(tmp_path/'f'/a/'x.png')
    (tmp_path/'f').mkdir(exist_ok=True)
    for folder in ('f', 'cyc'): assert len(open_dataset(convert_dataset('two-folders', tmp_path/folder, tmp_path/f'{folder}_out'))) == 1
    photo(tmp_path/'cyc'/'trainA'/'y.png')
    with pytest.raises(ValueError, match='do not pair by name: y'): convert_dataset('two-folders', tmp_path/'cyc', tmp_path/'no')


@pytest.mark.parametrize('change, said', [
    (dict(segmentation=dict(size=[H, W], counts=[10**12])), 'run lengths'), (dict(segmentation=dict(size=[H, W], counts=[-5, 5])), 'run lengths'),
    (dict(segmentation=dict(size=[10**6, 10**6], counts=[1])), 'mask of size'), (dict(segmentation=[[1, 2, float('nan'), 4, 5, 6]]), 'polygon'),
    (dict(segmentation=[[1, 2]]), 'polygon of 1 points'), (dict(segmentation=dict(size=[H, W], counts='~~')), 'letter'),
    (dict(segmentation=None), 'no segmentation'), (dict(category_id=99), 'category 99'), (dict(image_id=6), 'image 6')])
def test_a_malformed_file_is_one_message_and_leaves_nothing(change, said, tmp_path, capsys):
    source = coco_file(tmp_path, [dict(category_id=3, segmentation=[SQUARE], area=1)])
    d = json.loads(source.read_text()); d['annotations'][0].update(change); source.write_text(json.dumps(d))
    assert main(['convert', 'coco', str(source), str(tmp_path/'out')]) == 2
    message = capsys.readouterr().err
    assert said in message and 'c.json' in message and len(message.strip().splitlines()) == 1
    assert {p.name for p in tmp_path.iterdir()} == {'a.png', 'c.json'}


@pytest.mark.parametrize('form', [f for f in CONVERTERS if not f.startswith('to-')])
@pytest.mark.parametrize('text', ['', '[]', '{}', '{"images": 3, "annotations": [], "categories": []}', '{"images": [{}], "annotations": [{}], "categories": [{}]}', '[{"annotations": [{"result": [{"type": "brushlabels", "value": {"brushlabels": ["a"], "rle": [1]}}]}]}]'])
def test_any_nonsense_is_one_message(form, text, tmp_path):
    (tmp_path/'x.json').write_text(text)
    assert main(['convert', form, str(tmp_path/'x.json'), str(tmp_path/'out')]) == 2
    assert {p.name for p in tmp_path.iterdir()} == {'x.json'}


def test_names_lead_nowhere_and_sizes_are_bounded(tmp_path):
    source = coco_file(tmp_path, [])
    for change, said in ((dict(file_name='../../etc/passwd'), 'below'), (dict(height=10**7, width=10**7), 'pixels')):
        d = json.loads(source.read_text()); d['images'][0].update(change)
        (tmp_path/'d.json').write_text(json.dumps(d))
        with pytest.raises(ValueError, match=said): convert_dataset('coco', tmp_path/'d.json', tmp_path/'out')


TABLE = dict(classes=[dict(id=0, name='road', color=[128, 64, 128]), dict(id=1, name='car', color=[0, 0, 142], thing=True)])


def colored(folder, kind):
    "A plain folder whose label map is a colour mask; the ids that it should give."
    ids = np.zeros((H, W), np.uint8); ids[4:9, 3:20] = 1
    colors = np.array([c['color'] for c in TABLE['classes']], np.uint8)
    picture = dict(rgb=lambda: Image.fromarray(colors[ids]), rgba=lambda: Image.fromarray(np.dstack([colors[ids], ids * 100])))
    def palette():
        p = Image.fromarray(1 - ids); p.putpalette(colors[::-1].ravel().tolist()); return p # numbers that are not the classes'
    (folder/'train'/'label').mkdir(parents=True)
    picture.get(kind, palette)().save(folder/'train'/'label'/'a.png')
    photo(folder/'train'/'image'/'a.png')
    (folder/'meta.json').write_text(json.dumps(TABLE))
    return ids, folder/'train'/'label'/'a.png'


@pytest.mark.parametrize('kind', ['rgb', 'rgba', 'palette'])
def test_color_masks_are_read_through_meta_json(kind, tmp_path, capsys):
    from pix2pixhd_nb.core import LabelSpace
    from pix2pixhd_nb.synthesis.pipeline import read_map
    ids, path = colored(tmp_path, kind)
    scenes = open_dataset(tmp_path)
    assert (scenes[0].label_map[0].numpy() == ids).all() and (scenes[0].instance_map == 1000).sum() == ids.sum()
    assert main(['doctor', str(tmp_path)]) == 1 and 'has one scene' in capsys.readouterr().out.split('Problems (1)')[1] # nothing else is wrong
    space = LabelSpace.from_dict(TABLE)
    for source in (path, Image.open(path)): assert (read_map(source, 'label_map', space)[0, 0].numpy() == ids).all() # what `predict` and the studio call


def test_masks_of_0_and_255_are_two_classes(tmp_path):
    png(tmp_path/'train'/'label'/'a.png', np.repeat([[0, 255]], H, 0).astype(np.uint8)); photo(tmp_path/'train'/'image'/'a.png', (2, H))
    (tmp_path/'meta.json').write_text(json.dumps(dict(classes=[dict(id=0, name='no', color=[0, 0, 0]), dict(id=1, name='yes', color=[255, 255, 255])])))
    assert open_dataset(tmp_path)[0].label_map.unique().tolist() == [0, 1]


def test_unlisted_colors_are_named_by_reader_and_doctor(tmp_path, capsys):
    _, path = colored(tmp_path, 'rgb')
    p = Image.open(path); p.load(); p.putpixel((0, 0), (0, 0, 140)); p.save(path)
    said = r'(0, 0, 140) (1 pixels, nearest car)'
    with pytest.raises(ValueError) as e: open_dataset(tmp_path)[0]
    assert said in str(e.value)
    assert main(['doctor', str(tmp_path)]) == 1 and said in capsys.readouterr().out


def test_an_object_keeps_its_style_when_others_leave():
    from pix2pixhd_nb.core import LabelSpace
    from pix2pixhd_nb.synthesis.styles import StyleBook
    book = StyleBook({c: torch.arange(40.).view(20, 2) for c in range(2)}, {c: torch.ones(20, dtype=torch.long) for c in range(2)}, LabelSpace(['road', 'car'], things=[False, True]))
    instances = torch.zeros(1, 1, 8, 40, dtype=torch.long)
    for k in range(20): instances[..., :4, 2 * k:2 * k + 2] = 1000 + k
    first = book.sample(instances // 1000, instances, seed=3)
    gone = instances.clone(); gone[instances == 1004] = 0
    after = book.sample(gone // 1000, gone, seed=3)
    assert set(first) - set(after) == {1004} and all(torch.equal(first[i], after[i]) for i in after)
    assert len({tuple(v.tolist()) for v in first.values()}) > 5 # and yet they differ
    assert any(not torch.equal(first[i], v) for i, v in book.sample(instances // 1000, instances, seed=4).items())
    book.together = {0: torch.eye(20, dtype=torch.uint8), 1: torch.randint(0, 3, (20, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))} # so too where styles were seen together
    first, after = (book.sample(x // 1000, x, seed=3) for x in (instances, gone))
    assert set(first) - set(after) == {1004} and all(torch.equal(first[i], after[i]) for i in after)


def test_styles_are_sampled_that_were_seen_together():
    from pix2pixhd_nb.core import LabelSpace
    from pix2pixhd_nb.synthesis.styles import FeatureTable, StyleBook
    space, numbers = LabelSpace(['sky', 'wall', 'window'], things=[False, False, True]), torch.arange(40)
    look = numbers % 2 # of a scene: all bright or all dark; every fourth scene has no window
    rows = [(s, c, float(look[s]) + c / 10) for s in range(40) for c in (0, 1, 2) if c < 2 or s % 4]
    scene, label, value = (torch.tensor(x) for x in zip(*rows))
    n = len(rows)
    table = FeatureTable(scene, label, label, torch.full((n,), 50), torch.full((n,), 0.1), value.float()[:, None])
    book = StyleBook.fit(table, space, k=2)
    assert all(v.shape == (30, 2) and v.dtype == torch.uint8 for v in book.together.values()) # the scenes with all three classes are the quarter with the most, and more
    assert len(StyleBook.fit(table, space, k=2).see_together(table, most=8).together[0]) == 8
    ids = torch.arange(3).repeat_interleave(2).view(1, 1, 1, 6).expand(-1, -1, 4, -1).contiguous()
    bright = [round(v.item() - c / 10) for seed in range(20) for c, v in book.sample(ids, ids, seed).items()]
    assert all(len(set(bright[k:k + 3])) == 1 for k in range(0, 60, 3)) and len(set(bright)) == 2
    alone = [round(v.item() - c / 10) for seed in range(20) for c, v in book.sample(ids, ids, seed, 'instance').items()]
    assert any(len(set(alone[k:k + 3])) == 2 for k in range(0, 60, 3))
    book.together = None
    with pytest.raises(ValueError, match='seen together'): book.sample(ids, ids, 0, 'scene')


@pytest.mark.parametrize('name', ['background', '_background_'])
def test_a_category_called_background_is_class_0(name, tmp_path):
    source = coco_file(tmp_path, [dict(category_id=3, segmentation=[SQUARE], area=100, iscrowd=0),
                                  dict(category_id=18, segmentation=[[x // 2 for x in SQUARE]], area=1, iscrowd=0)])
    d = json.loads(source.read_text())
    d['categories'][1]['name'] = name
    source.write_text(json.dumps(d))
    scenes = open_dataset(convert_dataset('coco', source, tmp_path/'out'))
    assert scenes.label_space.names == ('background', 'car') and scenes[0].instance_map.unique().tolist() == [0, 1000]


def test_classes_that_cannot_be_read_back_are_refused(tmp_path):
    from pix2pixhd_nb.data.converters import Annotated, _import
    from pix2pixhd_nb.core import LabelSpace
    two = _import(lambda source, pictures, split: (LabelSpace(['car', 'car']), [Annotated('a', None, None)]))
    with pytest.raises(ValueError, match="Two classes have the name 'car'"): two(tmp_path, tmp_path/'out')
    assert not (tmp_path/'out').exists()


def ignored(folder, pixels=True):
    from pix2pixhd_nb.core import LabelSpace, Scene
    from pix2pixhd_nb.data.layouts import save_scenes
    label = torch.ones(1, H, W, dtype=torch.long)
    label[:, :5] = 0
    if pixels: label[:, 9:12] = 255
    return save_scenes([Scene(label, None, torch.zeros(3, H, W), 'a')], folder, LabelSpace(['sky', 'road'], [(0, 0, 0), (0, 0, 0)], ignore_id=255)), label


def test_pixels_without_a_class_do_not_become_background(tmp_path):
    source, _ = ignored(tmp_path/'in')
    with pytest.raises(ValueError, match=r'a.png has pixels of id 255 \(ignored\).*to-coco-panoptic'): convert_dataset('to-colors', source, tmp_path/'out')
    assert not (tmp_path/'out').exists()
    _, label = ignored(tmp_path/'in')
    there = convert_dataset('to-coco-panoptic', source, tmp_path/'panoptic')
    assert (open_dataset(convert_dataset('coco-panoptic', there/'panoptic.json', tmp_path/'back', there/'images'))[0].label_map == label).all()


def test_pixels_of_a_negative_id_are_no_class_either(tmp_path):
    source, _ = ignored(tmp_path/'in')
    meta, label = json.loads((source/'meta.json').read_text()), np.ones((H, W), np.int32)
    label[:, :5], label[:, 9:12] = 0, -1
    (source/'meta.json').write_text(json.dumps(meta | dict(ignore_id=-1)))
    (source/'train/label/a.png').unlink()
    Image.fromarray(label).save(source/'train/label/a.tif')
    there = convert_dataset('to-coco-panoptic', source, tmp_path/'panoptic')
    assert [s['category_id'] for s in json.loads((there/'panoptic.json').read_text())['annotations'][0]['segments_info']] == [1, 2]
    with pytest.warns(UserWarning, match='1 of 1 scenes have pixels without a class'): convert_dataset('to-labelme', source, tmp_path/'labelme')
    assert [s['label'] for s in json.loads((tmp_path/'labelme/a.json').read_text())['shapes']] == ['sky', 'road']


def test_classes_of_one_color_come_back(tmp_path):
    source, label = ignored(tmp_path/'in', pixels=False)
    there = convert_dataset('to-colors', source, tmp_path/'out')
    back = open_dataset(convert_dataset('colors', there, tmp_path/'back'))
    assert (back[0].label_map == label).all() and back.label_space.colors == ((0, 0, 0), (0, 0, 1))


def turned_photo(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (H, W)).save(path, exif=exif) # shown W x H


def test_a_photo_has_the_size_that_is_shown(tmp_path):
    turned_photo(tmp_path/'p.jpg')
    for size in ((H, W), (W, H)):
        (tmp_path/'p.json').write_text(json.dumps(dict(shapes=[dict(label='car', points=POINTS)], imagePath='p.jpg', imageHeight=size[0], imageWidth=size[1])))
        if size == (H, W): assert open_dataset(convert_dataset('labelme', tmp_path, tmp_path/'lm'))[0].size == (H, W)
        else:
            with pytest.raises(ValueError, match=f'p.jpg is {W}x{H} but its label map'): convert_dataset('labelme', tmp_path, tmp_path/'other')
    task = dict(data=dict(image='/data/upload/p.jpg'), annotations=[dict(result=[dict(type='polygonlabels', value=dict(points=[[0, 0], [50, 0], [50, 100], [0, 100]], polygonlabels=['car']))])])
    (tmp_path/'ls.json').write_text(json.dumps([task]))
    assert (open_dataset(convert_dataset('label-studio', tmp_path/'ls.json', tmp_path/'ls'))[0].label_map[0, :, :W // 2] == 1).all()


def test_a_quoted_address_of_label_studio(tmp_path):
    photo(tmp_path/'my photo.png')
    task = dict(data=dict(image='/data/local-files/?d=ph%2Fmy%20photo.png'), annotations=[dict(result=[dict(type='rectanglelabels', value=dict(x=0, y=0, width=50, height=50, rectanglelabels=['car']))])])
    (tmp_path/'ls.json').write_text(json.dumps([task]))
    assert open_dataset(convert_dataset('label-studio', tmp_path/'ls.json', tmp_path/'out')).names == ['my photo']


def test_out_and_split_are_checked_before_the_input(tmp_path, capsys, monkeypatch):
    source = coco_file(tmp_path/'in', [])
    (tmp_path/'file.txt').write_text('mine')
    (tmp_path/'empty').mkdir()
    (tmp_path/'link').symlink_to('empty')
    monkeypatch.chdir(tmp_path/'empty')
    for out, more, said in ((tmp_path/'file.txt'/'out', [], 'file.txt is a file, expected a folder to write to'), ('.', [], 'the folder that you are in'),
                            ('..', [], 'the folder that you are in, or one above'), (tmp_path/'link', [], 'link is a link'),
                            (tmp_path/'out', ['--split', '../../escaped'], "'../../escaped' is no name of a split")):
        for form in ('coco', 'to-colors') if not more else ('coco',):
            folder = source if form == 'coco' else ignored(tmp_path/'in'/'d', pixels=False)[0]
            assert main(['convert', form, str(folder), str(out), *more]) == 2
            err = capsys.readouterr().err
            assert said in err and 'coco.json' not in err and err.count('\n') == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ['empty', 'file.txt', 'in', 'link'] and not list((tmp_path/'empty').iterdir())


@pytest.mark.parametrize('name,said', [('.a.png', "a scene called '.a'"), ('a.gif', 'a.gif is a file of another kind')])
def test_what_would_not_be_read_again_is_not_written(name, said, tmp_path):
    source = coco_file(tmp_path, [])
    Image.new('RGB', (W, H)).save(tmp_path/name)
    source.write_text(source.read_text().replace('a.png', name))
    with pytest.raises(ValueError, match=said): convert_dataset('coco', source, tmp_path/'out')

"The worlds that the page offers: for each a model, scenes to begin with, and shapes to stamp."
import base64
import hashlib
import json
from pathlib import Path
import numpy as np
import pix2pixhd_nb
from pix2pixhd_nb.apps.worlds import WORLDS
from pix2pixhd_nb.editing.editor import _runs as runs # a map of ids as `SceneEditor.to_json` writes it
from pix2pixhd_nb.editing.shapes import ShapeLibrary
from pix2pixhd_nb.synthesis.styles import encoder_fingerprint
from export import export_networks

HERE = Path(__file__).parent
LARGEST = 10_000_000 # bytes of a model
TOGETHER = 64 # scenes of which the page knows the styles that were seen together
SIZES = {'street': [(256, 256)] * 6 + [(256, 512)] * 2} # of the scenes to begin with, where a model is at home at several


def begin(name):
    "Scenes to begin with, scenes to cut shapes from, and a small one."
    world = WORLDS[name]
    sizes = SIZES.get(name, [world.size] * 6)
    scenes = [world.scene(i + 1, size) for i, size in enumerate(sizes)]
    return scenes, [world.scene(100 + i, world.size) for i in range(12)], world.scene(9, (64, 96))


def silhouettes(scenes, label_space):
    "Shapes to stamp, at most eight of a class, and the line of heights of each class."
    library = ShapeLibrary.from_scenes(scenes, label_space)
    kept = [s for c in range(label_space.n_classes) for s in [s for s in library.shapes if s.label == c][:8]]
    return dict(shapes=[dict(label=s.label, foot=s.foot, picture_height=s.picture_height, mask=runs(s.mask.astype(int))) for s in kept],
                lines={c: [*map(float, line), float(least)] for c, (line, least) in library.lines.items()})


def check_picture(pipeline, scene):
    "A small scene with its picture by PyTorch: what WebGPU must reproduce before it is used."
    ids = scene.instance_map[0].numpy()
    styles = pipeline.random_styles(scene.label_map, scene.instance_map, 0)
    picture = np.asarray(pipeline.predict(scene.label_map, scene.instance_map, styles=styles))
    return dict(instance_map=runs(ids), styles={i: v.tolist() for i, v in styles.items()}, picture=base64.b64encode(picture.tobytes()).decode())


def write_world(name, folder):
    "All that the page loads of one world: two graphs, world.json, a thumbnail for each scene."
    world, (begun, cut, small) = WORLDS[name], begin(name)
    pipeline = world.model()
    book, space = pipeline.style_book, pipeline.label_space
    scenes = []
    for i, scene in enumerate(begun):
        styles = pipeline.random_styles(scene.label_map, scene.instance_map, i)
        folder.mkdir(parents=True, exist_ok=True)
        picture = pipeline.predict(scene.label_map, scene.instance_map, styles=styles)
        if i == 0: picture.save(folder / 'first.webp', lossless=True) # seen while the model loads
        picture.resize((picture.width * 96 // picture.height, 96)).save(folder / f'scene{i}.webp', quality=80)
        scenes.append(dict(title=f'Scene {i + 1}', thumbnail=f'scene{i}.webp', instance_map=runs(scene.instance_map[0].numpy()), styles={k: v.tolist() for k, v in styles.items()}))
    described = dict(name=name, title=world.title, model=encoder_fingerprint(pipeline.synthesizer) if pipeline.synthesizer.encoder else '', label_space=space.to_dict(), multiple_of=pipeline.synthesizer.multiple_of, brush=space.id(world.brush),
                     styles={c: dict(centres=v.tolist(), counts=book.counts[c].tolist()) | (dict(together=book.together[c][::-(-len(book.together[c]) // TOGETHER)].tolist()) if book.together else {}) for c, v in book.centres.items()},
                     scenes=scenes, check=check_picture(pipeline, small), **silhouettes(cut, space))
    described['networks'] = export_networks(pipeline, folder)
    for file in filter(None, described['networks'].values()):
        size = (folder / file).stat().st_size
        if size > LARGEST: raise SystemExit(f'{file} of world {name} has {size:,} bytes, the most is {LARGEST:,}: train a narrower model.')
    (folder / 'world.json').write_text(json.dumps(described, separators=(',', ':')))


def fingerprint(name):
    "Changes when a world's folder is to be written again."
    package = Path(pix2pixhd_nb.__file__).parent
    files = [HERE / 'export.py', HERE / 'worlds.py', *(package / f for f in ('apps/worlds.py', 'data/city.py', 'data/facades.py', 'data/toy.py', 'synthesis/styles.py')), *sorted(WORLDS[name].path.glob('*'))]
    return hashlib.sha256(b''.join(f.read_bytes() for f in files)).hexdigest()[:16]

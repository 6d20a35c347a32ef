"Change a scene: add, move, remove, reclass, paint, restyle, undo"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'arguments': ['whole_ids', 'class_0_refused', 'check_ids', 'number', 'object_id', 'able', 'style_vector', 'style_vectors'],
    'editor': ['class_of', 'class_name', 'Change', 'Step', 'SceneEditor', 'stroke_mask', 'ObjectShape'],
    'shapes': ['ShapeLibrary'],
})

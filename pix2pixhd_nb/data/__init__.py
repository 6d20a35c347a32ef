"Synthetic scenes, reading and checking datasets, DataLoaders"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'toy': ['LABEL_SPACE', 'STYLES', 'FOCAL', 'EYE', 'draw_scene', 'SyntheticScenes'],
    'facades': ['FACADE_SPACE', 'synthetic_facade'],
    'pictures': ['MAX_PIXELS', 'Problem', 'DatasetError', 'open_picture', 'seen_size', 'read_ids', 'read_image', 'pictures_in', 'some', 'color_numbers', 'holds_colors', 'ids_of_colors', 'pairing_problems', 'size_problem', 'id_problem', 'cut_problem', 'disagreement', 'disagreement_problem', 'connected_components'],
    'layouts': ['LAYOUTS', 'needs_images', 'SceneFolder', 'instances_of', 'read_meta', 'PlainFolder', 'save_scenes', 'Pix2PixHDFolder', 'Cityscapes', 'CamVid', 'shifted', 'ADE20K', 'NYUv2', 'unpack_nyuv2', 'HelenFaces', 'recognise', 'open_dataset'],
    'converters': ['CONVERTERS', 'Annotated', 'polygon_mask', 'run_lengths', 'paint_objects', 'coco', 'coco_panoptic', 'labelme', 'cvat', 'label_studio', 'voc', 'cityscapes_train_ids', 'propose_colors', 'color_masks', 'side_by_side', 'two_folders', 'to_color_masks', 'to_coco_panoptic', 'to_labelme', 'convert_dataset'],
    'loaders': ['POLICIES', 'nearest_index', 'resize', 'plan_sizes', 'Geometry', 'draw_geometry', 'SceneItem', 'scene_item', 'SceneItems', 'SceneDL', 'Packed', 'default_workers', 'scene_dataloaders'],
    'memory_scenes': ['ScenesInMemory'],
    'doctor': ['MAX_CLASSES', 'MIN_SIDE', 'Finding', 'look', 'Report', 'propose_label_space', 'write_meta', 'examine'],
})

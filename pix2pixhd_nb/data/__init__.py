"Synthetic scenes, reading and checking datasets, DataLoaders"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'toy': ['KINDS', 'LABEL_SPACE', 'STYLES', 'FOCAL', 'EYE', 'Kind', 'synthetic_scene', 'SyntheticScenes'],
    'facades': ['FACADE_SPACE', 'synthetic_facade'],
    'city': ['CITY_SPACE', 'synthetic_city'],
    'arrays': ['BITS', 'MOST_CHANNELS', 'FORMATS', 'to_image', 'to_numbers', 'picture_of', 'channels_of_shape', 'channels_first', 'ArrayHeader', 'npy_header', 'png_header', 'png_bytes', 'NotInstalled', 'need_tifffile', 'tiff_header', 'array_header', 'refused', 'check_format', 'write_picture', 'npy_bytes', 'mark_in'],
    'pictures': ['MAX_PIXELS', 'KINDS', 'CHANNELS', 'most_pixels', 'recognised', 'PictureFile', 'Problem', 'DatasetError', 'open_picture', 'seen_size', 'read_ids', 'header_of', 'read_image', 'channels_in', 'common_channels', 'noting_doubles', 'pictures_in', 'some', 'color_numbers', 'holds_colors', 'ids_of_colors', 'pairing_problems', 'size_problem', 'id_problem', 'cut_problem', 'disagreement', 'disagreement_problem', 'numbers_problem', 'instance_doubt', 'connected_components'],
    'layouts': ['LAYOUTS', 'needs_images', 'SceneFolder', 'thing_zero', 'instances_of', 'read_meta', 'PlainFolder', 'save_scenes', 'check_names', 'Pix2PixHDFolder', 'Cityscapes', 'CamVid', 'shifted', 'ADE20K', 'NYUv2', 'unpack_nyuv2', 'HelenFaces', 'recognise', 'open_dataset', 'check_label_maps'],
    'converters': ['CONVERTERS', 'Annotated', 'polygon_mask', 'run_lengths', 'paint_objects', 'coco', 'coco_panoptic', 'labelme', 'cvat', 'label_studio', 'voc', 'cityscapes_train_ids', 'propose_colors', 'color_masks', 'side_by_side', 'two_folders', 'to_color_masks', 'to_coco_panoptic', 'to_labelme', 'convert_dataset'],
    'loaders': ['POLICIES', 'nearest_index', 'resize', 'plan_sizes', 'Geometry', 'sample_geometry', 'SceneItem', 'scene_item', 'SceneItems', 'WholeScenes', 'trained_size', 'SceneDL', 'Packed', 'default_workers', 'scene_dataloaders'],
    'memory_scenes': ['ScenesInMemory'],
    'doctor': ['MAX_CLASSES', 'MIN_SIDE', 'Finding', 'examine_scene', 'Report', 'propose_label_space', 'files_of', 'write_meta', 'examine'],
})

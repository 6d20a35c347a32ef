"Synthetic scenes, reading and checking datasets, DataLoaders"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'toy': ['LABEL_SPACE', 'STYLES', 'FOCAL', 'EYE', 'draw_scene', 'SyntheticScenes'],
    'pictures': ['MAX_PIXELS', 'Problem', 'DatasetError', 'open_picture', 'read_ids', 'read_image', 'pictures_in', 'some', 'pairing_problems', 'size_problem', 'id_problem', 'cut_problem', 'disagreement', 'disagreement_problem', 'connected_components'],
    'layouts': ['LAYOUTS', 'needs_images', 'SceneFolder', 'read_meta', 'PlainFolder', 'save_scenes', 'Pix2PixHDFolder', 'Cityscapes', 'CamVid', 'shifted', 'ADE20K', 'NYUv2', 'unpack_nyuv2', 'HelenFaces', 'recognise', 'open_dataset'],
    'loaders': ['POLICIES', 'nearest_index', 'resize', 'plan_sizes', 'Geometry', 'draw_geometry', 'SceneItem', 'scene_item', 'SceneItems', 'SceneDL', 'scene_dataloaders'],
    'memory_scenes': ['ScenesInMemory'],
    'doctor': ['MAX_CLASSES', 'Finding', 'look', 'Report', 'propose_label_space', 'examine'],
})

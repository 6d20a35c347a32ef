"Widgets for a notebook or a Voila page"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'canvas': ['STATIC', 'png', 'static', 'script', 'LatestOnly'],
    'windows': ['LARGE', 'window_around', 'reach', 'widened', 'generate_window', 'changed_window', 'PictureCache'],
    'base': ['MOST_BYTES', 'MOST_PIXELS', 'MOST_OBJECTS', 'MOST_HISTORY', 'GESTURES', 'MOST_POINTS', 'ACTIONS', 'GALLERY', 'picture_of_map', 'uploaded_picture', 'uploaded_scene', 'maps_of', 'map_files', 'Tool', 'SceneApp'],
    'visitors': ['VisitorKernels'],
    'explorer': ['StyleExplorer'],
    'studio': ['TOOLS', 'SceneStudio'],
    'preference_study': ['PAPER_TIMES', 'TOLERANCE', 'TRIES', 'Pair', 'pairs_of', 'pairs_in', 'degraded', 'Trial', 'plan_trials', 'PreferenceStudy', 'read_results'],
    'worlds': ['WORLDS', 'World', 'synthetic_street', 'InWorlds'],
})

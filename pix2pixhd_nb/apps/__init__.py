"Widgets for a notebook or a Voila page"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'canvas': ['png', 'outline', 'PixelCanvas', 'LatestOnly', 'PictureStrip', 'StatusLine', 'ShareSlider'],
    'explorer': ['window_around', 'reach', 'widened', 'draw_window', 'Drawings', 'StyleExplorer'],
    'studio': ['TOOLS', 'picture_of_map', 'SceneStudio'],
    'preference_study': ['PAPER_TIMES', 'TOLERANCE', 'TRIES', 'Pair', 'pairs_of', 'degraded', 'Trial', 'plan_trials', 'PreferenceStudy', 'read_results'],
})

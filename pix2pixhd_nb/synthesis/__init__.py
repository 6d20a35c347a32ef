"A trained model as one thing: save, load, generate; its styles; weights of the 2018 code"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'styles': ['silhouettes', 'FeatureTable', 'encoder_fingerprint', 'measure_features', 'StyleBook', 'cluster', 'interpolate', 'styles_of', 'SceneStyles', 'read_2018_style_book'],
    'pipeline': ['read_map', 'training_of', 'Pix2PixHD', 'several', 'read_reference', 'street_model', 'mark_of'],
    'weights_2018': ['load_2018_state', 'why_unreadable', 'which_2018_network', 'expect_2018_network', 'block_layers', 'trunk_layers', 'enhancer_layers', 'number_after', 'shape_of', 'check_count', 'move_weights', 'read_2018_generator', 'read_2018_encoder', 'read_2018_discriminator'],
    'export': ['OPSET', 'number_objects', 'plain_convolutions', 'ImageGraph', 'edges_of', 'PictureGraph', 'StyleGraph', 'halve_weights', 'graph_files'],
    'hub': ['why_no_hub'],
})

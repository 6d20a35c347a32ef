"The networks, and what they are told"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'boundaries': ['instance_boundaries'],
    'pooling': ['instance_index', 'instance_vectors', 'instance_mean', 'pool_sorted', 'paint_features'],
    'condition_conv': ['ConditionConv2d', 'mark_classes', 'ImageConv2d'],
    'activation_checkpointing': ['checkpoint_activations'],
    'blocks': ['norm_layer', 'stem', 'downsample', 'upsample', 'ResidualBlock', 'Notch', 'head', 'half_size', 'init_weights', 'count_parameters', 'nearest_sizes', 'check_size', 'check_input'],
    'generators': ['global_trunk', 'GlobalGenerator', 'LocalEnhancer', 'CoarseToFineGenerator', 'grow'],
    'discriminators': ['PatchDiscriminator', 'MultiscaleDiscriminator', 'grow_discriminator'],
    'encoder': ['FeatureEncoder'],
    'synthesizer': ['Synthesizer', 'pad_to_multiple', 'keep_in_16_bits'],
    'baselines': ['unet_down', 'unet_up', 'UNet', 'RefinementModule', 'CascadedRefinementNetwork'],
    'perceptual_network': ['WIDTHS', 'SHIPPED', 'perceptual_slice', 'PerceptualNetwork', 'small_perceptual_network'],
    'vgg19': ['VGG_SLICES', 'AFTER_POOLING', 'PICTURE_MEAN', 'load_vgg_weights', 'published_vgg19', 'vgg_slice', 'vgg_slices', 'scale_picture', 'check_scale'],
    'saved': ['GENERATORS', 'FORMAT', 'check_description', 'read_description', 'read_weights', 'build_synthesizer', 'check_weights', 'saved_discriminators', 'shipped_folder', 'street_folder', 'condition_layers', 'take_over', 'class_names', 'start_networks', 'kept_text'],
})

"Does it work?"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'scores': ['confusion_matrix', 'segmentation_scores', 'Segmenter', 'vary', 'train_segmenter', 'read_back', 'check_pictures', 'check_classes', 'count_pictures', 'compare_to_oracle', 'targets_of', 'ratio', 'share_of_oracle', 'share_interval'],
    'segmenters': ['STAGES', 'CHANNELS', 'IMAGENET', 'squeezenet_stages', 'squeezenet_weights', 'PhotoSegmenter', 'photo_segmenter', 'save_segmenter', 'load_segmenter', 'segmenter_names'],
    'distances': ['FeatureNetwork', 'squeezenet_features', 'segmenter_features', 'picture_features', 'stage_features', 'gaussian_distance', 'frechet_distance', 'kernel_distance', 'realism'],
    'diversity': ['feature_distance', 'LPIPS', 'mean_lpips', 'explained', 'object_colours', 'colour_faithfulness', 'styles_obeyed'],
    'touching': ['edge_hits', 'edge_accuracy', 'compare_edges'],
    'preference': ['upper_tail', 'binomial_interval', 'sign_test', 'attention', 'valid_answers', 'preferences', 'time_curve', 'plot_time_curve', 'agreement', 'power', 'pairs_needed'],
    'report': ['METRICS', 'Graded', 'Metric', 'grade', 'Evaluation', 'evaluate', 'generate_all', 'checksum_of', 'described', 'shown', 'notes_of', 'figures_text', 'picture_grid', 'jsonable', 'save_report', 'SizedScenes'],
    'pairs': ['absolute_error', 'signal_to_noise', 'grade_pairs', 'PairEvaluation', 'evaluate_pairs'],
    'validation': ['GeneratedScore', 'TargetDistance'],
})

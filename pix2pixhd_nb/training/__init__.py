"The objective, the two-network step, the Learner, growing, checkpoints, what a run costs"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'recipes': ['RECIPES', 'SCENES_A_BATCH', 'RENAMED', 'LIMITS', 'recipe_options', 'named_today', 'check_numbers', 'takes_options_of', 'options_of', 'unknown_option', 'comments_of'],
    'losses': ['SLICE_WEIGHTS', 'GANLoss', 'FeatureMatchingLoss', 'PerceptualLoss', 'generator_losses', 'discriminator_losses', 'loss_functions'],
    'augmentation': ['Change', 'recolour', 'translate', 'cut_out', 'DifferentiableAugmentation'],
    'step': ['training_step', 'GANOptimizer', 'GAN', 'LossPair', 'ImagePool', 'GANTraining', 'objective', 'GANLearner', 'TrainingLoss'],
    'networks': ['pix2pixhd_networks', 'styleless', 'started_options'],
    'cuda_graphs': ['WITHIN', 'GraphedTraining'],
    'learner': ['CUDA_GRAPH', 'INSTEAD', 'pix2pixhd_learner', 'FirstBeta', 'fastest_precision'],
    'coarse_to_fine': ['grow_learner', 'fit_coarse_to_fine'],
    'baselines': ['pix2pix_learner', 'crn_learner'],
    'distributed': ['Distributed', 'distribute'],
    'checkpoints': ['FORMAT', 'random_states', 'set_random_states', 'training_state', 'write_checkpoint', 'read_checkpoint', 'check_state', 'checkpoints_in', 'latest_checkpoint', 'Stopped', 'Checkpoint', 'rates_of', 'best_checkpoint', 'best_value', 'same_classes', 'restore', 'check_optimizers'],
    'monitor': ['LEVELS', 'ALARMS', 'loss_meaning', 'smoothed', 'plot_history', 'not_finite', 'discriminator_won', 'discriminator_blind', 'saturated_share', 'bright_spots', 'mode_collapse', 'overfitting', 'Alarm', 'GANMonitor'],
    'cost': ['GPU_CONTEXT', 'Budget', 'rehearse', 'bytes_needed', 'step_seconds', 'Option', 'training_options', 'propose', 'saved_bytes', 'check_memory'],
})

"The `pix2pixhd` program"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'training': ['WAITS', 'MAY_DIFFER', 'MAPS_CHECKED', 'doctor', 'stages_of', 'scenes_of', 'has_val', 'validation_split', 'shapes_of', 'say_shapes', 'say_channels', 'start_of', 'segmenter_of', 'take_best', 'adds_discriminators', 'epochs_of', 'counted', 'repeated', 'refuse_others_files', 'forget_run', 'save_surely', 'on_first', 'repeats', 'checked_config', 'read_config', 'effective', 'check_as_before', 'names_of', 'data_of', 'check_same_scenes', 'grown', 'networks_for', 'check_resources', 'check_sizes', 'check_ids', 'train', 'plan'],
    'converting': ['convert'],
    'generating': ['synthesize', 'pictures_of', 'scenes_for', 'check_dataset_classes', 'inputs_of', 'scenes_at'],
    'evaluating': ['reader_for', 'split_to_grade', 'chose_epoch', 'evaluate', 'evaluated'],
    'demo': ['DEMO', 'QUICK_DEMO', 'PAGE', 'KINDS', 'epochs_within', 'train_demo', 'styles_of_classes', 'three_edits', 'figures_table', 'write_page', 'results_sheet', 'generate_held_out', 'report_demo'],
    'editing': ['plain_scene', 'plain_styles', 'styles_sheet', 'styles', 'read_edits', 'edit'],
    'exporting': ['export', 'convert_2018'],
    'serving': ['can_export', 'Full', 'OneWorker', 'Refused', 'uploaded_map', 'bounded_body', 'generator_of', 'create_app', 'result_of', 'serve'],
    'selftest': ['TINY', 'FULL', 'N', 'TOLERANCE', 'QUESTIONS', 'Row', 'scene_on', 'plain_adam', 'plain_step', 'Step', 'new_gan', 'rounding', 'worst', 'parity', 'steps_of', 'graph', 'determinism', 'skipping', 'memory', 'synchronize', 'seconds', 'in_turns', 'step_variants', 'precision', 'speed', 'answers', 'machine_of'],
    'main': ['TITLES', 'COMMANDS', 'size_of', 'add_command', 'home_of', 'kind_of', 'Parser', 'command_of', 'summary_of', 'build_parser', 'out_of_memory', 'from_worker', 'last_line', 'itself', 'foreseen', 'as_typed', 'unforeseen', 'as_notes'],
})

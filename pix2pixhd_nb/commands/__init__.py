"The `pix2pixhd` program"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'training': ['doctor', 'stages_of', 'adds_discriminators', 'epochs_of', 'repeated', 'repeats', 'read_config', 'train', 'plan'],
    'generating': ['synthesize', 'scenes_at'],
    'evaluating': ['reader_for', 'evaluate'],
    'demo': ['DEMO', 'QUICK_DEMO', 'PAGE', 'KINDS', 'epochs_within', 'train_demo', 'styles_of_classes', 'three_edits', 'figures_table', 'write_page', 'results_sheet', 'generate_held_out', 'report_demo'],
    'main': ['COMMANDS', 'size_of', 'add_command', 'kind_of', 'command_of', 'summary_of', 'build_parser'],
})

"What has nothing to do with GANs: whole files, precision, CUDA graphs, memory, ranks"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'untrusted': ['MALFORMED', 'brief', 'seed_of', 'one_line', 'is_whole', 'is_number', 'is_name', 'parse_json', 'read_json', 'reading', 'read_safetensors', 'read_torch', 'misfit'],
    'files': ['checksum', 'other_format', 'check_folder', 'clean_parts', 'locked', 'write_whole', 'save_tensors', 'check_outputs', 'write_png', 'written_by', 'check_room', 'bytes_in'],
    'precision': ['PRECISIONS', 'autocast', 'gpu_precision', 'sixteen_bits'],
    'cuda_graphs': ['Graphed'],
    'memory': ['LiveBytes', 'generation_bytes', 'free_bytes', 'check_generation', 'keep_freed_memory'],
    'distributed': ['join_ranks', 'leave_ranks', 'rank', 'world_size', 'RankLost', 'leave_word', 'last_word', 'meeting', 'mean_over_ranks', 'highest_over_ranks', 'gather', 'from_first'],
})

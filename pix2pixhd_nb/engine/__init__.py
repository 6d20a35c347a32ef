"What has nothing to do with GANs: whole files, precision, CUDA graphs, memory, ranks"
from pix2pixhd_nb._house import lazy

__all__, __getattr__, __dir__ = lazy(__name__, {
    'files': ['checksum', 'check_folder', 'clean_parts', 'locked', 'write_whole'],
    'precision': ['PRECISIONS', 'autocast', 'gpu_precision', 'sixteen_bits'],
    'cuda_graphs': ['Graphed'],
    'memory': ['LiveBytes', 'drawing_bytes', 'free_bytes', 'check_drawing', 'keep_freed_memory'],
    'distributed': ['join_ranks', 'leave_ranks', 'rank', 'world_size', 'RankLost', 'meeting', 'mean_over_ranks', 'highest_over_ranks', 'gather', 'from_first'],
})

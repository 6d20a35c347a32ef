"""A GPU that is not there: tensors that say cuda:0 and keep their numbers on the processor.

Every call of PyTorch is checked as CUDA would (no mixing of devices, nothing that waits within a capture), and what makes Python wait for
the GPU is noted. Streams do nothing; a CUDA graph is the list of the calls that were made while it was captured. It needs no compiler and no
CUDA, so it runs with PyTorch's wheels for processors and for GPUs. What it cannot show: kernels and their speed, what a true capture
refuses, overflow at full width, the allocator, NCCL, autocast's list of operations for CUDA (that of processors is used)."""
import contextlib
import gc
import traceback
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
WAITS = {aten._local_scalar_dense.default: 'item', aten.nonzero.default: 'nonzero', aten._unique2.default: 'unique', aten.unique_dim.default: 'unique',
         aten.unique_consecutive.default: 'unique', aten.bincount.default: 'bincount', aten.masked_select.default: 'masked_select',
         aten.equal.default: 'equal', aten.is_nonzero.default: 'bool'}
INDEXING = aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default


class State:
    "What is going on: the waits so far, the calls of the graph that is being captured."
    waits, capture, before = [], None, {}

def where():
    "The line of the package that is at work."
    frames = [f for f in traceback.extract_stack() if '/pix2pixhd_nb/' in f.filename]
    return f"{frames[-1].filename.split('/pix2pixhd_nb/')[-1]}:{frames[-1].name}" if frames else 'outside'

def wait(kind):
    State.waits.append((kind, where()))
    if State.capture is not None: raise RuntimeError(f'CUDA error: operation not permitted when stream is capturing ({kind} at {where()})')


class Card(torch.Tensor):
    "A tensor on the GPU that is not there."
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        if isinstance(held, Card): return held
        card = torch.Tensor._make_wrapper_subclass(cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device='cpu')
        card.held = held
        return card

    @classmethod
    def __torch_dispatch__(cls, f, types, args=(), kwargs=None): return run(f, args, kwargs or {})

    device = property(lambda self: torch.device('cuda', 0))
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)
    def __repr__(self): return f'Card({self.held})'
    def __reduce_ex__(self, protocol): return self.cpu().__reduce_ex__(protocol)
    def get_device(self): return 0
    def record_stream(self, stream): pass
    def pin_memory(self): raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be pinned")

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            copy = Card(self.detach().held.clone(memory_format=torch.preserve_format))
            memo[id(self)] = torch.nn.Parameter(copy, self.requires_grad) if isinstance(self, torch.nn.Parameter) else copy.requires_grad_(self.requires_grad)
        return memo[id(self)]

    def to(self, *args, **kwargs):
        if args and isinstance(args[0], torch.Tensor): args = (args[0].device, args[0].dtype)
        copy = kwargs.pop('copy', False)
        device, dtype, non_blocking, memory_format = torch._C._nn._parse_to(*args, **kwargs)
        if device is not None and device.type == 'cpu':
            if not non_blocking: wait('download')
            held = self.detach().held.clone()
            return held if dtype is None else held.to(dtype)
        given = {k: v for k, v in dict(dtype=dtype, memory_format=memory_format).items() if v is not None}
        return super().to(**given) if given else self.clone() if copy else self

    def cpu(self): return self.to('cpu')
    def cuda(self, *args, **kwargs): return self
    def item(self):
        wait('item')
        return self.detach().held.item()
    def tolist(self):
        wait('tolist')
        return self.detach().held.tolist()
    def numpy(self, *args, **kwargs): raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
    __array__ = numpy


def is_cuda(device): return device is not None and torch.device(device).type == 'cuda'

def check(f, args, kwargs, cards, plain):
    "What CUDA would refuse, and what it would wait for."
    to, non_blocking = kwargs.get('device'), kwargs.get('non_blocking', False)
    if f in INDEXING and isinstance(args[0], Card):
        chosen = [t for t in args[1] if t is not None]
        if any(not isinstance(t, Card) for t in chosen): wait('upload of an index')
        if any(t.dtype in (torch.bool, torch.uint8) for t in chosen): wait('nonzero of a mask')
    elif f is aten.copy_.default and isinstance(args[0], Card) != isinstance(args[1], Card):
        if not (args[2] if len(args) > 2 else non_blocking): wait('download' if isinstance(args[1], Card) else 'upload')
    elif f is aten._to_copy.default:
        if plain and is_cuda(to) and not non_blocking: wait('upload')
    elif cards and any(t.dim() for t in plain):
        raise RuntimeError(f'Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({f} of {[(tuple(t.shape), t.dtype, type(t).__name__) for t in plain + cards]} at {where()})')
    if cards and f in WAITS: wait(WAITS[f])

def run(f, args, kwargs):
    flat = tree_flatten((args, kwargs))[0]
    cards = [t for t in flat if isinstance(t, Card)]
    plain = [t for t in flat if isinstance(t, torch.Tensor) and not isinstance(t, Card)]
    check(f, args, kwargs, cards, plain)
    to, own = kwargs.get('device'), {id(t.held): t for t in cards}
    given, named = tree_map(lambda t: t.held if isinstance(t, Card) else t, (args, kwargs))
    if is_cuda(to): named['device'] = torch.device('cpu')
    named.pop('pin_memory', None)
    if State.capture is not None: keep_what_is_written(f, given, named)
    out = f(*given, **named)
    if State.capture is not None: State.capture.append((f, given, named, out))
    if not cards and not is_cuda(to): return out # downloads are caught in `Card.to`: here 'cpu' is what C++ takes a card's device for
    view = cards and not cards[0].is_inference() and any(r.alias_info for r in f._schema.returns) # a view of an ordinary tensor is one in every mode
    with torch.inference_mode(False) if view else contextlib.nullcontext():
        return tree_map(lambda t: own[id(t)] if id(t) in own else Card(t) if isinstance(t, torch.Tensor) else t, out)

def keep_what_is_written(f, args, kwargs):
    "A capture runs nothing: what its calls write is put back at its end."
    for i, a in enumerate(f._schema.arguments):
        if a.alias_info is None or not a.alias_info.is_write: continue
        for t in tree_flatten(args[i] if i < len(args) else kwargs.get(a.name))[0]:
            if isinstance(t, torch.Tensor): State.before.setdefault(t.untyped_storage().data_ptr(), (t.untyped_storage(), t.untyped_storage().clone()))

class OnCard(TorchDispatchMode):
    "Catches what makes tensors on the GPU, or brings them there."
    def __torch_dispatch__(self, f, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        touched = is_cuda(kwargs.get('device')) or any(isinstance(t, Card) for t in tree_flatten((args, kwargs))[0])
        return run(f, args, kwargs) if touched else f(*args, **kwargs)


class Graph:
    "The calls of a capture, made again in the same memory."
    @torch.inference_mode() # may write to everything
    def replay(self):
        for f, args, kwargs, out in self.calls:
            for old, new in zip(tree_flatten(out)[0], tree_flatten(f(*args, **kwargs))[0]):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr(): old.copy_(new)

class capturing:
    def __init__(self, graph, **kwargs): self.graph = graph
    def __enter__(self):
        gc.collect()
        if any(isinstance(t, Card) and t.grad_fn is not None for t in gc.get_objects()):
            raise RuntimeError('CUDA error: operation would make the legacy stream depend on a capturing blocking stream (a graph of an earlier step is alive)')
        State.capture, State.before = [], {}
    def __exit__(self, *error):
        self.graph.calls, State.capture = State.capture, None
        for storage, old in State.before.values(): storage.copy_(old)

class Stream:
    def __init__(self, *args, **kwargs): pass
    def wait_stream(self, other): pass
    def synchronize(self): wait('synchronize')

@contextlib.contextmanager
def nothing(*args, **kwargs): yield


def to_the_only_one(to):
    "`Tensor.to` for which 'cuda' is 'cuda:0'; CUDA itself would have to be asked."
    def first(device): return torch.device('cuda', 0) if isinstance(device, (str, torch.device)) and is_cuda(device) else device
    def run(self, *args, **kwargs):
        if 'device' in kwargs: kwargs['device'] = first(kwargs['device'])
        if args and isinstance(args[0], Card): args = (args[0].device, args[0].dtype, *args[1:])
        return to(self, *map(first, args), **kwargs)
    return run

def by_device(tensors, with_indices=False):
    "Groups for an optimiser, each under the device that its tensors name."
    groups = torch.utils._foreach_utils._group_tensors_by_device_and_dtype(tensors, with_indices)
    def named(device, lists): return next((t.device for ts in lists[0] for t in ts if isinstance(t, Card)), device)
    return {(named(device, lists), dtype): lists for (device, dtype), lists in groups.items()}

@contextlib.contextmanager
def pretend_gpu(monkeypatch, # pytest's
                capability=(9, 0)):
    "Within it there is a GPU."
    cuda, autocast = torch.cuda, torch.autocast
    for name, value in dict(is_available=lambda: True, device_count=lambda: 1, current_device=lambda: 0, _lazy_init=lambda: None, get_device_capability=lambda *a: capability,
                            get_device_name=lambda *a: 'Pretend', is_bf16_supported=lambda *a, **k: True, synchronize=lambda *a: wait('synchronize'),
                            mem_get_info=lambda *a: (11 * 10**9, 12 * 10**9), memory_reserved=lambda *a: 0, memory_allocated=lambda *a: 0, max_memory_allocated=lambda *a: 0,
                            reset_peak_memory_stats=lambda *a: None, empty_cache=lambda: None, get_rng_state_all=list, device=nothing, Stream=Stream, stream=nothing,
                            current_stream=lambda *a: Stream(), CUDAGraph=Graph, graph=capturing).items(): monkeypatch.setattr(cuda, name, value)
    monkeypatch.setattr(cuda.amp.common, 'amp_definitely_not_available', lambda: False)
    monkeypatch.setattr(torch, 'autocast', lambda device, *args, **kwargs: autocast('cpu', *args, **kwargs))
    monkeypatch.setattr(torch.Tensor, 'pin_memory', lambda self: self)
    monkeypatch.setattr(torch.Tensor, 'to', to_the_only_one(torch.Tensor.to))
    monkeypatch.setattr(torch.optim.Optimizer, '_group_tensors_by_device_and_dtype', staticmethod(by_device))
    for name in ('_accelerator_graph_capture_health_check', '_cuda_graph_capture_health_check'): monkeypatch.setattr(torch.optim.Optimizer, name, lambda self: None, raising=False)
    swap = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True) # parameters stay the same objects, as on a GPU
    State.waits, State.capture = [], None
    try:
        with OnCard(): yield State
    finally: torch.__future__.set_swap_module_params_on_conversion(swap)

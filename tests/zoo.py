"""Small modules of every kind that people train, each with samples that it takes."""

import warnings

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

SAMPLES = 12
Sequence, parametrizations = nn.Sequential, nn.utils.parametrizations


def vectors():
    return torch.randn(SAMPLES, 6, dtype=torch.float64)


def images():
    return torch.randn(SAMPLES, 1, 6, 6, dtype=torch.float64)


def signals():
    return torch.randn(SAMPLES, 2, 8, dtype=torch.float64)


def sequences():
    return torch.randn(SAMPLES, 4, 3, dtype=torch.float64)


def tokens():
    return torch.randint(0, 7, (SAMPLES, 5))


class Net(nn.Module):
    """Parts by name, and a function of them and the input as forward pass."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def residual():
    def forward(net, x):
        x = x + torch.tanh(net.one(x))
        return net.out(x + torch.tanh(net.two(x)))

    return Net(forward, one=nn.Linear(6, 6), two=nn.Linear(6, 6), out=nn.Linear(6, 3))


def tied():
    def forward(net, x):
        return net.out(torch.tanh(net.two(torch.tanh(net.one(x)))))

    net = Net(forward, one=nn.Linear(6, 6), two=nn.Linear(6, 6), out=nn.Linear(6, 3))
    net.two.weight = net.one.weight
    return net


def used_twice():
    layer = nn.Linear(6, 6)
    return Sequence(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(6, 3))


def frozen():
    net = Sequence(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    net[0].requires_grad_(False)
    return net


def with_buffer():
    net = plain(lambda net, x: net.out(torch.tanh(net.one(x - net.mean))))
    net.register_buffer("mean", torch.full((6,), 0.3))
    return net


def recurrent(kind):
    inner = kind(3, 3, batch_first=True)
    return Net(lambda net, x: net.out(net.inner(x)[0][:, -1]), inner=inner, out=nn.Linear(3, 3))


def lstm_cell():
    def forward(net, x):
        hidden = cell = x.new_zeros(len(x), 3)
        for step in x.unbind(1):
            hidden, cell = net.inner(step, (hidden, cell))
        return net.out(hidden)

    return Net(forward, inner=nn.LSTMCell(3, 3), out=nn.Linear(3, 3))


def attention():
    def forward(net, x):
        x = net.up(x)
        return net.out(net.inner(x, x, x, need_weights=False)[0].mean(1))

    inner = nn.MultiheadAttention(4, 2, batch_first=True)
    return Net(forward, up=nn.Linear(3, 4), inner=inner, out=nn.Linear(4, 3))


def transformer():
    layer = nn.TransformerEncoderLayer(4, 2, 5, dropout=0.0, batch_first=True)
    parts = dict(up=nn.Linear(3, 4), inner=layer, out=nn.Linear(4, 3))
    return Net(lambda net, x: net.out(net.inner(net.up(x)).mean(1)), **parts)


def embedding(kind):
    def forward(net, x):
        found = net.inner(x)
        return net.out(torch.tanh(found if found.dim() == 2 else found.mean(1)))

    return Net(forward, inner=kind(7, 4), out=nn.Linear(4, 3))


def bilinear():
    function = lambda net, x: net.out(torch.tanh(net.inner(x, x)))
    return Net(function, inner=nn.Bilinear(6, 6, 4), out=nn.Linear(4, 3))


def plain(function):
    return Net(function, one=nn.Linear(6, 4), out=nn.Linear(4, 3))


def branches(net, x):
    found = net.out(torch.tanh(net.one(x)))
    return found / 2 if found.abs().max() > 10 else found


def writes(net, x):
    hidden = torch.zeros(len(x), 4, dtype=x.dtype)
    hidden[:, :] = torch.tanh(net.one(x))
    return net.out(hidden)


def keeps(net, x):
    net.hidden = torch.tanh(net.one(x))
    return net.out(net.hidden)


class Tanh(torch.autograd.Function):
    """A function with a backward pass of its own, as users write them."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.tanh(z)

    @staticmethod
    def backward(ctx, slope):
        return slope * (1 - torch.tanh(ctx.saved_tensors[0]) ** 2)


def checkpointed(net, x):
    return net.out(checkpoint(lambda z: torch.tanh(net.one(z)), x, use_reentrant=False))


def centred(net, x):
    hidden = net.one(x)
    return net.out(torch.tanh((hidden - hidden.mean(0)) / (hidden.std(0, correction=0) + 0.5)))


def two(between, change=lambda layer: layer):
    return Sequence(change(nn.Linear(6, 4)), between, nn.Linear(4, 3))


def convolved(*layers, width):
    return Sequence(*layers, nn.Flatten(), nn.Linear(width, 3))


def old_weight_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return two(nn.Tanh(), nn.utils.weight_norm)


def normalised(layer):
    return Sequence(nn.Linear(6, 6), layer, nn.Tanh(), nn.Linear(6, 3))


#: A module and its samples by name.  Those in COUPLED let samples see each other.
ZOO = {
    "linear": (lambda: nn.Linear(6, 3), vectors),
    "deep": (
        lambda: Sequence(
            *(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 5), nn.Sigmoid()),
            *(nn.Linear(5, 4), nn.Softplus(), nn.Linear(4, 3)),
        ),
        vectors,
    ),
    "relu": (lambda: Sequence(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), vectors),
    "gelu and silu": (
        lambda: Sequence(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 5), nn.SiLU(), nn.Linear(5, 3)),
        vectors,
    ),
    "prelu": (lambda: two(nn.PReLU()), vectors),
    "convolution 1-d": (
        lambda: convolved(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.AvgPool1d(2), width=9),
        signals,
    ),
    "convolution 2-d": (
        lambda: convolved(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.MaxPool2d(2), width=8),
        images,
    ),
    "convolution with stride": (
        lambda: convolved(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Tanh(), width=18),
        images,
    ),
    "residual": (residual, vectors),
    "layer norm": (lambda: normalised(nn.LayerNorm(6)), vectors),
    "group norm": (lambda: normalised(nn.GroupNorm(2, 6)), vectors),
    "rms norm": (lambda: normalised(nn.RMSNorm(6)), vectors),
    "instance norm": (
        lambda: convolved(
            nn.Conv1d(2, 3, 3), nn.InstanceNorm1d(3, affine=True), nn.Tanh(), width=18
        ),
        signals,
    ),
    "batch norm without memory": (
        lambda: normalised(nn.BatchNorm1d(6, track_running_stats=False)),
        vectors,
    ),
    "batch norm 2-d without memory": (
        lambda: convolved(
            *(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), nn.Tanh()), width=32
        ).eval(),
        images,
    ),
    "batch norm in eval": (lambda: normalised(nn.BatchNorm1d(6)).eval(), vectors),
    "centred over the batch": (lambda: plain(centred), vectors),
    "tied parameters": (tied, vectors),
    "one layer used twice": (used_twice, vectors),
    "frozen layer": (frozen, vectors),
    "buffer": (with_buffer, vectors),
    "embedding": (lambda: embedding(nn.Embedding), tokens),
    "embedding bag": (lambda: embedding(nn.EmbeddingBag), tokens),
    "rnn": (lambda: recurrent(nn.RNN), sequences),
    "lstm": (lambda: recurrent(nn.LSTM), sequences),
    "gru": (lambda: recurrent(nn.GRU), sequences),
    "lstm cell": (lstm_cell, sequences),
    "attention": (attention, sequences),
    "transformer": (transformer, sequences),
    "weight norm": (lambda: two(nn.Tanh(), parametrizations.weight_norm), vectors),
    "weight norm by hook": (old_weight_norm, vectors),
    "spectral norm in eval": (
        lambda: two(nn.Tanh(), parametrizations.spectral_norm).eval(),
        vectors,
    ),
    "bilinear": (bilinear, vectors),
    "softmax head": (lambda: Sequence(*two(nn.Tanh()), nn.LogSoftmax(1)), vectors),
    "single precision": (lambda: two(nn.Tanh()).float(), vectors),
    "dropout of nothing": (
        lambda: Sequence(nn.Linear(6, 5), nn.Dropout(0.0), nn.Tanh(), nn.Linear(5, 3)),
        vectors,
    ),
    "branch on a value": (lambda: plain(branches), vectors),
    "writes in place": (lambda: plain(writes), vectors),
    "keeps its hidden values": (lambda: plain(keeps), vectors),
    "backward of its own": (lambda: plain(lambda net, x: net.out(Tanh.apply(net.one(x)))), vectors),
    "checkpoint": (lambda: plain(checkpointed), vectors),
}
COUPLED = {"batch norm without memory", "batch norm 2-d without memory", "centred over the batch"}

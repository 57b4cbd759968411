"""What is not attention: distributions over classes, actions, codes and depths, their losses, and routers."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.attention_form import N_TOKEN, WIDTH, Form
from tests.attention_forms_other import mapped

KINDS = torch.arange(WIDTH) + 0.5


def entropy(s, x):
    p = s.softmax(-1)
    return x + (p * p.clamp(min=1e-9).log()).sum(-1, keepdim=True)


def divergence(s, x):
    """Kullback-Leibler divergence of two predicted distributions, as in distillation."""
    first, second = s.chunk(2, -1)
    return x + F.kl_div(first.log_softmax(-1), second.log_softmax(-1), log_target=True, reduction="none").sum(-1, keepdim=True)


def cross_entropy(s, x):
    return x + F.cross_entropy(s.mT, x.argmax(-1), reduction="none", label_smoothing=0.1)[..., None]


def focal_loss(s, x):
    p = s.softmax(-1).gather(-1, x.argmax(-1, keepdim=True))
    return x - (1 - p) ** 2 * p.log()


def expected_return(s, x):
    """A policy over actions times the values of the actions, both predicted, as in actor-critic methods."""
    policy, value = s.chunk(2, -1)
    return x + (policy.softmax(-1) * value).sum(-1, keepdim=True)


def ordinal(s, x):
    return s.softmax(-1).cumsum(-1)


def cumulative_gates(s, x):
    """ON-LSTM: cumulative softmax as a gate."""
    forget, write = s.chunk(2, -1)
    forget, write = forget.softmax(-1).cumsum(-1), 1 - write.softmax(-1).cumsum(-1)
    return forget * x + write * torch.tanh(x)


def hard_code(s, x, table):
    """The most probable code, with the gradient of the distribution."""
    p = s.softmax(-1)
    hard = F.one_hot(p.argmax(-1), 5).float()
    return (hard + p - p.detach()) @ table


def similarity_of_distributions(s, x, w):
    return (s.softmax(-1) @ w.softmax(0)) * x


def deep_tokens(s, x):
    """Mixture of depths: the four tokens with the largest router weights pass a layer and are added back in place."""
    weight, index = s.squeeze(-1).topk(4, 1)
    case = torch.arange(len(x))[:, None]
    return x.index_put((case, index), torch.tanh(x[case, index]) * weight.sigmoid()[..., None], accumulate=True)


def pruned_tokens(s, x):
    """The ten best tokens are kept, each times its score."""
    score, index = s.squeeze(-1).sigmoid().topk(10, 1)
    return x.gather(1, index[..., None].expand(-1, -1, WIDTH)) * score[..., None]


def temperature_by_token(s, x):
    return (x / F.softplus(s)).softmax(-1)


def normalised_over_tokens(y, x):
    return x * y.abs() / y.abs().sum(1, keepdim=True)


def smoothed_exponentially(y, x, decay):
    """A matrix of learned decay, whose rows sum to one, smooths the tokens in time."""
    age = (torch.arange(N_TOKEN)[:, None] - torch.arange(N_TOKEN)).float()
    weights = (torch.sigmoid(decay) ** age.clamp(min=0)).tril()
    return weights / weights.sum(-1, keepdim=True) @ y


def blurred(y, x):
    kernel = torch.exp(-(torch.linspace(-1, 1, 5) ** 2))
    return F.conv1d(y.mT, (kernel / kernel.sum()).expand(WIDTH, 1, -1), padding=2, groups=WIDTH).mT


def voted(s, x, w):
    """Five heads vote with fixed shares."""
    return torch.einsum("k,btkd->btd", w.softmax(0), s.unflatten(-1, (5, WIDTH)).softmax(-1))


class Hidden(nn.Module):
    """A hidden Markov model in the forward pass: probabilities of states times transition probabilities, token after token."""

    def __init__(self):
        super().__init__()
        self.transition, self.emission = nn.Parameter(torch.randn(WIDTH, WIDTH)), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        state, states = torch.full((len(x), WIDTH), 1 / WIDTH), []
        for token in x.unbind(1):
            state = state @ self.transition.softmax(-1) * self.emission(token).softmax(-1)
            state = state / state.sum(-1, keepdim=True)
            states.append(state)
        return torch.stack(states, 1)


FORMS: dict[str, Form] = {
    "entropy": mapped(entropy),
    "divergence": mapped(divergence, 2 * WIDTH),
    "cross entropy": mapped(cross_entropy),
    "focal loss": mapped(focal_loss),
    "expected return": mapped(expected_return, 2 * WIDTH),
    "expected class value": mapped(lambda s, x: x + (s.softmax(-1) @ KINDS)[..., None]),
    "ordinal classes": mapped(ordinal),
    "cumulative gates": mapped(cumulative_gates, 2 * WIDTH),
    "hard code": mapped(hard_code, 5, table=(5, WIDTH)),
    "similarity of distributions": mapped(similarity_of_distributions, w=(WIDTH, 1)),
    "mixture of depths": mapped(deep_tokens, 1),
    "pruned tokens": mapped(pruned_tokens, 1),
    "temperature of each token": mapped(temperature_by_token, 1),
    "normalised over tokens": mapped(normalised_over_tokens),
    "exponential smoothing": mapped(smoothed_exponentially, decay=(1,)),
    "blur": mapped(blurred),
    "votes": mapped(voted, 5 * WIDTH, w=(5,)),
    "hidden Markov model": Form(Hidden),
}

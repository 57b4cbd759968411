"""The association of spread and error over cases, within each place."""

import numpy as np
import pytest

from stochattn_core.metrics.association import within_by_block


def test_the_association_over_cases_reads_one_member_at_a_time():
    class OneByOne:
        """Members that do not fit into memory together."""

        def __init__(self, members):
            self.members = members

        def __len__(self):
            return len(self.members)

        def __iter__(self):
            return iter(self.members)

        def __array__(self, *_, **__):
            raise MemoryError

    rng = np.random.default_rng(0)
    members, target, plain = np.float32(1000 + rng.standard_normal((7, 30, 4))), rng.standard_normal((30, 4)), rng.standard_normal((30, 4))
    target[3, 1] = np.nan
    by_block = within_by_block(OneByOne(members), target, plain, np.arange(30) % 5)
    spread, error = (np.where(np.isnan(target), np.nan, x) for x in (members.std(0, ddof=1, dtype=np.float64), abs(plain - target)))
    spread, error = (np.nan_to_num(x - np.nanmean(x, 0)) for x in (spread, error))
    for sums, product in zip(by_block, (spread * error, spread**2, error**2), strict=True):
        assert sums.numpy() == pytest.approx([product[place::5].sum() for place in range(5)], rel=1e-9)


def test_a_spread_that_follows_the_error_is_associated_with_it_and_a_spread_at_random_is_not():
    """The mean of 3 members errs more where they spread more: with its error, a spread at random would be associated by about 0.3."""
    rng, width = np.random.default_rng(0), np.exp(0.8 * np.random.default_rng(1).standard_normal(4000))
    for error, low, high in ((width, 0.2, 0.9), (1.0, -0.05, 0.05)):
        members, target = width * rng.standard_normal((3, 4000)), error * rng.standard_normal(4000)
        ab, aa, bb = within_by_block(members, target, np.zeros(4000), np.arange(4000))
        assert low < float(ab.sum() / (aa.sum() * bb.sum()).sqrt()) < high

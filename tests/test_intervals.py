from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.errors import ConfigError
from exphub_magics.metrics import intervals

# Wilson: Newcombe (1998), and 0/10, 10/10, 42/48.
WILSON = {
    (81, 263): (0.2553, 0.3662),
    (15, 148): (0.0624, 0.1605),
    (0, 20): (0.0, 0.1611),
    (1, 29): (0.0061, 0.1718),
    (0, 10): (0.0, 0.2775),
    (10, 10): (0.7225, 1.0),
    (42, 48): (0.7530, 0.9414),
}


@pytest.mark.parametrize("counts", WILSON)
def test_wilson_reproduces_published_intervals(counts):
    assert intervals.wilson(*counts) == pytest.approx(WILSON[counts], abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_statsmodels(counts):
    assert intervals.wilson(*counts) == pytest.approx(sm.stats.proportion_confint(*counts, method="wilson"), abs=1e-12)


@pytest.mark.parametrize(("n", "clusters"), [(0, None), (4, 1)])
def test_an_interval_of_nothing_is_refused(n, clusters):
    with pytest.raises(ConfigError, match="report the count"):
        intervals.wilson(0, n, clusters=clusters)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=2, max_size=20))
def test_clustering_never_narrows_an_interval(incidents):
    hits, sizes = (np.array(column, dtype=float) for column in zip(*incidents, strict=True))
    hits = np.minimum(hits, sizes)
    low, high = intervals.clustered_wilson(hits, sizes)
    plain = intervals.wilson(hits.sum(), sizes.sum())
    assert low <= plain[0] + 1e-12
    assert high >= plain[1] - 1e-12


def test_incidents_of_nothing_change_no_interval():
    hits, sizes = np.array([2.0, 0.0, 1.0]), np.array([2.0, 2.0, 1.0])
    empty = np.zeros(4)
    more = intervals.clustered_wilson(np.append(hits, empty), np.append(sizes, empty))
    assert more == intervals.clustered_wilson(hits, sizes)


def test_the_jackknife_of_a_mean_is_the_cluster_robust_interval_where_incidents_are_alike_in_size():
    gains, sizes = np.array([1.0, 0.0, 1.0, 1.0, -1.0]), np.full(5, 2.0)
    mean = intervals.jackknife(lambda sums: sums[..., 0] / sums[..., 1], np.column_stack([gains, sizes]))
    assert mean == pytest.approx(intervals.clustered_mean(gains, sizes))
    reach = scipy.stats.t.ppf(0.975, 4) * scipy.stats.sem(gains / 2)
    assert mean == pytest.approx((gains.mean() / 2 - reach, gains.mean() / 2 + reach))


@pytest.mark.parametrize("reach", [0.0, 1e-12, math.nan])
def test_a_spread_of_nothing_gives_a_reason_and_no_interval(reach):
    interval = intervals.around(0.5, reach)
    assert intervals.bounds(interval) == (None, None)
    assert "spread" in intervals.reason(interval)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=10))
def test_the_sign_flip_equals_counting_all_signs(nets):
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(nets))).reshape(len(nets), -1)
    sums = np.abs(np.array(nets) @ signs)
    expected = (sums >= abs(sum(nets))).mean()
    assert intervals.sign_flip(np.array(nets, dtype=float)) == pytest.approx(expected)


@pytest.mark.parametrize("module", ["metrics.intervals", "metrics.counts", "metrics", "metrics.pairing"])
def test_importing_a_module_that_computes_pays_for_no_statistics(module):
    heavy = ["numpy.linalg", "scipy.special", "scipy.stats", "statsmodels.stats.multitest", "pandas.core"]
    code = f"import exphub_magics.{module}, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""What a statistics module may load: start-up time is spent only on what is used."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlreg.stats import proportions

STATS = Path(proportions.__file__).parent
MODULES = sorted(path.stem for path in STATS.glob("*.py") if path.stem != "__init__")


def loaded_by(code):
    """Names among the heavy ones that are loaded after the code has run in a new interpreter."""
    heavy = "('numpy', 'scipy', 'scipy.special', 'scipy.stats', 'scipy.optimize')"
    program = f"import sys\n{code}\nprint(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=STATS.parents[1],
    )
    return set(done.stdout.split())


@pytest.mark.process
def test_no_module_loads_scipy_stats_or_optimize_on_import():
    loaded = loaded_by("\n".join(f"import mlreg.stats.{name}" for name in MODULES))
    assert not loaded & {"scipy.stats", "scipy.optimize"}


@pytest.mark.process
def test_rates_of_large_arms_need_the_standard_library_only():
    code = (
        "from mlreg.stats.proportions import compare_proportions, wilson\n"
        "wilson(5, 10); compare_proportions(480, 10000, 560, 10000)\n"
        "compare_proportions(1, 1000, 3, 1000)"
    )
    assert not loaded_by(code)


@pytest.mark.process
def test_means_do_without_scipy_stats():
    code = (
        "from mlreg.stats.means import compare_means\n"
        "from mlreg.stats.moments import Moments\n"
        "compare_means(Moments.from_values([1, 2]), Moments.from_values([1, 3]))"
    )
    assert "scipy.stats" not in loaded_by(code)

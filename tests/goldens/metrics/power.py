"""Writes power.json: the power of paired t tests, and the pairs that they need, as statsmodels computes them.

    python3 -m venv venv && venv/bin/pip install scipy statsmodels && venv/bin/python power.py
"""

import json
from pathlib import Path

import scipy
import statsmodels
from statsmodels.stats.power import TTestPower


def main():
    test = TTestPower()
    powers = [
        {"n": n, "effect": effect, "alpha": alpha, "power": float(test.power(effect, n, alpha))}
        for n, effect, alpha in [(2, 1.0, 0.05), (3, 1.0, 0.05), (3, 4.0, 0.05), (5, 1.5, 0.05), (5, 0.3, 0.01), (10, 1.0, 0.05), (20, 0.5, 0.1), (100, 0.2, 0.05)]
    ]
    needed = [
        {"effect": effect, "power": power, "alpha": alpha, "pairs": float(test.solve_power(effect_size=effect, power=power, alpha=alpha))}
        for effect, power, alpha in [(1.25, 0.8, 0.05), (1.0, 0.8, 0.05), (0.5, 0.8, 0.05), (0.5, 0.9, 0.01), (2.0, 0.8, 0.05), (0.1, 0.8, 0.05), (3.0, 0.9, 0.05)]
    ]
    golden = {"made_with": f"statsmodels {statsmodels.__version__}, scipy {scipy.__version__}", "powers": powers, "needed": needed}
    Path(__file__).with_name("power.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()

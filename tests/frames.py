"""Small frames that the charts are drawn from."""

import pandas as pd

CELLS = [
    *("tp", "fp", "fn", "tn", "no_answer_yes", "no_answer_no"),
    *("unlabelled_flagged", "unlabelled_not", "unlabelled_no_answer"),
]
COUNTS = {"tp": 96, "fp": 21, "fn": 35, "tn": 930}
FLAGS = pd.DataFrame(
    {
        "manual": [True, True, True, False, False, None],
        "first@1": [True, True, False, True, False, True],
        "second@1": [True, False, False, True, None, True],
    },
    dtype=object,
)
SCORES = pd.DataFrame(
    [
        ("first@1", 0.82, 0.74, 0.88, 0.73, 0.65, 0.80, 400),
        ("second@1", 0.60, 0.50, 0.70, 0.90, 0.85, 0.94, 400),
        ("never@1", None, None, None, 0.0, 0.0, 0.03, 400),
    ],
    columns=["name", "precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high", "n"],
)
INTERVALS = pd.DataFrame(
    [
        ("precision", "first@1", 0.82, 0.74, 0.88),
        ("precision", "never@1", None, None, None),
        ("recall", "first@1", 0.73, None, None),
        ("recall", "never@1", 0.0, 0.0, 0.03),
    ],
    columns=["metric", "name", "value", "low", "high"],
)
DIFFERENCES = pd.DataFrame(
    [
        ("precision", 0.05, 0.01, 0.09),
        ("recall", -0.02, -0.06, 0.02),
        ("F1", None, None, None),
        ("kappa", 0.01, None, None),
    ],
    columns=["metric", "value", "low", "high"],
)

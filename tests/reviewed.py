"""Three prompts over eight narratives, of which the first is wrong on four: what a review has to do with."""

import browsed

TEXTS = {  # the manual flag, and the text
    "1-CME": (True, "V was afraid of him. A neighbor heard shouting."),
    "1-LE": (True, "The sister said he had threatened V."),
    "2-CME": (False, "V lived alone and was treated for heart disease."),
    "2-LE": (False, "Officers found the door locked."),
    "3-CME": (False, "V argued with a coworker about a parking place."),
    "3-LE": (False, "Need LE report"),
    "4-CME": (True, "V had a protective order."),
    "5-CME": (None, "V had lost his job in the spring."),
}
FIRST = {  # status, flag, confidence: fp 2-CME and 2-LE, fn 1-LE and 4-CME
    "1-CME": ("ok", True, 0.9),
    "1-LE": ("ok", False, 0.7),
    "2-CME": ("ok", True, 0.6),
    "2-LE": ("ok", True, 0.8),
    "3-CME": ("ok", False, 0.9),
    "3-LE": ("not_evaluable", None, None),
    "4-CME": ("ok", False, 0.9),
    "5-CME": ("ok", True, 0.5),
}
SECOND = {**FIRST, "1-LE": ("ok", True, 0.9), "2-LE": ("ok", False, 0.9), "4-CME": ("refused", None, None)}
THIRD = {**FIRST, "2-LE": ("ok", False, 0.9)}
QUOTING = "It states “V was afraid of him”."


def fill(hub):
    """partner@1, partner@2 and strict@1 on one dataset."""
    number = browsed.dataset(hub, TEXTS)
    browsed.experiment(hub, "partner", number, FIRST, rational=QUOTING)
    browsed.experiment(hub, "partner", number, SECOND, rational=QUOTING)
    browsed.experiment(hub, "strict", number, THIRD, rational=QUOTING)
    return hub

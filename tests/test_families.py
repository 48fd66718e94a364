import pytest

from exphub_magics.specs import families


@pytest.mark.parametrize("ending", ["", ".try", ".parent", " · try", " · parent"])
@pytest.mark.parametrize("name", ["partner", "a.b", "ipv · strict, small", "try", "parent.txt"])
def test_a_try_and_a_parent_run_again_have_the_family_of_their_parent(name, ending):
    assert families.family(f"{name}{ending}", trial=True) == name


@pytest.mark.parametrize("name", ["retry.try", "ipv · try"])
def test_a_name_that_somebody_gave_an_experiment_is_its_family(name):
    assert families.family(name, trial=False) == name


def test_the_names_of_a_familys_tries_lead_back_to_it():
    assert {families.family(name, trial=True) for name in families.tries("a.try")} == {"a.try"}


def test_a_matrix_and_its_tries_have_one_stem():
    names = ["ipv", "ipv · strict, small", "ipv · strict, small.try", "ipv.try", "ipv.parent", "ipv · try"]
    assert {families.stem(name) for name in names} == {"ipv"}

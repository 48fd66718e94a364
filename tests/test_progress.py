import pytest

from exphub_magics.progress import Progress


def progress(**more):
    return Progress(1, "first", "running", **{"total": 10, "statuses": {"ok": 4, "failed": 1}, **more})


def test_the_rest_is_foretold_from_what_was_asked_in_this_run():
    assert progress(asked=5, seconds=2.0).rate == 2.5
    assert progress(asked=5, seconds=2.0).remaining_seconds == 2.0
    assert progress().rate is None
    assert progress().remaining_seconds is None


def test_what_is_finished_has_a_result_whatever_it_is():
    assert progress().finished == 5


@pytest.mark.parametrize(("prompt", "cached", "share"), [(0, 0, None), (100, 0, None), (100, 25, 0.25)])
def test_the_cached_share_is_of_the_prompts_tokens(prompt, cached, share):
    assert progress(prompt_tokens=prompt, cached_tokens=cached).cached == share

import os
import signal

import pytest

from exphub_magics.interrupts import uninterrupted


def test_an_interrupt_within_the_block_comes_after_it():
    through = False
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        through = True
    assert through
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_within_the_block_leaves_interrupts_as_they_were():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="x"), uninterrupted():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_held_back_can_be_seen_by_a_block_that_waits():
    with pytest.raises(KeyboardInterrupt), uninterrupted() as held:
        assert not held
        os.kill(os.getpid(), signal.SIGINT)
        assert held

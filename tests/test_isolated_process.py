"""A separate process that answers, dies or hangs."""

import os
import time

import pytest

from raynas.execution.ray_tune.isolated_process import IsolatedProcess, ProcessDiedError

LARGE = "x" * 20_000_000  # larger than what a pipe holds


def answering(question):
    if question == "die":
        os._exit(3)
    if question == "hang":
        time.sleep(1000)
    return len(question)


def test_it_answers_again_after_it_has_died_or_was_too_slow():
    with IsolatedProcess(answering) as process:
        assert process.ask("four") == 4
        with pytest.raises(ProcessDiedError, match="with exit status 3"):
            process.ask("die")
        assert process.ask("again") == 5
        with pytest.raises(ProcessDiedError, match=r"did not end within 0\.5 s"):
            process.ask("hang", seconds=0.5)
        assert process.ask("and again") == 9


def test_a_large_question_does_not_wait_for_the_process():
    with IsolatedProcess(answering) as process:
        process.send("hang")
        process.send(LARGE)  # would wait for 1,000 seconds
        assert not process.answered(0.0)


def test_a_process_that_dies_at_once_is_said_when_its_answer_is_asked_for():
    with IsolatedProcess(answering) as process:
        process._process.kill()
        process._process.wait()
        process.send(LARGE)
        with pytest.raises(ProcessDiedError, match="signal SIGKILL"):
            process.receive()
        assert process.ask(LARGE) == len(LARGE)

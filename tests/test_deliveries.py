import json
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

from endpoint import completion
from exphub_magics.errors import DatasetError
from exphub_magics.rereading import deliveries

NONE = {"without id": 0, "blank": 0, "errors": 0, "repeated": 0, "contradictory": 0}


def write(rows, name="replies.csv"):
    frame = pd.DataFrame(rows)
    match Path(name).suffix:
        case ".jsonl":
            Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        case ".xlsx":
            frame.to_excel(name, index=False)
        case ".parquet":
            frame.to_parquet(name)
        case suffix:
            frame.to_csv(name, index=False, sep="\t" if suffix == ".tsv" else ",")
    return name


def bodies(delivery):
    return {one: delivery.reply(one).body for one in delivery.places}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "jsonl", "parquet"])
def test_a_file_is_read_by_its_ending(suffix):
    words = 'He said "no",\nit seems.'
    delivery = deliveries.read(write([{"id": "1", "reply": words}, {"id": "2", "reply": "yes"}], f"r.{suffix}"))
    assert bodies(delivery) == {"1": words, "2": "yes"}
    assert (delivery.rows, delivery.left_out) == (2, NONE)
    reply = delivery.reply("1")
    assert (reply.answer_format, reply.attempts, reply.seconds, reply.finish_reason) == ("imported", 0, None, None)


@pytest.mark.parametrize("column", ["Narrative_ID", "custom id", "ID"])
@pytest.mark.parametrize("words", ["reply", "Response", "ANSWER", "output", "text", "body", "content"])
def test_columns_are_known_by_their_names_without_case_blanks_and_underscores(column, words):
    assert bodies(deliveries.read(write([{"note": "x", column: "7", words: "yes"}]))) == {"7": "yes"}


def test_the_narratives_id_goes_before_the_requests():
    row = {"id": "r1", "custom_id": "c1", "narrative_id": "n1", "reply": "yes"}
    assert list(deliveries.read(write([row])).places) == ["n1"]
    del row["narrative_id"]
    assert list(deliveries.read(write([row])).places) == ["c1"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"number": "1", "reply": "yes"}, "no column for the ids"),
        ({"id": "1", "words": "yes"}, "no column for the replies"),
        ({"id": "1", "text": "a", "reply": "b"}, "'text' and 'reply' could each hold the replies"),
        ({"ID": "1", "id": "2", "reply": "b"}, "'ID' and 'id' could each hold the ids"),
    ],
)
def test_columns_in_doubt_are_one_line_with_the_next_step(row, why):
    with pytest.raises(DatasetError, match=why):
        deliveries.read(write([row]))


def test_a_missing_file_is_one_line_without_its_folder(tmp_path):
    with pytest.raises(DatasetError, match=r"no file gone\.csv") as error:
        deliveries.read(tmp_path / "gone.csv")
    assert str(tmp_path) not in str(error.value)


def test_what_is_in_doubt_is_counted_and_not_taken():
    rows = [("1", "yes"), ("1", "yes"), ("2", "yes"), ("2", "no"), ("2", "yes"), ("", "no"), ("3", " "), ("4", "no")]
    delivery = deliveries.read(write([{"id": one, "reply": said} for one, said in rows]))
    assert bodies(delivery) == {"1": "yes", "4": "no"}
    assert delivery.left_out == {"without id": 1, "blank": 1, "errors": 0, "repeated": 1, "contradictory": 3}
    assert delivery.rows == len(delivery.places) + sum(delivery.left_out.values())


def test_a_blank_row_does_not_contradict_a_reply_of_its_id():
    delivery = deliveries.read(write([{"id": "1", "reply": ""}, {"id": "1", "reply": "yes"}]))
    assert (bodies(delivery), delivery.left_out["blank"]) == ({"1": "yes"}, 1)


# --- chat completions -------------------------------------------------------------------------------------


def line(one, body, status=200, error=None):
    response = None if body is None else {"status_code": status, "request_id": "q", "body": body}
    return {"id": f"b{one}", "custom_id": one, "response": response, "error": error}


def test_a_batchs_lines_are_read_as_the_completions_that_they_hold():
    delivery = deliveries.read(write([line("1", completion("yes", finish_reason="length"))], "b.jsonl"))
    reply = delivery.reply("1")
    assert (reply.body, reply.finish_reason, reply.served_model) == ("yes", "length", "scripted-1")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.attempts, reply.seconds) == (100, 20, 0, None)


def test_a_line_without_a_status_and_a_bare_completion_are_read_too():
    rows = [
        {"custom_id": "1", "response": {"body": completion("yes")}},
        {"custom_id": "2", "response": completion("no")},
    ]
    assert bodies(deliveries.read(write(rows, "b.jsonl"))) == {"1": "yes", "2": "no"}


def test_an_empty_completion_is_a_reply_where_it_says_why_it_is_empty():
    rows = [
        line("1", completion(None, message={"refusal": "I cannot."})),
        line("2", completion("", finish_reason="content_filter")),
        line("3", completion("", finish_reason="length")),
        line("4", completion("")),
    ]
    delivery = deliveries.read(write(rows, "b.jsonl"))
    assert (list(delivery.places), delivery.left_out["blank"]) == (["1", "2", "3"], 1)


@pytest.mark.parametrize(
    "row",
    [
        line("1", {"error": {"message": "no"}}, status=400),
        line("1", None, error={"code": "expired", "message": "late"}),
        line("1", {"choices": []}),
        line("1", {"choices": "yes"}),
        line("1", {"choices": [{"message": {"content": 7}}]}),
    ],
)
def test_an_error_in_place_of_a_reply_is_counted(row):
    delivery = deliveries.read(write([row, line("2", completion("yes"))], "b.jsonl"))
    assert (bodies(delivery), delivery.left_out["errors"]) == ({"2": "yes"}, 1)


def test_a_batchs_requests_are_no_replies():
    row = {"custom_id": "1", "method": "POST", "body": {"model": "m", "messages": [{"role": "user", "content": "x"}]}}
    with pytest.raises(DatasetError, match="row 1 holds a request and no reply: name the batch's output file"):
        deliveries.read(write([row], "b.jsonl"))


@pytest.mark.parametrize("words", ['{"flag": true, "rational": "as it says"}', '{"flag": true', "{}", "[1]"])
def test_a_models_own_object_stays_its_words(words):
    assert bodies(deliveries.read(write([{"id": "1", "reply": words}]))) == {"1": words}


def test_the_replies_themselves_are_not_held_in_memory():
    write([{"id": str(one), "reply": "word " * 2000 + str(one)} for one in range(3000)])
    tracemalloc.start()
    delivery = deliveries.read("replies.csv")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(delivery.places) == 3000
    assert held < 5_000_000

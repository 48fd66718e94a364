import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import genai_prices
import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.errors import ConfigError
from exphub_magics.experiments import prices
from exphub_magics.experiments.prices import Price, dollars, price

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
OPENAI, OPENROUTER, DEEPSEEK = (
    "https://api.openai.com/v1",
    "https://openrouter.ai/api/v1",
    "https://api.deepseek.com/v1",
)
LISTED = {one.id: [model.id for model in one.models] for one in providers}


def oracle(model, url, at=AT, **tokens):
    used = genai_prices.Usage(**tokens)
    return float(genai_prices.calc_price(used, model, provider_api_url=url, genai_request_timestamp=at).total_price)


def asked(model, url=OPENAI, provider="mine", overrides=()):
    return price(provider, model, url, local=False, overrides=overrides, at=AT)


def own(text, name="config/prices.yml"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return prices.read(name)


def refused(text):
    with pytest.raises(ConfigError) as found:
        own(text)
    return str(found.value)


# --- what a call costs ------------------------------------------------------------------------------------


def test_a_call_costs_its_plain_cached_and_completion_tokens():
    # (700 × 2.50 + 300 × 1.25 + 50 × 10) / 1,000,000
    assert Price(2.5, 1.25, 10, "own").cost(1_000, 300, 50) == pytest.approx(0.002625)
    assert Price(2.5, 1.25, 10, "own").cost(1_000, None, 0) == pytest.approx(0.0025)


def test_a_call_without_token_counts_has_no_cost_unless_everything_is_free():
    paid, free = Price(2.5, 1.25, 10, "own"), Price(0, 0, 0, "this machine")
    assert [paid.cost(None, None, 5), paid.cost(5, None, None), paid.cost(None, 3, None)] == [None, None, None]
    assert free.cost(None, None, None) == 0


def test_more_cached_tokens_than_there_are_cost_no_less_than_all_of_them():
    assert Price(2, 1, 0, "own").cost(100, 10**9, 0) == Price(2, 1, 0, "own").cost(100, 100, 0) == 0.0001


def test_tokens_that_the_provider_keeps_for_later_cost_what_it_says():
    assert Price(2, 1, 0, "own", written_input=2.5).cost(100, 40, 0, 50) == pytest.approx(
        (10 * 2 + 40 * 1 + 50 * 2.5) / 1e6
    )
    assert Price(2, 1, 0, "own").cost(100, 40, 0, 50) == Price(2, 1, 0, "own").cost(100, 40, 0)
    kept = Price(2, 1, 0, "own", written_input=2.5)
    assert kept.cost(100, 40, 0, 10**9) == kept.cost(100, 40, 0, 60)


def test_a_long_prompt_costs_the_dearer_price_from_its_first_token():
    tiered = Price(1, 0.5, 2, "own", long=((1_000, Price(3, 1, 4, "own")), (9_000, Price(5, 2, 6, "own"))))
    costs = [tiered.cost(tokens, 0, 0) * 1e6 for tokens in (1_000, 1_001, 9_000, 9_001)]
    assert costs == pytest.approx([1_000, 3_003, 27_000, 45_005])


# --- the kept table ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "models"), [(OPENAI, LISTED["openai"]), (OPENROUTER, LISTED["openrouter"][::12])], ids=["OpenAI", "others"]
)
def test_every_listed_model_costs_what_the_table_itself_reckons(url, models):
    compared = 0
    for model in models:
        try:
            oracle(model, url)
        except LookupError:
            continue
        found = asked(model, url)
        if found is None or found.free:
            continue
        for prompt, cached, completion in ((812, 0, 61), (5_000, 1_024, 300), (400_000, 1_000, 50)):
            tokens = {"input_tokens": prompt, "cache_read_tokens": cached, "output_tokens": completion}
            assert found.cost(prompt, cached, completion) == pytest.approx(oracle(model, url, **tokens)), model
            written = found.cost(prompt, cached, completion, 100)
            assert written == pytest.approx(oracle(model, url, **tokens, cache_write_tokens=100)), model
        compared += 1
    assert compared > len(models) / 2


@pytest.mark.parametrize(
    ("provider", "url", "model"),
    [
        ("OpenAI", None, "gpt-4o-mini"),
        ("OpenAI", OPENAI, "gpt-4o-mini-2024-07-18"),
        ("by another name", "HTTPS://API.OpenAI.com/v1", "gpt-4o-mini"),
        ("OpenRouter", None, "openai/gpt-4o-mini"),
    ],
)
def test_the_endpoint_is_known_by_its_address(provider, url, model):
    found = asked(model, url, provider)
    assert (found.input, found.cached_input, found.output) == (0.15, 0.075, 0.6)
    assert found.source == f"genai-prices {genai_prices.__version__}"


@pytest.mark.parametrize(
    ("provider", "url", "model"),
    [
        ("OpenAI", None, "gpt-99"),
        ("OpenAI", "https://gateway.example.org/v1", "gpt-4o-mini"),  # whoever bills there
        ("vLLM", "https://models.example.org/v1", "qwen"),
        ("mine", None, "gpt-4o-mini"),
        ("OpenAI", None, "text-embedding-3-small"),  # no completion
        ("OpenAI", None, "omni-moderation-latest"),  # listed without any amount
        ("mine", "https://api.perplexity.ai", "sonar"),  # a fee for each request
        ("mine", "https://api.perplexity.ai", "sonar-deep-research"),  # reasoning apart
    ],
)
def test_a_price_that_is_not_known_is_none(provider, url, model):
    assert asked(model, url, provider) is None


def test_a_model_that_is_free_by_its_name_is_free():
    free = next(model for model in LISTED["openrouter"] if model.endswith(":free"))
    assert asked(free, OPENROUTER).free


def test_where_the_price_changes_with_the_hour_it_is_the_dearest_of_the_day():
    hours = [AT + timedelta(hours=hour) for hour in range(24)]
    tokens = {"input_tokens": 1_000, "output_tokens": 1_000}
    costs = [oracle("deepseek-chat", DEEPSEEK, hour, **tokens) for hour in hours]
    assert asked("deepseek-chat", DEEPSEEK).cost(1_000, 0, 1_000) == pytest.approx(max(costs))
    assert min(costs) < max(costs)


def test_the_kept_table_is_read_without_a_network(socket_disabled):
    assert asked("gpt-4o").input == 2.5
    assert not genai_prices.data_snapshot.get_snapshot().from_auto_update


def test_loading_the_module_loads_no_table():
    heavy = ["genai_prices.data", "genai_prices.types", "pydantic"]
    code = f"import exphub_magics.experiments.budgets, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_runs_on_this_machine_is_free():
    local = price("Ollama", "gpt-4o", "http://127.0.0.1:11434/v1", local=True)
    builtin = price("builtin", "rules-1", None, local=False)
    assert [one.source for one in (local, builtin)] == ["this machine"] * 2
    assert local.free
    assert builtin.free


# --- a user's own table -----------------------------------------------------------------------------------

TABLE = """\
# what our contract says
- model: gpt-4o
  input: 2
  output: 8
  date: 2026-01-31
- model: GPT-4o
  provider: openai
  input: 1.5
  cached_input: 0.5
  output: 6
  date: 2025-06-01
- model: gpt-4o
  input: 3
  output: 9
  date: 2026-02-01
"""


def test_the_users_own_price_goes_before_every_other():
    entries = own(TABLE)
    assert asked("gpt-4o", provider="OpenAI", overrides=entries) == Price(1.5, 0.5, 6, "config/prices.yml, 2025-06-01")
    assert asked("gpt-4o", provider="other", overrides=entries) == Price(3, 3, 9, "config/prices.yml, 2026-02-01")
    assert asked("gpt-4o-mini", provider="OpenAI", overrides=entries).source.startswith("genai-prices")


def test_the_users_own_price_goes_before_free_on_this_machine():
    found = price("gateway", "gpt-4o", "http://127.0.0.1:4000/v1", local=True, overrides=own(TABLE))
    assert found.input == 3


def test_without_a_file_there_are_no_own_prices():
    assert prices.table({}) == ()


def test_the_file_is_the_one_in_config_or_the_one_that_is_named(tmp_path):
    own(TABLE)
    elsewhere = tmp_path / "other.yml"
    elsewhere.write_text("- {model: m, input: 0, output: 0, date: 2025-11-01}\n")
    assert len(prices.table({})) == 3
    (entry,) = prices.table({"EXPHUB_PRICES": str(elsewhere)})
    assert entry.price == Price(0, 0, 0, "other.yml, 2025-11-01")


def test_a_named_file_that_is_not_there_is_an_error_without_its_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"^the price table 'gone.yml' is no file: correct \$EXPHUB_PRICES"):
        prices.table({"EXPHUB_PRICES": str(tmp_path / "gone.yml")})


def test_a_file_of_comments_alone_holds_no_prices():
    assert own("# - model: m\n") == ()


def test_every_problem_of_a_table_stands_in_one_message_with_its_line():
    said = refused(
        "- model: a\n"
        "  input: 2,5\n"
        "  ouput: 1\n"
        "- model: b\n"
        "  input: -1\n"
        "  output: .nan\n"
        "  date: 1 Nov 2026\n"
        "- model: c\n"
        "  provider:\n"
        "  input: [1]\n"
        "  input: 1\n"
        "- gpt-4o\n"
        "- provider: OpenAI\n"
        "  input: 1\n"
        "- {model: d, input: 1, output: inf, date: 2025-11-01}\n"
    )
    assert said == (
        "11 problems in config/prices.yml; nothing was run:\n"
        "  line 2: input is a number, USD for a million tokens, not '2,5'\n"
        "  line 3: unknown key 'ouput': did you mean 'output'?\n"
        "  line 5: input is a number, USD for a million tokens, not '-1'\n"
        "  line 6: output is a number, USD for a million tokens, not '.nan'\n"
        "  line 7: date is the day the price was looked up, today at the latest, such as 2026-11-01, not '1 Nov 2026'\n"
        "  line 9: provider is the provider's name, written behind the colon\n"
        "  line 10: input is a number, USD for a million tokens, written behind the colon\n"
        "  line 11: key 'input' stands here twice\n"
        "  line 12: a price is a list of keys and values, beginning with model\n"
        "  line 13: a price without model and output and date: add model, the model's name\n"
        "  line 15: output is a number, USD for a million tokens, not 'inf'"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- model: m\n  input: 1\n  output: 2\n", "line 1: a price without date: add date, the day the price was"),
        (TABLE + TABLE, "3 problems in config/prices.yml"),
        ("- {model: m, input: 1, output: 2, date: 2025-11-01}\n" * 2, "line 2: a second price of 'm' with the date"),
        ("model: m\n", "config/prices.yml is no list of prices: begin each with '- model: …'"),
        ("- model: 'm\n", "config/prices.yml, line 2: this is no YAML"),
        ("- model: \x00\n", "config/prices.yml is no YAML"),
        ("[" * 20_000, "config/prices.yml is nested too deeply"),
        ("# " + "x" * 100_000, "config/prices.yml is larger than 100,000 bytes"),
        (
            "- &all {model: m, input: 1, output: 2, date: 2025-11-01}\n- <<: *all\n",
            "config/prices.yml uses an alias (*all)",
        ),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_a_line(text, said):
    assert said in refused(text)


@pytest.mark.parametrize(
    ("said", "amount"), [("2", 2), ("0.15", 0.15), (".5", 0.5), ("2.", 2), ("1e-1", 0.1), ("'3'", 3), ("007", 7)]
)
def test_a_price_is_a_plain_number(said, amount):
    (entry,) = own(f"- {{model: m, input: {said}, output: 0, date: 2025-11-01}}\n")
    assert entry.price.input == amount


@pytest.mark.parametrize(
    "said", ["1_0", "-1", "+1", "nan", ".nan", "inf", ".inf", "1e999", "٣", "1,5", "0x10", "$2", "~"]
)
def test_a_price_that_is_no_plain_number_is_refused_with_its_line(said):
    table = f"- model: m\n  output: 0\n  input: {said}\n  date: 2025-11-01\n"
    assert "config/prices.yml, line 3: input is a number, USD for a million tokens, not" in refused(table)


def test_a_price_from_the_future_is_refused_with_its_line_and_todays_is_not():
    today = datetime.now(UTC).date()
    table = "- model: m\n  input: 1\n  output: 0\n  date: {}\n"
    assert own(table.format(today))[0].date == today
    for later in (today + timedelta(days=2), "9999-01-01"):
        assert (
            f"line 4: date is the day the price was looked up, today at the latest, such as 2026-11-01, not '{later}'"
            in (refused(table.format(later)))
        )


def test_a_table_in_another_encoding_is_refused():
    Path("prices.yml").write_bytes("- model: é\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^prices\.yml is not UTF-8 text"):
        prices.read("prices.yml")


def test_a_folder_is_no_table():
    Path("config/prices.yml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="is no file"):
        prices.table({})


# --- money in words ---------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1e9))
def test_an_amount_in_words_is_the_amount_to_a_cent_or_three_digits(amount):
    said = dollars(amount)
    assert said.startswith("$")
    assert float(said[1:].replace(",", "")) == pytest.approx(amount, rel=0.00501, abs=0.0 if amount < 1 else 0.00501)
    assert len(said.partition(".")[2]) >= 2


def test_fewer_digits_are_enough_for_what_is_only_estimated():
    assert [dollars(amount, digits=2) for amount in (0.05412, 0.000123, 0.5, 99.999)] == [
        "$0.054",
        "$0.00012",
        "$0.50",
        "$100.00",
    ]

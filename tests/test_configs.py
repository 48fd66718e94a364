from pathlib import Path

import pytest

from exphub_magics import experiments
from exphub_magics.errors import ConfigError
from exphub_magics.specs import configs

SEED = """\
- experiment_name: "Baseline GPT-4"
  author: "Andrea"
  prompt_file: "prompts/baseline.txt"
  model_name: "gpt-4"
  provider: "OpenAI"

- experiment_name: "Improved Prompt with GPT-3.5"
  author: "Xiaosong"
  prompt_file: "prompts/improved.txt"
  model_name: "gpt-3.5-turbo"
  provider: "OpenAI"
"""


@pytest.fixture
def write(tmp_path):
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    for name in ("baseline", "improved"):
        (prompts / f"{name}.txt").write_text(f"The {name} question?")

    def write(text, name="experiments.yml"):
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / name).write_text(text)
        return f"config/{name}"

    return write


def problems(path, **more):
    with pytest.raises(ConfigError) as refused:
        configs.read(path, **more).refuse()
    return str(refused.value)


def test_the_first_users_own_file_parses_unchanged(write):
    read = configs.read(write(SEED), data="sample")
    read.refuse()
    assert [(one.name, one.author, one.model_name, one.provider) for one in read.specs] == [
        ("Baseline GPT-4", "Andrea", "gpt-4", "OpenAI"),
        ("Improved Prompt with GPT-3.5", "Xiaosong", "gpt-3.5-turbo", "OpenAI"),
    ]
    assert [one.prompt.text for one in read.specs] == ["The baseline question?", "The improved question?"]


def test_the_shipped_hosted_configuration_is_the_first_users_own():
    shipped = (Path(__file__).parent.parent / "config" / "openai.yml").read_text()
    assert shipped.split("\n\n", 1)[1] == SEED


def test_a_dataset_that_nobody_named_is_an_error_that_says_both_ways(write):
    said = problems(write(SEED))
    assert said.count("add 'data: FILE' to the experiment, or run with --data FILE") == 2


def test_every_problem_of_a_file_stands_in_one_message_with_its_line(write):
    said = problems(
        write(
            "- experiment_name: a\n"
            "  promt_file: prompts/baseline.txt\n"
            "  data: sample\n"
            "- experiment_name: b\n"
            "  prompt_file: prompts/basline.txt\n"
            "  temperature: warm\n"
            "  data: sample\n"
            "- prompt: Is it?\n"
            "  provider: opnai\n"
            "  data: sample\n"
            "- experiment_name: d\n"
            "  prompt: 'Is {{ narrativ | x }} it?'\n"
            "  data: sample\n"
        )
    )
    assert "line 2: unknown key 'promt_file': did you mean 'prompt_file'?" in said
    assert "line 6: temperature is a number, not 'warm'" in said
    assert "line 8: an experiment without a name: add experiment_name" in said
    assert "line 12: {{ narrativ | x }} is no slot" in said
    assert "line 1: an experiment has either prompt_file or prompt" in said
    assert said.startswith("8 problems in config/experiments.yml; nothing was run:")
    assert "line 9: unknown provider 'opnai': did you mean 'OpenAI'?" in said
    assert "line 8: provider 'opnai' needs a model_name" in said
    assert "line 5: prompt_file 'prompts/basline.txt' does not exist: did you mean 'baseline.txt'?" in said


def test_what_yaml_would_turn_into_something_else_stays_text(write):
    read = configs.read(
        write("- experiment_name: no\n  author: 012\n  notes: 1:30\n  prompt: Is it?\n  data: sample\n")
    )
    (spec,) = read.specs
    assert (spec.name, spec.author, spec.notes) == ("no", "012", "1:30")


def test_a_matrix_becomes_every_combination_and_repeats_become_experiments(write):
    read = configs.read(
        write(
            "- experiment_name: grid\n  model_name: m\n  base_url: http://127.0.0.1:1/v1\n  provider: mine\n"
            "  data: sample\n  repeats: 2\n"
            "  matrix:\n    prompt_file: [prompts/baseline.txt, prompts/improved.txt]\n    temperature: [0, 0.5]\n"
        )
    )
    read.refuse()
    assert len(read.specs) == 8
    assert len({spec.fingerprint("d") for spec in read.specs}) == 8
    assert [(spec.name, spec.repeat) for spec in read.specs[:3]] == [
        ("grid · baseline, 0", 1),
        ("grid · baseline, 0", 2),
        ("grid · baseline, 0.5", 1),
    ]


def grid(**matrix):
    """An entry against some endpoint whose matrix lists these values."""
    fixed = {"model_name": "m", "prompt": "Is it?"} if "prompt_file" not in matrix else {"model_name": "m"}
    kept = "".join(f"  {key}: {value}\n" for key, value in fixed.items() if key not in matrix)
    listed = "".join(f"    {key}: [{', '.join(map(str, values))}]\n" for key, values in matrix.items())
    return (
        f"- experiment_name: ipv\n  base_url: http://127.0.0.1:1/v1\n  provider: mine\n  data: sample\n{kept}"
        f"  matrix:\n{listed}".replace("  provider: mine\n" if "provider" in matrix else "\0", "")
    )


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        ({"prompt_file": ["prompts/baseline.txt", "prompts/improved.txt"]}, ["baseline", "improved"]),
        ({"prompt_file": ["prompts/baseline.txt", "more/baseline.txt"]}, ["prompts/baseline", "more/baseline"]),
        ({"prompt_file": ["more/a.txt", "more/a.md"]}, ["a.txt", "a.md"]),
        ({"prompt_file": ["more/a.txt", "./more/a.txt"]}, ["more/a.txt (1)", "./more/a.txt (2)"]),
        ({"prompt_file": ["more/a@2.txt"]}, ["a-2"]),
        ({"model_name": ["gpt-x", "meta/llama-3"]}, ["gpt-x", "llama-3"]),
        ({"model_name": ["meta/llama-3", "mistral/llama-3"]}, ["meta/llama-3", "mistral/llama-3"]),
        ({"model_name": ["/home/someone/models/small.gguf"]}, ["small"]),
        ({"provider": ["vLLM", "Ollama"]}, ["vLLM", "Ollama"]),
        ({"temperature": [0, 0.5, "1e-3"]}, ["0", "0.5", "0.001"]),
        ({"reasoning_effort": ["low", "high"]}, ["low", "high"]),
        ({"max_tokens": [100, 1_000]}, ["100", "1000"]),
        ({"model_name": ["a", "b"], "max_tokens": [1, 2]}, ["a, 1", "a, 2", "b, 1", "b, 2"]),
    ],
)
def test_what_a_matrix_varies_is_named_shortly_and_never_twice(write, tmp_path, matrix, names):
    (tmp_path / "more").mkdir()
    for name in ("a.txt", "a.md", "a@2.txt", "baseline.txt"):
        (tmp_path / "more" / name).write_text(f"Is it, asks {name}?")
    read = configs.read(write(grid(**matrix)))
    read.refuse()
    assert [spec.name for spec in read.specs] == [f"ipv · {name}" for name in names]
    assert len({spec.fingerprint("d") for spec in read.specs}) == len({spec.prompt for spec in read.specs}) * (
        len(read.specs) if "prompt_file" not in matrix else 1
    )


def test_a_value_that_a_matrix_lists_twice_is_said_with_its_line(write):
    said = problems(write("- {experiment_name: a, prompt: x, data: sample,\n   matrix: {temperature: [0,\n  0.0]}}\n"))
    assert said.endswith("line 3: matrix: temperature lists 0.0 twice")


def values(number):
    return ", ".join(str(tokens) for tokens in range(1, number + 1))


@pytest.mark.parametrize(
    ("text", "line", "size"),
    [
        (f"{{temperature: [{', '.join(f'{n / 100}' for n in range(101))}], max_tokens: [{values(10)}]}}", 5, "1,010"),
        (f"{{max_tokens: [{values(900)}], model_name: [{', '.join(f'm{n}' for n in range(900))}]}}", 5, "810,000"),
        (f"{{max_tokens: [{values(501)}]}}\n  repeats: 2", 5, "1,002"),
        (f"{{max_tokens: [{values(999)}]}}\n- {{experiment_name: b, prompt: x, data: s, repeats: 2}}", 6, "1,001"),
    ],
)
def test_a_matrix_that_is_a_slip_of_the_key_is_refused_in_one_line(write, text, line, size):
    entry = "- experiment_name: a\n  prompt: x\n  data: sample\n  model_name: rules-1\n  matrix: "
    configuration = configs.read(write(entry + text))
    counted = f"the file comes to {size} experiments, every combination and repeat counted, and may hold 1,000"
    assert [(one.line, one.text) for one in configuration.problems if "comes to" in one.text] == [
        (line, f"{counted}: list fewer values")
    ]
    assert len(configuration.specs) <= 1000


def test_a_thousand_experiments_are_not_too_many(write):
    entry = "- experiment_name: a\n  prompt: x\n  data: sample\n  repeats: 2\n  matrix: "
    configuration = configs.read(write(f"{entry}{{max_tokens: [{values(500)}]}}"))
    configuration.refuse()
    assert len(configuration.specs) == len({spec.fingerprint("d") for spec in configuration.specs}) == 1000


def test_what_else_is_wrong_with_too_large_a_matrix_is_said_beside_its_size(write):
    entry = "- experiment_name: a@1\n  prompt: x\n  data: sample\n  repeats: 1000\n  matrix: {temperature: [9, 1]}\n"
    said = problems(write(entry))
    assert "2,000 experiments" in said
    assert "'@' in 'a@1 · 9'" in said
    assert "temperature 9.0 is not between 0 and 2" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("experiment_name: a\n", "is no list of experiments"),
        ("", "is no list of experiments"),
        ("[]", "the list is empty"),
        ("- just text\n", "an experiment is a list of keys and values"),
        ("- experiment_name: a\n  experiment_name: b\n  prompt: x\n  data: sample\n", "stands here twice"),
        ("- &a {experiment_name: a}\n- *a\n", "uses an alias"),
        ("- experiment_name: a\n prompt: x\n", "line 2: this is no YAML"),
        ("- experiment_name: 'open\n", "this is no YAML"),
        (
            "- {experiment_name: a, prompt: x, data: sample, sample: 1.5}",
            "sample is a whole number, not '1.5'",
        ),
        ("- {experiment_name: a, prompt: x, data: sample, temperature: 9}", "not between 0 and 2"),
        ("- {experiment_name: a, prompt: x, data: sample, repeats: 0}", "is not a number from 1 up"),
        ("- {experiment_name: a, prompt: x, data: sample, repeats: 9999999999}", "is more than 1000"),
        ("- {experiment_name: a, prompt: x, data: sample, concurrency: 1001}", "is more than 1000"),
        (
            f"- {{experiment_name: a, prompt_file: {'x' * 300}, data: sample}}",
            "does not exist: there are",
        ),
        (
            "- {experiment_name: a, prompt: x, data: sample, notes: [1]}",
            "notes is text, written behind the colon",
        ),
        (
            "- {experiment_name: a, prompt: x, data: sample, matrix: {temprature: [1]}}",
            "did you mean 'temperature'?",
        ),
        ("- {experiment_name: a, prompt: x, data: sample, matrix: {temperature: 1}}", "is a list of values"),
        ("- {experiment_name: a, prompt: x, prompt_file: y, data: sample}", "either prompt_file or prompt"),
        ("- !!python/object/apply:os.system [true]\n", "an experiment is a list of keys and values"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_run_says_why(write, text, said):
    assert said in problems(write(text))


def test_a_missing_file_is_answered_with_the_nearest(write):
    write(SEED)
    with pytest.raises(ConfigError, match=r"did you mean 'config/experiments.yml'\?"):
        configs.read("config/experiment.yml")


def test_a_file_that_is_no_text_is_refused(write, tmp_path):
    write(SEED)
    (tmp_path / "config" / "x.yml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="not UTF-8"):
        configs.read("config/x.yml")


def test_a_prompt_file_is_found_beside_the_configuration_too(write, tmp_path):
    path = write("- {experiment_name: a, prompt_file: here.txt, data: sample}")
    (tmp_path / "config" / "here.txt").write_text("Beside?")
    (spec,) = configs.read(path).specs
    assert spec.prompt.text == "Beside?"


def test_a_prompt_outside_the_project_is_refused(write, tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.txt").write_text("keep out")
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "run.yml").write_text(
        "- {experiment_name: a, prompt_file: ../secret.txt, data: sample}\n"
        "- {experiment_name: b, prompt_file: link.txt, data: sample}\n"
        "- {experiment_name: c, prompt_file: /dev/zero, data: sample}\n"
    )
    monkeypatch.chdir(inside)
    said = problems("run.yml")
    assert said.count("lies outside the working directory") == 2
    assert "is no regular file" in said


def test_a_huge_prompt_file_is_refused(write, tmp_path):
    (tmp_path / "prompts" / "baseline.txt").write_text("x" * (configs.MAX_BYTES + 1))
    assert "is larger than" in problems(write("- {experiment_name: a, prompt_file: prompts/baseline.txt, data: s}"))


def test_an_entry_with_a_wrong_key_has_its_values_prompt_data_and_slots_checked_too(write):
    configuration = configs.read(
        write(
            "- experiment_name: a@2\n"
            "  promt_file: x\n"
            "  prompt: 'user: {{ narrative }}'\n"
            "  data: sampel.csv\n"
            "  temperature: 9\n"
            "  sample: 0\n"
            "- experiment_name: b\n"
            "  athor: A\n"
            '  prompt: "user:\\n{{ narrative }} {{ yeer }}"\n'
            "  data: sample\n"
            "- experiment_name: c\n"
            "  prompt_file: prompts/none.txt\n"
            "  data: gone.csv\n"
        )
    )
    with pytest.raises(ConfigError) as refused:
        experiments.prepare_file(configuration)
    assert [line.strip().partition(" ")[2][:32] for line in str(refused.value).splitlines()[1:]] == [
        "1: '@' in 'a@2' would be read as",
        "1: no file sampel.csv: no data f",
        "2: unknown key 'promt_file': did",
        "5: temperature 9.0 is not betwee",
        "6: sample 0 is not a number from",
        "7: unknown slot {{ yeer }}: did ",
        "8: unknown key 'athor': did you ",
        "11: no file gone.csv: no data fi",
        "12: prompt_file 'prompts/none.tx",
    ]


def test_a_provider_or_columns_that_are_no_text_blame_no_other_value(write):
    said = problems(
        write(
            "- {experiment_name: a, prompt: x, data: sample, model_name: gpt-4, provider: [1]}\n"
            "- {experiment_name: b, prompt: x, data: gone.csv, columns: [1]}\n"
        )
    )
    assert said.splitlines()[1:] == [
        "  line 1: provider is text, written behind the colon",
        "  line 2: columns is text, written behind the colon",
    ]


def test_a_wrong_value_in_a_matrix_carries_the_line_of_its_key(write):
    said = problems(
        write(
            "- experiment_name: a\n  prompt: x\n  data: sample\n"
            "  matrix:\n    temperature:\n      - 9\n      - warm\n    reasoning_effort: [hihg, low]\n"
        )
    )
    assert said.splitlines()[1:] == [
        "  line 5: temperature 9.0 is not between 0 and 2",
        "  line 7: temperature is a number, not 'warm'",
        "  line 8: unknown reasoning effort 'hihg': did you mean 'high'?",
    ]


def test_a_dataset_is_found_beside_the_configuration_too(write, tmp_path):
    path = write(
        "- {experiment_name: a, prompt: x, data: cases.csv}\n"
        "- {experiment_name: b, prompt: x, data: here.csv}\n"
        "- {experiment_name: c, prompt: x, data: sample}\n"
    )
    for file in ("config/cases.csv", "config/here.csv", "here.csv", "config/sample"):
        (tmp_path / file).write_text("narrative_id,narrative\n1,V was at home.\n")
    configuration = configs.read(path)
    assert [Path(str(spec.data)).as_posix() for spec in configuration.specs] == [
        "config/cases.csv",
        "here.csv",
        "sample",
    ]
    assert len(experiments.prepare_file(configuration)[0].dataset.narratives) == 1


def test_one_thing_said_of_two_columns_is_refused(write, tmp_path):
    path = write("- {experiment_name: a, prompt: x, data: cases.csv, columns: {text: note, narrative: narrative}}")
    (tmp_path / "cases.csv").write_text("narrative_id,narrative,note\n1,V was at home.,n\n")
    with pytest.raises(ConfigError, match="line 1: --columns says text twice"):
        experiments.prepare_file(configs.read(path))

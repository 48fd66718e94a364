from __future__ import annotations

import pytest

from exphub_magics.datasets.columns import assign, canonical_columns, parse_columns
from exphub_magics.datasets.spools import Spool
from exphub_magics.datasets.tables import Table
from exphub_magics.errors import ConfigError, DatasetError


def table(*columns):
    return Table("data.csv", columns, Spool([[f"cell {column}" for column in columns]]), (2,))


def roles(*columns, **given):
    return assign(table(*columns), given).roles


def test_names_are_compared_without_case_blanks_underscores_and_hyphens():
    assert roles("Narrative ID", "INCIDENT-ID", "narrativeType", "Narrative_Text", "Manual Flag") == {
        "narrative_id": "Narrative ID",
        "incident_id": "INCIDENT-ID",
        "source": "narrativeType",
        "text": "Narrative_Text",
        "flag": "Manual Flag",
    }


@pytest.mark.parametrize("text", ["narrative", "narrative_text", "text"])
@pytest.mark.parametrize("flag", ["manual_flag", "manual_flag_ind", "flag", "label"])
def test_every_name_of_the_long_layout_is_known(text, flag):
    found = roles("incident_id", "source", text, flag)
    assert (found["text"], found["flag"], "incident_flag" in found) == (text, flag, False)


def test_manual_flag_beside_manual_flag_ind_is_the_incidents_own():
    found = roles("incident_id", "narrative", "manual_flag", "manual_flag_ind")
    assert (found["flag"], found["incident_flag"]) == ("manual_flag_ind", "manual_flag")
    said = roles("incident_id", "narrative", "manual_flag", "manual_flag_ind", flag="manual_flag_ind")
    assert said == found


def test_the_wide_layout_is_read_from_the_names():
    chosen = assign(
        table("IncidentID", "NarrativeCME", "narrative_le", "ipv_manualCME", "ipv_flag_LE", "ipv_manual", "year"),
        {},
    )
    assert chosen.layout == "wide"
    assert chosen.roles == {
        "incident_id": "IncidentID",
        "text.CME": "NarrativeCME",
        "text.LE": "narrative_le",
        "flag.CME": "ipv_manualCME",
        "flag.LE": "ipv_flag_LE",
        "incident_flag": "ipv_manual",
    }
    assert chosen.facts == ("year",)
    assert chosen.sources == ("CME", "LE")


@pytest.mark.parametrize("name", ["ManualFlag_CME", "manualflagcme", "ipv_manual-CME", "FLAG CME"])
def test_a_wide_flag_ends_in_its_source(name):
    assert roles("IncidentID", "NarrativeCME", name)["flag.CME"] == name


def test_a_flag_whose_last_letters_only_look_like_a_source_is_no_flag_of_that_source():
    found = roles("IncidentID", "NarrativeLE", "flag_male")
    assert "flag.LE" not in found
    assert found["incident_flag"] == "flag_male"


@pytest.mark.parametrize(
    ("columns", "both"),
    [
        (("narrative_id", "narrative", "text"), ("narrative", "text")),
        (("narrative_id", "text", "flag", "label"), ("flag", "label")),
        (("narrative_id", "text", "manual_flag_ind", "manual_flag", "label"), ("manual_flag_ind", "label")),
        (("narrative_id", "Narrative ID", "text"), ("narrative_id", "Narrative ID")),
        (("incident_id", "source", "narrative_type", "text"), ("source", "narrative_type")),
        (("incident_id", "narrative", "NarrativeCME"), ("narrative", "NarrativeCME")),
        (("IncidentID", "NarrativeCME", "narrative_cme"), ("NarrativeCME", "narrative_cme")),
        (("IncidentID", "NarrativeCME", "flag_CME", "manual_CME"), ("flag_CME", "manual_CME")),
        (("IncidentID", "NarrativeCME", "ipv_flag", "ipv_manual"), ("ipv_flag", "ipv_manual")),
    ],
)
def test_two_columns_that_could_both_be_meant_are_named_never_chosen_between(columns, both):
    with pytest.raises(DatasetError) as caught:
        assign(table(*columns), {})
    message = str(caught.value)
    assert all(repr(column) in message for column in both)
    option = message.rpartition('--columns "')[2].rstrip('"')
    assert both[0] in assign(table(*columns), parse_columns(option)).roles.values()


def test_what_is_given_goes_before_what_the_names_say():
    assert roles("narrative_id", "narrative", "text", text="text")["text"] == "text"
    assert roles("Case", "Story", "ipv", "Age", incident_id="case", text="Story", flag="ipv") == {
        "incident_id": "Case",
        "text": "Story",
        "flag": "ipv",
    }


def test_a_wide_file_with_names_of_its_own_is_read_by_the_option():
    given = parse_columns("incident_id=Case, text.cme=A, text.LE=B, flag.CME=fa, flag=own")
    assert roles("Case", "A", "B", "fa", "own", **given) == {
        "incident_id": "Case",
        "text.CME": "A",
        "text.LE": "B",
        "flag.CME": "fa",
        "incident_flag": "own",
    }


def test_nothing_after_the_sign_says_that_there_is_no_such_column():
    chosen = assign(table("IncidentID", "NarrativeCME", "manual_notes"), parse_columns("incident_flag="))
    assert "incident_flag" not in chosen.roles
    assert chosen.withheld == ("manual_notes",)


def test_a_column_that_may_hold_a_label_is_never_a_fact():
    chosen = assign(table("narrative_id", "text", "flag", "rater_2", "ipv_flag", "Manual code", "age"), {})
    assert chosen.facts == ("age",)
    assert chosen.withheld == ("rater_2", "ipv_flag", "Manual code")


def test_a_file_without_a_text_column_says_what_there_is_and_how_to_name_it():
    with pytest.raises(DatasetError, match=r'among narrative_id, narativ.*did you mean .narativ.*--columns "text=n'):
        assign(table("narrative_id", "narativ"), {})


def test_the_longest_column_is_what_a_file_without_a_text_column_is_asked_about():
    rows = Spool([("1", "a longer one", "b"), ("2", "", "much longer than that")])
    with pytest.raises(DatasetError, match=r'--columns "text=remark"'):
        assign(Table("data.csv", ("narrative_id", "place", "remark"), rows, (2, 3)), {})


@pytest.mark.parametrize("columns", [("text", "year"), ("NarrativeCME", "year")])
def test_a_file_without_an_id_says_how_to_name_it(columns):
    with pytest.raises(DatasetError, match=r'--columns "incident_id=…"'):
        assign(table(*columns), {})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("txt=Story", "did you mean 'text'"),
        ("flg.CME=x", "did you mean 'flag.CME'"),
        ("text", "write it as in text=Story"),
        ("text=a,narrative=b", "says text twice"),
        ("source.CME=a", "has no 'source.CME'"),
    ],
)
def test_a_wrong_option_is_answered_with_what_is_meant(option, message):
    with pytest.raises(ConfigError, match=message):
        parse_columns(option)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("text=Stori", "did you mean 'Story'"),
        ("text=Story,flag=story", "for two things"),
        ("text=Story,flag.CME=f", "mixes text"),
        ("text.CME=Story,flag.LE=f,incident_id=id", "no text of that source"),
    ],
)
def test_an_option_that_does_not_fit_the_file_is_refused(option, message):
    with pytest.raises(ConfigError, match=message):
        assign(table("id", "Story", "f"), parse_columns(option))


def test_a_column_name_may_hold_a_comma_or_an_equals_sign():
    assert parse_columns('"text=Story, long",flag=a=b') == {"text": "Story, long", "flag": "a=b"}
    assert parse_columns("") == {}


LABELS = [
    "ipv_coded",
    "IPV_final",
    "gold",
    "wide_ipv_codedCME",
    "IPVCodedLE",
    "ipv_coding",
    "codedIPV",
    "gold_ipv",
    "IPVGold",
    "ground_truth",
    "truth",
    "consensus",
    "IPV-Consensus",
    "final",
    "final_code",
    "IPV_final_CME",
    "reviewer",
    "reviewer1",
    "ipvReviewer",
    "rating_2",
    "expert",
    "y_true",
    "ipvcoded",
    "Coder_A",
    "adjudicated",
    "Reviewer 1",
    "Gold Standard",
    "Final",
]
FACTS = [
    "year",
    "state",
    "zip_code",
    "zipcode",
    "ICD_code",
    "cause_code",
    "race_code",
    "final_diagnosis",
    "final_disposition",
    "FinalCauseOfDeath",
    "manner_final",
    "date_final",
    "finalist",
    "geocoded",
    "barcode",
    "census_tract",
    "decoy",
    "goldsmith",
    "peer_review",
    "weapon",
    "age",
    "operator",
]


@pytest.mark.parametrize("name", LABELS)
def test_a_name_that_speaks_of_manual_coding_is_withheld(name):
    chosen = assign(table("narrative_id", "text", name), {})
    assert (chosen.facts, chosen.withheld) == ((), (name,))


@pytest.mark.parametrize("name", FACTS)
def test_an_ordinary_fact_is_kept(name):
    assert assign(table("narrative_id", "text", name), {}).facts == (name,)
    assert assign(table("incident_id", "NarrativeLE", name), {}).facts == (name,)


def test_a_wide_flag_may_speak_of_coding():
    found = roles("IncidentID", "NarrativeCME", "NarrativeLE", "ipv_codedCME", "IPVCodedLE", "ipv_coded", "date_coded")
    assert (found["flag.CME"], found["flag.LE"], found["incident_flag"]) == ("ipv_codedCME", "IPVCodedLE", "ipv_coded")


def test_a_source_that_the_flags_do_not_know_is_what_the_message_speaks_of():
    wide = table("IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manualCME", "ipv_manualLE", "ipv_manual")
    with pytest.raises(ConfigError) as caught:
        assign(wide, parse_columns("text.CM=NarrativeCME"))
    assert str(caught.value) == (
        "--columns says text.CM=NarrativeCME, and the flag 'ipv_manualCME' is of CME: "
        "write text.CME=NarrativeCME, or add flag.CM=ipv_manualCME"
    )
    said = assign(wide, parse_columns("text.CM=NarrativeCME,flag.CM=ipv_manualCME")).roles
    assert (said["flag.CM"], said["incident_flag"]) == ("ipv_manualCME", "ipv_manual")


def test_the_flag_of_a_text_that_is_left_out_is_not_the_incidents():
    wide = table("IncidentID", "NarrativeCME", "NarrativeLE", "ipv_manualCME", "ipv_manualLE")
    chosen = assign(wide, parse_columns("text.CME=NarrativeCME"))
    assert "incident_flag" not in chosen.roles
    assert chosen.withheld == ("ipv_manualLE",)


def test_one_thing_said_twice_is_refused_in_a_map_too():
    with pytest.raises(ConfigError, match="says text twice"):
        canonical_columns({"text": "note", "narrative": "narrative"})


@pytest.mark.parametrize(
    ("columns", "option"),
    [
        (("narrative_id", "case\nstory"), ""),
        (("narrative_id", "case\r\nstory"), "flag=zzz"),
        (("narrative_id", "case story", "case\nstory"), "text=Case Story"),
    ],
)
def test_a_name_with_a_line_break_is_shown_on_one_line(columns, option):
    with pytest.raises((ConfigError, DatasetError)) as caught:
        assign(table(*columns), parse_columns(option))
    assert "case story" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_name_with_a_line_break_is_said_with_a_blank_or_as_it_is():
    for option in ("text=case story", "text=case\nstory"):
        assert assign(table("narrative_id", "case\nstory"), parse_columns(option)).roles["text"] == "case\nstory"

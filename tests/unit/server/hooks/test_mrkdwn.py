"""Slack's markup becomes plain words, and no mention of a member."""

from __future__ import annotations

import pytest

from securechat.hub.messages.mentions import mentioned
from securechat.server.hooks.mrkdwn import Budget, link, plain, word


def undone(text: str, *, emphasis: bool = True) -> str:
    return plain(text, Budget(1_000, 10_000), emphasis=emphasis)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<https://ci.lan/12|Build 12>", "Build 12 (https://ci.lan/12)"),
        ("<https://ci.lan/12>", "https://ci.lan/12"),
        ("<https://ci.lan|https://ci.lan>", "https://ci.lan"),
        ("<https://ci.lan/|ci.lan>", "https://ci.lan/"),
        ("<https://ci.lan|>", "https://ci.lan"),
        ("<https://ci.lan/?a=1&amp;b=2|a &amp; b>", "a & b (https://ci.lan/?a=1&b=2)"),
        ("<mailto:ana@mail.lan|ana@mail.lan>", "mailto:ana@mail.lan"),
        ("<mailto:ana@mail.lan|Ana>", "Ana (mailto:ana@mail.lan)"),
        ("[<https://a.lan|a>:<https://b.lan|b>]", "[a (https://a.lan):b (https://b.lan)]"),
        ("<https://a.lan|two\nlines>", "<https://a.lan|two\nlines>"),
    ],
)
def test_links(written: str, shown: str) -> None:
    assert undone(written) == undone(written, emphasis=False) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<!channel>", "channel"),
        ("<!channel|channel>", "channel"),
        ("<!here|@here>", "here"),
        ("<!everyone>", "everyone"),
        ("<@U024BE7LH>", "U024BE7LH"),
        ("<@U024BE7LH|ana>", "ana"),
        ("<@U024BE7LH|@ana>", "ana"),
        ("<#C024BE7LR|ops>", "#ops"),
        ("<#C024BE7LR>", "#C024BE7LR"),
        ("<#C024BE7LR|>", "#C024BE7LR"),
        ("<!subteam^S012AB3CD|@platform team>", "platform team"),
        ("<!subteam^S012AB3CD>", "S012AB3CD"),
        ("<!date^1392734382^Posted {date_num}|18 February>", "18 February"),
        ("<!date^1392734382^Posted {date_num}>", "1392734382"),
        ("see <@U1|ana>, <!here>!", "see ana, here!"),
    ],
)
def test_what_mentions_in_slack_is_a_word(written: str, shown: str) -> None:
    assert undone(written) == shown
    assert mentioned(shown, lambda _key: 1) == ()


@pytest.mark.parametrize(
    "written",
    ["@<@U1|ana>", "@<!here>", "<https://a.lan/@><@U1|ana>", "<@U1>@<@U2|ana>", "<@U1|x @ana>", "<@@ana>", "<!@ana>"],
)
def test_no_word_is_made_a_mention_by_what_stands_before_it(written: str) -> None:
    assert mentioned(undone(written), lambda _key: 1) == ()


@pytest.mark.parametrize(
    "text", ["<b>bold</b>", "a < b > c", "<std::string>", "x<y", "<>", "<!>", "<@>", "<|>", "<-", "<!a"]
)
def test_what_is_nothing_of_slacks_stays(text: str) -> None:
    assert undone(text) == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("&lt;b&gt; &amp; &amp;lt;", "<b> & &lt;"),
        ("&lt;!channel&gt;", "<!channel>"),
        ("&quot;&#39;&nbsp;", "&quot;&#39;&nbsp;"),
        ("a &amp", "a &amp"),
    ],
)
def test_entities(written: str, shown: str) -> None:
    """Slack has three; what they make is not read again."""
    assert undone(written) == undone(written, emphasis=False) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("*bold*", "bold"),
        ("**bold**", "bold"),
        ("a *b c* d", "a b c d"),
        ("*a*, *b*: (*c*)", "a, b: (c)"),
        ("_it_ ~no~", "it no"),
        ("*_both_* _*both*_", "both both"),
        ("*<https://a.lan|Title>*", "Title (https://a.lan)"),
        ("> *quote*", "> quote"),
        ("*a\nb*", "*a\nb*"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("a*b*c", "a*b*c"),
        ("* item *", "* item *"),
        ("*args, **kwargs", "*args, **kwargs"),
        ("snake_case_name __init__", "snake_case_name __init__"),
        ("~/bin and ~/lib", "~/bin and ~/lib"),
        ("`*a*` ```_b_\n*c*``` *d*", "`*a*` ```_b_\n*c*``` d"),
        ("`a *b* c` ```d _e_\n *f* g``` *h*", "`a *b* c` ```d _e_\n *f* g``` h"),
        ("**", "**"),
        ("***", "***"),
        ("*/5 \u034f* \u034f* \u034f*", "*/5 * * *"),
        ("\u034f*/5 \u034f*", "*/5 *"),
    ],
)
def test_emphasis(written: str, shown: str) -> None:
    assert undone(written) == shown


def test_plain_text_has_no_emphasis() -> None:
    assert undone("*a* _b_ <!here>", emphasis=False) == "*a* _b_ here"


def test_line_ends_and_blanks_around() -> None:
    assert undone("\r\n a\r\nb\rc \n") == "a\nb\nc"


def test_a_budget_of_texts() -> None:
    budget = Budget(1, 100)
    assert plain("one", budget) == "one"
    assert plain("three", budget) == ""
    assert (budget.left, budget.unseen_chars) == (0, 5)


def test_a_budget_of_marks_leaves_out_what_is_behind_it() -> None:
    """Not as it is: it may have mentions in it."""
    budget = Budget(3, 100)
    assert plain("<@a> <@b> <@c> <@d>", budget) == "a b "
    assert budget.unseen_chars == len("<@c> <@d>")


def test_emphasis_behind_the_budget_stays() -> None:
    assert plain("*a* *b* *c*", Budget(3, 100)) == "a b *c*"


def test_a_budget_of_characters_ends_before_an_open_token() -> None:
    budget = Budget(10, 8)
    assert plain("abcd <@U1|ana> e", budget) == "abcd"
    assert budget.unseen_chars == len("<@U1|ana> e")
    assert plain("f", budget) == ""
    assert budget.unseen_chars == len("<@U1|ana> ef")


def test_a_budget_of_characters_ends_behind_a_closed_token() -> None:
    budget = Budget(10, 14)
    assert plain("abcd <@U1|an> e", budget) == "abcd an"
    assert budget.unseen_chars == 1


def test_a_link_and_its_label() -> None:
    assert link("", "https://a.lan") == link("a.lan", "https://a.lan/").removesuffix("/") == "https://a.lan"
    assert link("a", "https://a.lan") == "a (https://a.lan)"


def test_a_word_behind_a_sign() -> None:
    assert word("@ana", "@") == " ana"
    assert word("@ana", "a") == "ana"

from xml.etree import ElementTree

from attacca.cli.screens.picture import columns, picture

RING = [("a", "to", "b"), ("b", "to", "c"), ("c", "back", "a"), ("a", "also", "c"), ("b", "self", "b")]
TEXT = "{http://www.w3.org/2000/svg}text"


def test_who_is_sent_to_stands_further_right_but_for_what_leads_back() -> None:
    assert columns("abc", RING) == {"a": 0, "b": 1, "c": 2}
    assert columns("ba", [("a", "to", "b")]) == {"b": 1, "a": 0}
    assert columns("ab", []) == {"a": 0, "b": 0}


def test_each_component_and_each_output_is_in_the_picture_once() -> None:
    tree = ElementTree.fromstring(picture({"a": False, "b": False, "c": True}, RING))
    told = [one.text for one in tree.iter(TEXT)]
    assert sorted(map(str, told)) == ["a", "also", "b", "back", "c", "self", "to", "to"]
    kinds = [one.get("class") for one in tree.iter("{http://www.w3.org/2000/svg}rect")]
    assert kinds == ["box", "box", "box resource"]


def test_what_is_called_as_it_should_not_be_stays_text() -> None:
    tree = ElementTree.fromstring(picture({"a": False}, [("a", "<x>&", "a")]))
    assert [one.text for one in tree.iter(TEXT)] == ["<x>&", "a"]

from attacca.workflow.core import identities


def test_each_follows_from_the_name_and_stays() -> None:
    assert identities.of_node("w1") == "2d83ea6f-15b0-5faa-b590-e1ac60c77369"
    made = [identities.of_node("a.b"), identities.of_workflow("a.b"), identities.of_component("a", "b")]
    assert len({*made, identities.of_instance("a.b")}) == 4
    assert all(identities.is_uuid(one) for one in made)


def test_what_is_one_already_is_its_own() -> None:
    uuid = "FDA6CE79-46df-4f96-a0d2-456f720f606c"
    assert identities.of_node(uuid) == uuid.lower()
    assert identities.of_workflow(uuid) == uuid.lower()


def test_only_the_usual_form_is_one() -> None:
    assert identities.is_uuid("fda6ce79-46df-4f96-a0d2-456f720f606c")
    for text in ("", "w1", "fda6ce7946df4f96a0d2456f720f606c", "{fda6ce79-46df-4f96-a0d2-456f720f606}", "x" * 36):
        assert not identities.is_uuid(text)
